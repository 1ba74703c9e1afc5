//! Rules on messages that only one side has, though no flow was found that they decide differently.
//!
//! Such a rule may say nothing new, or it may be about requests of which no example was found. Whoever asks whether
//! something was opened should know. A rule that is part of one on the other side is no such rule: where the two do
//! not have the same parties and ports, its example is decided differently.

use std::collections::{BTreeMap, BTreeSet};

use policy_core::Bundle;
use serde::Serialize;

use super::compare::{ChangedSide, Difference};
use crate::reach::{MessageRule, Space, Why, includes, rules_on_messages};

/// A rule of one side whose effect is not known.
#[derive(PartialEq, Eq, Debug, Serialize)]
pub(super) struct Undecided {
    /// `old` or `new`.
    pub(super) side: &'static str,
    pub(super) rule: String,
    /// What it says.
    pub(super) what: String,
}

/// The rules that are in one bundle only, by what they say, and in no difference.
pub(super) fn rules(old: &Bundle, new: &Bundle, space: &Space, differences: &[Difference]) -> Vec<Undecided> {
    let (old, new) = (rules_on_messages(old), rules_on_messages(new));
    let shown = shown(space, differences, &old, &new);
    let only_in = |side, rules: &Rules, others: &Rules| -> Vec<Undecided> {
        let open = rules
            .iter()
            .filter(|(_, rule)| !shown.contains(&rule.words) && !is_in(rule, others));
        let undecided = open.map(|(at, rule)| Undecided {
            side,
            rule: at.clone(),
            what: rule.words.clone(),
        });
        undecided.collect()
    };
    let mut undecided = only_in("old", &old, &new);
    undecided.extend(only_in("new", &new, &old));
    undecided
}

type Rules = BTreeMap<String, MessageRule>;

/// Whether one of the rules says the same, or more.
fn is_in(rule: &MessageRule, others: &Rules) -> bool {
    let more = |other: &MessageRule| match (&other.http, &rule.http) {
        (Some(wide), Some(narrow)) => includes(wide, narrow),
        _ => false,
    };
    others.values().any(|other| other.words == rule.words || more(other))
}

/// What the rules say that differences show: those that decide them, and those whose example they are.
fn shown(space: &Space, differences: &[Difference], old: &Rules, new: &Rules) -> BTreeSet<String> {
    let words = |why: &Why, rules: &Rules| {
        let rule = why.rule.as_ref()?;
        Some(rules.get(rule.as_str())?.words.clone())
    };
    let mut shown = BTreeSet::new();
    for difference in differences {
        let examples = difference
            .probes
            .iter()
            .filter_map(|probe| space.probes.get(*probe)?.rule.clone());
        shown.extend(examples);
        for ChangedSide {
            direction: _,
            old: before,
            new: after,
        } in &difference.sides
        {
            shown.extend(words(before, old));
            shown.extend(words(after, new));
        }
    }
    shown
}

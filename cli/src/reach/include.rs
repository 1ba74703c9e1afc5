//! Whether one rule on requests allows all that another allows.
//!
//! The answer is yes only where it is proven. Expressions are compared by automata of another library than the
//! engine's, so an expression that the two may read differently proves nothing.

use std::collections::{HashSet, VecDeque};

use policy_core::bundle::{ExpectedHeader, HeaderMatch, HeaderRule, HttpRule};
use regex_automata::{
    Anchored,
    dfa::Automaton as _,
    util::{primitives::StateID, start, syntax},
};

use super::automaton::{self, Automaton};

/// How many combined states may be looked at.
const MAX_STATES: usize = 20_000;
/// What is written the same and means, or may mean, something else in RE2: set operations, and classes and borders of
/// words, which are ASCII there.
const AMBIGUOUS: [&str; 16] = [
    "&&", "--", "~~", "{,", r"\<", r"\>", r"\b", r"\B", r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"\p", r"\P",
];

/// Whether every request that `narrow` allows is allowed by `wide`, as far as that can be proven.
pub(crate) fn includes(wide: &HttpRule, narrow: &HttpRule) -> bool {
    let fields = [
        (&wide.method, &narrow.method),
        (&wide.path, &narrow.path),
        (&wide.host, &narrow.host),
    ];
    let held = |header: &HeaderRule| {
        wanted(narrow).any(|known| known.name == header.name && (header.value.is_none() || header.value == known.value))
    };
    obtainable(wide)
        && fields
            .into_iter()
            .all(|(wide, narrow)| field_includes(given(wide), given(narrow)))
        && wanted(wide).all(|header| held(&header))
}

/// An empty pattern is no condition, as if it were absent.
fn given(field: &Option<Box<str>>) -> Option<&str> {
    field.as_deref().filter(|text| !text.is_empty())
}

/// The headers without which the rule does not match.
fn wanted(rule: &HttpRule) -> impl Iterator<Item = HeaderRule> {
    let required = rule.header_matches.iter().filter(|header| header.mismatch.is_none());
    let required = required.map(|HeaderMatch { name, expected, .. }| HeaderRule {
        name: name.clone(),
        value: match expected {
            ExpectedHeader::Value(value) => Some(value.clone()),
            ExpectedHeader::Present | ExpectedHeader::Unobtainable => None,
        },
    });
    rule.headers.iter().cloned().chain(required)
}

fn obtainable(rule: &HttpRule) -> bool {
    rule.header_matches
        .iter()
        .all(|header| header.expected != ExpectedHeader::Unobtainable)
}

fn field_includes(wide: Option<&str>, narrow: Option<&str>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        // A request may lack the field, and then no expression matches it.
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) if wide == narrow => true,
        (Some(wide), Some(narrow)) => language_includes(wide, narrow).unwrap_or(false),
    }
}

/// Searches all of the narrow language for a text that is not in the wide one. `None` if that does not come to an end.
fn language_includes(wide: &str, narrow: &str) -> Option<bool> {
    let (wide, narrow) = (automaton(wide)?, automaton(narrow)?);
    let config = start::Config::new().anchored(Anchored::Yes);
    let start = (wide.start_state(&config).ok()?, narrow.start_state(&config).ok()?);
    let mut known: HashSet<(StateID, StateID)> = HashSet::from([start]);
    let mut queue = VecDeque::from([start]);
    while let Some((in_wide, in_narrow)) = queue.pop_front() {
        let ends = |automaton: &Automaton, state| automaton.is_match_state(automaton.next_eoi_state(state));
        if ends(&narrow, in_narrow) && !ends(&wide, in_wide) {
            return Some(false);
        }
        for byte in 0..=u8::MAX {
            let next = (wide.next_state(in_wide, byte), narrow.next_state(in_narrow, byte));
            if wide.is_quit_state(next.0) || narrow.is_quit_state(next.1) || known.len() > MAX_STATES {
                return None;
            }
            if !narrow.is_dead_state(next.1) && known.insert(next) {
                queue.push_back(next);
            }
        }
    }
    Some(true)
}

/// `None` if the expression is too large, or RE2 may read it differently.
fn automaton(source: &str) -> Option<Automaton> {
    if AMBIGUOUS.iter().any(|text| source.contains(text)) || has_bracket_in_class(source) || ignores_case(source) {
        return None;
    }
    automaton::build(source, syntax::Config::new().unicode(true).utf8(true))
}

/// Whether there is a bracket inside of brackets, which begins a class of its own everywhere but in RE2.
fn has_bracket_in_class(source: &str) -> bool {
    let mut escaped = false;
    let mut inside = false;
    for character in source.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' if inside => return true,
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
    }
    false
}

/// Whether some flags switch the case off: not everybody takes the same letters for the same.
fn ignores_case(source: &str) -> bool {
    let flags = source.split("(?").skip(1);
    let mut flags = flags.map(|rest| rest.split([':', ')', '<']).next().unwrap_or_default());
    flags.any(|flags| flags.contains('i'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_in_another() {
        for (wide, narrow, want, why) in [
            (Some("/a.*"), Some("/ab"), true, "one text of many"),
            (Some("/ab"), Some("/a.*"), false, "and not the other way round"),
            (Some("/a|/b"), Some("/(a|b)"), true, "the same, written differently"),
            (Some("[a-z]+"), Some("[a-m]+"), true, "a smaller class"),
            (Some("/.*"), Some("/[^x]*"), false, "a class that has the newline"),
            (Some("(?s)/.*"), Some("/[^x]*"), true, "which this one has too"),
            (None, Some("/"), true, "no condition"),
            (Some(".*"), None, false, "a field that may be absent"),
            (
                Some(".*"),
                Some(r"\w"),
                false,
                "a class that is larger elsewhere proves nothing",
            ),
            (Some("[[a]"), Some("a"), false, "nor do brackets in brackets"),
            (Some("(?i)k"), Some("k"), false, "nor letters that are the same to some"),
            (Some("(?s-i:.*)"), Some("k"), false, "nor what looks like it"),
            (
                Some("[a-z&&b]"),
                Some("b"),
                false,
                "nor an intersection, which RE2 has not",
            ),
        ] {
            assert_eq!(field_includes(wide, narrow), want, "{narrow:?} in {wide:?}: {why}");
        }
    }

    #[test]
    fn headers_make_a_rule_narrower() {
        let rule = |headers: &[(&str, Option<&str>)]| HttpRule {
            headers: headers
                .iter()
                .map(|(name, value)| HeaderRule {
                    name: (*name).into(),
                    value: value.map(Into::into),
                })
                .collect(),
            ..HttpRule::default()
        };
        for (wide, narrow, want, why) in [
            (&[][..], &[("a", None)][..], true, "one header more"),
            (&[("a", None)], &[], false, "one header less"),
            (&[("a", None)], &[("a", Some("1"))], true, "any value"),
            (&[("a", Some("1"))], &[("a", None)], false, "one value"),
            (&[("a", Some("1"))], &[("a", Some("2"))], false, "another value"),
        ] {
            assert_eq!(includes(&rule(wide), &rule(narrow)), want, "{why}");
        }
    }
}

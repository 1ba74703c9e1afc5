//! What cases leave out: rules that none of them exercises, and policies that none of them shows to deny.

use std::collections::BTreeSet;

use anyhow::Result;
use policy_core::{Bundle, bundle};
use serde::Serialize;

use super::{
    ask::{Seen, Side},
    form::Suite,
    world::{State, World},
};
use crate::judge::engine;

/// What the suites about one world cover of its policies.
#[derive(PartialEq, Eq, Debug, Serialize)]
pub(super) struct Coverage {
    /// The files of the suites.
    pub(super) suites: Vec<String>,
    /// How many places there are: elements, their port lists, and their rules on requests.
    pub(super) rules: usize,
    /// How many of them some case exercises.
    pub(super) covered: usize,
    /// The others, in the order of the policies.
    pub(super) uncovered: Vec<String>,
    /// Policies that could deny something, and no case is about an endpoint that they deny something to.
    pub(super) never_denied: Vec<String>,
}

impl Coverage {
    /// Of every world whose policies are valid.
    pub(super) fn of_all(suites: &[Suite], worlds: &[World], seen: &[Vec<Seen>]) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for World { suites: members, state } in worlds {
            let State::Ready { bundle, .. } = state else { continue };
            let paths = members.iter().filter_map(|i| suites.get(*i));
            let paths = paths.map(|suite| suite.path.display().to_string()).collect();
            let of_members: Vec<&Seen> = members.iter().filter_map(|i| seen.get(*i)).flatten().collect();
            all.push(Self::of(paths, bundle, &of_members)?);
        }
        Ok(all)
    }

    /// Nothing is left out.
    pub(super) fn is_full(&self) -> bool {
        self.uncovered.is_empty() && self.never_denied.is_empty()
    }

    fn of(suites: Vec<String>, bundle: &Bundle, seen: &[&Seen]) -> Result<Self> {
        let places = engine(bundle.clone())?.places();
        let matched: BTreeSet<&str> = seen.iter().flat_map(|seen| &seen.matched).map(String::as_str).collect();
        let denying: BTreeSet<&str> = seen.iter().flat_map(|seen| denying(seen)).collect();
        let uncovered = places.iter().filter(|place| !matched.contains(place.as_str()));
        let uncovered: Vec<String> = uncovered.map(|place| place.as_str().to_owned()).collect();
        let policies = bundle.policies.iter().filter(|policy| can_deny(policy)).map(object);
        Ok(Self {
            suites,
            rules: places.len(),
            covered: places.len() - uncovered.len(),
            uncovered,
            never_denied: policies.filter(|object| !denying.contains(&**object)).collect(),
        })
    }
}

/// The policies that take part in the denials of a case: those that isolate who is denied something, and those whose
/// rule denies. A policy in audit mode takes part in what it would deny.
fn denying(seen: &Seen) -> impl Iterator<Item = &str> {
    let refusing = seen.as_if_enforced().iter().filter(|side| !side.answer.allows());
    let rules = refusing.flat_map(|side| {
        let Side {
            answer, isolated_by, ..
        } = side;
        isolated_by.iter().chain(&answer.rule).chain(&answer.conflicts_with)
    });
    rules.map(|rule| rule.split(' ').next().unwrap_or(rule))
}

/// Whether a policy can deny anything to anybody: it isolates, or it has a rule that denies.
fn can_deny(policy: &bundle::Policy) -> bool {
    policy.rules.iter().any(|rule| {
        let isolates = |on: bool, allow: &[bundle::Element], deny: &[bundle::Element]| {
            (on && !allow.is_empty()) || !deny.is_empty()
        };
        isolates(rule.default_deny.ingress, &rule.ingress, &rule.ingress_deny)
            || isolates(rule.default_deny.egress, &rule.egress, &rule.egress_deny)
    })
}

/// The name of a policy as rules have it.
fn object(policy: &bundle::Policy) -> String {
    match &policy.namespace {
        Some(namespace) => format!("{}/{namespace}/{}", policy.kind, policy.name),
        None => format!("{}/{}", policy.kind, policy.name),
    }
}

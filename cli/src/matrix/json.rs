//! The matrix for programs.

use serde::Serialize;

use super::grid::Grid;
use crate::reach::{Group, Outcome, Passing, Reach, Why};

/// The whole matrix.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    parties: Vec<PartyEntry<'a>>,
    ports: Vec<&'a str>,
    /// One for every pair and distinct answer, by source, destination and port.
    cells: Vec<Cell<'a>>,
}

#[derive(Serialize)]
struct PartyEntry<'a> {
    /// What the cells call it.
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    /// `workloads`, `reserved` or `outside`.
    kind: &'static str,
    members: &'a [String],
}

#[derive(Serialize)]
struct Cell<'a> {
    from: String,
    to: String,
    ports: Vec<&'a str>,
    #[serde(flatten)]
    answer: Answer<'a>,
}

/// The answer to a cell, in the words that go out.
#[derive(Serialize)]
struct Answer<'a> {
    reach: Reach,
    #[serde(skip_serializing_if = "Option::is_none")]
    egress: Option<Side<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress: Option<Side<'a>>,
    /// What passes, where not everything does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passing: Vec<PassingEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<&'a str>,
}

/// What one side says, in the words that go out.
#[derive(Serialize)]
pub(super) struct Side<'a> {
    verdict: &'static str,
    reason: &'static str,
    /// The reason in words.
    explanation: String,
    rule: Option<&'a str>,
}

/// Something that passes, in the words that go out.
#[derive(Serialize)]
pub(super) struct PassingEntry<'a> {
    what: &'a str,
    rule: Option<&'a str>,
}

/// The document for a grid.
pub(super) fn document<'a>(grid: &'a Grid<'_>) -> Document<'a> {
    let parties = grid.parties.iter().map(|party| PartyEntry {
        name: party.full_name(),
        namespace: match &party.group {
            Group::Namespace(namespace) => Some(namespace),
            Group::Reserved | Group::Outside => None,
        },
        kind: kind(&party.group),
        members: &party.members,
    });
    let parties: Vec<PartyEntry<'_>> = parties.collect();
    let name = |party: usize| parties.get(party).map(|party| party.name.clone()).unwrap_or_default();
    let mut cells = Vec::new();
    for (from, to) in grid.pairs() {
        let mut of_pair: Vec<(&Outcome, Vec<&str>)> = Vec::new();
        for (port, outcome) in grid.of_pair(from, to) {
            match of_pair.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, ports)) => ports.push(&port.label),
                None => of_pair.push((outcome, vec![&port.label])),
            }
        }
        cells.extend(of_pair.into_iter().map(|(outcome, ports)| Cell {
            from: name(from),
            to: name(to),
            ports,
            answer: answer(outcome),
        }));
    }
    Document {
        ports: grid.ports.iter().map(|port| port.label.as_str()).collect(),
        parties,
        cells,
    }
}

/// What sort of parties a group has.
pub(super) fn kind(group: &Group) -> &'static str {
    match group {
        Group::Namespace(_) => "workloads",
        Group::Reserved => "reserved",
        Group::Outside => "outside",
    }
}

fn answer(outcome: &Outcome) -> Answer<'_> {
    Answer {
        reach: outcome.reach,
        egress: outcome.egress.as_ref().map(side),
        ingress: outcome.ingress.as_ref().map(side),
        passing: passing(outcome),
        authentication: outcome.authentication,
    }
}

/// What passes, in the words that go out.
pub(super) fn passing(outcome: &Outcome) -> Vec<PassingEntry<'_>> {
    let passing = outcome.passing.iter().map(|Passing { what, rule }| PassingEntry {
        what,
        rule: rule.as_ref().map(|rule| rule.as_str()),
    });
    passing.collect()
}

/// What one side says, in the words that go out.
pub(super) fn side(why: &Why) -> Side<'_> {
    Side {
        verdict: if why.allows { "allow" } else { "deny" },
        reason: why.reason.as_str(),
        explanation: why.reason.to_string(),
        rule: why.rule.as_ref().map(|rule| rule.as_str()),
    }
}

//! The matrix as one page for browsers, which loads nothing else.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::{
    grid::{Grid, Interned},
    json::{PassingEntry, Side, kind, passing, side},
};
use crate::reach::{Group, Outcome, Reach, Why};

const SHELL: &str = include_str!("page/shell.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// What the script of the page works on. Cells are positions of profiles, profiles of outcomes, and outcomes of what
/// sides say, so that a page of many workloads stays small.
#[derive(Serialize)]
struct Data<'a> {
    groups: Vec<GroupEntry<'a>>,
    ports: Vec<PortEntry<'a>>,
    sides: Vec<Side<'a>>,
    outcomes: Vec<OutcomeEntry<'a>>,
    profiles: &'a [Vec<usize>],
    cells: &'a [Vec<usize>],
}

#[derive(Serialize)]
struct GroupEntry<'a> {
    name: &'a str,
    kind: &'static str,
    parties: Vec<PartyEntry<'a>>,
}

#[derive(Serialize)]
struct PartyEntry<'a> {
    /// Its row and column of the cells.
    id: usize,
    name: &'a str,
    members: &'a [String],
    peer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fqdn: Option<&'a str>,
}

#[derive(Serialize)]
struct OutcomeEntry<'a> {
    reach: Reach,
    egress: Option<usize>,
    ingress: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passing: Vec<PassingEntry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<&'a str>,
}

#[derive(Serialize)]
struct PortEntry<'a> {
    label: &'a str,
    /// One of them, as `trace` takes it.
    sample: String,
}

/// The page.
pub(super) fn render<'a>(grid: &'a Grid<'_>) -> Result<String> {
    let mut groups: BTreeMap<&Group, Vec<PartyEntry<'_>>> = BTreeMap::new();
    for (id, party) in grid.parties.iter().enumerate() {
        groups.entry(&party.group).or_default().push(PartyEntry {
            id,
            name: &party.name,
            members: &party.members,
            peer: &party.peer,
            fqdn: party.fqdn.as_deref(),
        });
    }
    let groups = groups.into_iter().map(|(group, parties)| GroupEntry {
        name: group.name(),
        kind: kind(group),
        parties,
    });
    let ports = grid.ports.iter().map(|port| PortEntry {
        label: &port.label,
        sample: format!("{}/{}", port.sample.number, port.sample.protocol),
    });
    let mut sides: Interned<&Why> = Interned::default();
    let mut said = |why: &'a Option<Why>| why.as_ref().map(|why| sides.position(why));
    let outcomes = grid.outcomes.iter().map(|outcome: &Outcome| OutcomeEntry {
        reach: outcome.reach,
        egress: said(&outcome.egress),
        ingress: said(&outcome.ingress),
        passing: passing(outcome),
        authentication: outcome.authentication,
    });
    let outcomes = outcomes.collect();
    let data = serde_json::to_string(&Data {
        groups: groups.collect(),
        ports: ports.collect(),
        sides: sides.list.into_iter().map(side).collect(),
        outcomes,
        profiles: &grid.profiles,
        cells: &grid.cells,
    })?;
    // Inside a script element nothing is markup but its end.
    let data = data.replace('<', r"\u003c");
    Ok(fill(&[("style", STYLE), ("script", SCRIPT), ("data", &data)]))
}

/// The shell with its parts. No part is searched for places of others: a policy may have any text.
fn fill(parts: &[(&str, &str)]) -> String {
    let mut page = String::new();
    let mut rest = SHELL;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page.extend(parts.iter().find(|(of, _)| *of == name).map(|(_, part)| *part));
        rest = after;
    }
    page.push_str(rest);
    page
}

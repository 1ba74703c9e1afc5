//! The differences as they go out as JSON and are printed as text.

use policy_core::Protocol;
use serde::Serialize;

use super::{
    compare::{Change, ChangedSide, Difference},
    undecided::Undecided,
};
use crate::reach::{Group, Party, Space, Why};

/// How many parties a heading names.
const MAX_NAMES: usize = 12;

/// Everything that differs.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) opened: usize,
    pub(super) closed: usize,
    pub(super) differences: Vec<Entry>,
    /// Rules of one side only, of which no flow shows what they change.
    pub(super) undecided: Vec<Undecided>,
    /// Workloads that were not compared, because only OLD has them.
    pub(super) only_in_old: Vec<String>,
    /// Workloads that were not compared, because only NEW has them.
    pub(super) only_in_new: Vec<String>,
}

/// One difference.
#[derive(Serialize)]
pub(super) struct Entry {
    /// `opened` or `closed`.
    pub(super) change: &'static str,
    pub(super) from: Vec<Class>,
    pub(super) to: Vec<Class>,
    /// From whom to whom, in short.
    #[serde(skip)]
    pub(super) heading: String,
    pub(super) ports: Vec<String>,
    /// What a connection must show, by example; empty if anything will do.
    pub(super) showing: Vec<String>,
    pub(super) sides: Vec<Side>,
    pub(super) witness: Witness,
}

/// A class of workloads or other peers.
#[derive(Serialize)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) members: Vec<String>,
}

/// What one side said and says.
#[derive(Serialize)]
pub(super) struct Side {
    pub(super) direction: &'static str,
    pub(super) old: Said,
    pub(super) new: Said,
}

/// What a side says.
#[derive(Serialize)]
pub(super) struct Said {
    pub(super) verdict: &'static str,
    pub(super) reason: &'static str,
    #[serde(skip)]
    pub(super) explanation: String,
    pub(super) rule: Option<String>,
}

/// One flow of the difference.
#[derive(Serialize)]
pub(super) struct Witness {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    /// The options of `portcullis trace` that ask about the flow, without those that name files.
    pub(super) trace: Vec<String>,
}

impl Report {
    /// Puts the differences into words.
    pub(super) fn new(space: &Space, differences: &[Difference], undecided: Vec<Undecided>) -> Self {
        let count = |change| {
            differences
                .iter()
                .filter(|difference| difference.change == change)
                .count()
        };
        let only_in = |bundle: usize| space.not_shared.get(bundle).cloned().unwrap_or_default();
        Self {
            opened: count(Change::Opened),
            closed: count(Change::Closed),
            differences: differences
                .iter()
                .filter_map(|difference| entry(space, difference))
                .collect(),
            undecided,
            only_in_old: only_in(0),
            only_in_new: only_in(1),
        }
    }
}

fn entry(space: &Space, difference: &Difference) -> Option<Entry> {
    let parties = |positions: &[usize]| {
        positions
            .iter()
            .filter_map(|party| space.parties.get(*party))
            .collect::<Vec<_>>()
    };
    let (from, to) = (parties(&difference.from), parties(&difference.to));
    let ports = difference.ports.iter().filter_map(|port| space.ports.get(*port));
    let ports = match difference.ports.len() == space.ports.len() {
        true => vec!["every port".into()],
        false => ports.map(|port| port.label.clone()).collect(),
    };
    let showing = difference.probes.iter().filter_map(|probe| space.probes.get(*probe));
    let showing = showing.filter(|_| !difference.everything).map(|probe| probe.describe());
    Some(Entry {
        change: difference.change.as_str(),
        witness: witness(space, difference, from.first()?, to.first()?)?,
        heading: format!("{} → {}", short(space, &difference.from), short(space, &difference.to)),
        from: from.into_iter().map(class).collect(),
        to: to.into_iter().map(class).collect(),
        ports,
        showing: showing.filter(|showing| !showing.is_empty()).collect(),
        sides: difference.sides.iter().map(side).collect(),
    })
}

/// The names of parties, a namespace for all that are in it.
fn short(space: &Space, positions: &[usize]) -> String {
    let group = |position: &usize| space.parties.get(*position).map(|party| &party.group);
    let mut names: Vec<String> = Vec::new();
    let mut told: Vec<&Group> = Vec::new();
    for position in positions {
        let Some(party) = space
            .parties
            .get(*position)
            .filter(|party| !told.contains(&&party.group))
        else {
            continue;
        };
        let here = positions
            .iter()
            .filter(|other| group(other) == Some(&party.group))
            .count();
        let all = space.parties.iter().filter(|other| other.group == party.group).count();
        match &party.group {
            Group::Namespace(namespace) if here == all && all > 1 => {
                told.push(&party.group);
                names.push(format!("{namespace}/*"));
            }
            Group::Namespace(_) | Group::Reserved | Group::Outside => names.push(party.full_name()),
        }
    }
    let more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

fn class(party: &Party) -> Class {
    Class {
        name: party.full_name(),
        members: party.members.clone(),
    }
}

fn side(side: &ChangedSide) -> Side {
    let said = |why: &Why| Said {
        verdict: if why.allows { "allow" } else { "deny" },
        reason: why.reason.as_str(),
        explanation: why.reason.to_string(),
        rule: why.rule.as_ref().map(|rule| rule.as_str().to_owned()),
    };
    Side {
        direction: side.direction.as_str(),
        old: said(&side.old),
        new: said(&side.new),
    }
}

/// The first of everything: it stands for the rest.
fn witness(space: &Space, difference: &Difference, from: &Party, to: &Party) -> Option<Witness> {
    let port = space.ports.get(*difference.ports.first()?)?.sample;
    let probe = space.probes.get(*difference.probes.first()?)?;
    let (source, destination) = (&from.peer, &to.peer);
    let place = format!("{}/{}", port.number, port.protocol);
    let mut trace: Vec<String> = ["--from", source, "--to", destination, "--port", &place]
        .map(str::to_owned)
        .to_vec();
    trace.extend(probe.trace_options());
    for name in from.fqdn.iter().chain(&to.fqdn) {
        trace.extend(["--fqdn".to_owned(), name.clone()]);
    }
    Some(Witness {
        from: source.clone(),
        to: destination.clone(),
        protocol: port.protocol,
        port: port.number,
        trace,
    })
}

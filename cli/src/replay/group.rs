//! Flows that change in the same way: one group, however many there are.

use std::{cmp::Reverse, collections::HashMap};

use policy_core::{Decision, Direction, Explanation, Protocol, Reason, Verdict};

use super::{
    ask, question,
    record::{Message, Record, Then, To},
    world::{Party, World},
};
use crate::diff::Change;

/// How many groups are told apart; flows of further ones are only counted.
pub(super) const MAX_GROUPS: usize = 5_000;

/// A line of a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct At {
    /// Position of the log on the command line.
    pub(super) log: usize,
    pub(super) line: u64,
}

/// What flows of one group have in common.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    change: Change,
    from: String,
    to: String,
    protocol: Protocol,
    port: u16,
    request: Option<String>,
    then: Then,
    decision: Decision,
    direction: Option<Direction>,
    reason: Reason,
    rule: Option<String>,
}

/// Flows that change in the same way.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) change: Change,
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    /// `GET /path`, `DNS name`, `Kafka kind topic`; `None` for connections.
    pub(super) request: Option<String>,
    pub(super) flows: u64,
    pub(super) first: At,
    /// How to ask `trace` about the first flow, if it can be asked.
    pub(super) trace: Option<Vec<String>>,
    pub(super) then: Then,
    pub(super) now: Verdict,
    /// Why it is denied now.
    pub(super) explanation: Option<Explanation>,
}

/// How many flows changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Count {
    pub(super) opened: u64,
    pub(super) closed: u64,
}

impl Count {
    fn add(&mut self, change: Change) {
        match change {
            Change::Opened => self.opened += 1,
            Change::Closed => self.closed += 1,
        }
    }
}

/// The group of a flow, as long as there was room for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    In(usize),
    NoRoom(Change),
}

/// All groups.
#[derive(Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    known: HashMap<Key, usize>,
    pub(super) all: Count,
    /// Flows of groups that are not told apart.
    pub(super) no_room: Count,
}

impl Groups {
    /// The group of a flow that is new, or was forgotten. It does not count the flow.
    pub(super) fn place(&mut self, world: &World, record: &Record, now: &Verdict, at: At) -> Place {
        let change = match record.then.allowed {
            true => Change::Closed,
            false => Change::Opened,
        };
        let (from, to) = parties(world, record);
        let request = record.message.as_ref().map(Message::class);
        let key = Key {
            change,
            from: from.name.clone(),
            to: to.name.clone(),
            protocol: record.protocol,
            port: record.port,
            request: request.clone(),
            then: record.then.clone(),
            decision: now.decision,
            direction: now.direction,
            reason: now.reason,
            rule: now.rule.as_ref().map(|rule| rule.as_str().to_owned()),
        };
        if let Some(index) = self.known.get(&key) {
            return Place::In(*index);
        }
        if self.groups.len() >= MAX_GROUPS {
            return Place::NoRoom(change);
        }
        let denying = now.direction.filter(|_| !now.allows());
        self.groups.push(Group {
            change,
            from,
            to,
            protocol: record.protocol,
            port: record.port,
            request,
            flows: 0,
            first: at,
            trace: question::trace(world, record),
            then: record.then.clone(),
            now: now.clone(),
            explanation: denying.and_then(|direction| ask::explain(world, record, direction)),
        });
        let index = self.groups.len() - 1;
        self.known.insert(key, index);
        Place::In(index)
    }

    /// Counts a flow.
    pub(super) fn count(&mut self, place: Place) {
        let change = match place {
            Place::NoRoom(change) => {
                self.no_room.add(change);
                change
            }
            Place::In(index) => match self.groups.get_mut(index) {
                Some(group) => {
                    group.flows += 1;
                    group.change
                }
                None => return,
            },
        };
        self.all.add(change);
    }

    /// What closed first, since that breaks; then the largest first, and of equals the one that was met first.
    pub(super) fn sorted(mut self) -> Vec<Group> {
        self.groups
            .sort_by_key(|group| (Reverse(group.change), Reverse(group.flows), group.first));
        self.groups
    }
}

fn parties(world: &World, record: &Record) -> (Party, Party) {
    let nobody = || Party {
        name: "unknown".into(),
        labels: Vec::new(),
    };
    let party = |address: Option<_>| address.map_or_else(nobody, |address| world.party(address));
    let from = match &record.claim {
        Some(claim) => Party {
            name: claim.text.clone(),
            labels: Vec::new(),
        },
        None => party(world.address_of(&record.source).ok()),
    };
    let to = match &record.destination {
        To::Name(name) => Party {
            name: name.clone(),
            labels: Vec::new(),
        },
        To::End(end) => party(world.address_of(end).ok()),
    };
    (from, to)
}

impl Message {
    fn class(&self) -> String {
        match self {
            Self::Http(request) => request.class(),
            Self::Dns(name) => format!("DNS {name}"),
            Self::Kafka { kind, topic, .. } => match topic {
                Some(topic) => format!("Kafka {kind} {topic}"),
                None => format!("Kafka {kind}"),
            },
        }
    }
}

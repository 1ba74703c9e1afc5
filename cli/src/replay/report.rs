//! What changed, as it goes out as JSON and is printed as text.

use policy_core::{Protocol, RuleRef};
use serde::Serialize;

use super::{
    group::{At, Group},
    tally::{Skipped, Tally},
    world::Party,
};

/// The answer to all lines.
#[derive(Serialize)]
pub(super) struct Report {
    /// Lines that are not blank: `judged` and those of `unjudged`.
    pub(super) lines: u64,
    pub(super) judged: u64,
    /// Of the judged ones, those with the verdict that they had.
    pub(super) same: u64,
    /// Those that were denied and are allowed now.
    pub(super) opened: u64,
    /// Those that were allowed and are denied now.
    pub(super) closed: u64,
    pub(super) groups: Vec<Entry>,
    /// Changed flows of groups that there was no room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_grouped: Option<NotGrouped>,
    pub(super) unjudged: Vec<Unjudged>,
}

/// Flows that change in the same way.
#[derive(Serialize)]
pub(super) struct Entry {
    /// `opened` or `closed`.
    pub(super) change: &'static str,
    pub(super) flows: u64,
    pub(super) from: Side,
    pub(super) to: Side,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    /// Method and path, or the like; absent for connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<String>,
    pub(super) then: Before,
    pub(super) now: After,
    pub(super) first: First,
}

/// One side of a group.
#[derive(Serialize)]
pub(super) struct Side {
    pub(super) name: String,
    pub(super) labels: Vec<String>,
}

/// What the log says.
#[derive(Serialize)]
pub(super) struct Before {
    pub(super) verdict: &'static str,
    pub(super) reason: Option<String>,
    pub(super) rule: Option<String>,
}

/// What the policies say.
#[derive(Serialize)]
pub(super) struct After {
    pub(super) verdict: &'static str,
    pub(super) layer: &'static str,
    /// Whose policy decided: `ingress` or `egress`.
    pub(super) direction: Option<&'static str>,
    pub(super) reason: &'static str,
    #[serde(skip)]
    pub(super) explanation: String,
    pub(super) rule: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) isolated_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nearest: Option<Nearest>,
}

/// The allow rule that came closest.
#[derive(Serialize)]
pub(super) struct Nearest {
    pub(super) rule: String,
    pub(super) missed: String,
}

/// A line of a log.
#[derive(Clone, Serialize)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: u64,
}

/// The first line of a group.
#[derive(Serialize)]
pub(super) struct First {
    #[serde(flatten)]
    pub(super) place: Place,
    /// The options of `portcullis trace` that ask about it, without those that name files. It asks both sides. Absent
    /// if it cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<Vec<String>>,
}

/// Changed flows that are in no group.
#[derive(Serialize)]
pub(super) struct NotGrouped {
    pub(super) opened: u64,
    pub(super) closed: u64,
}

/// Lines that nobody can judge, for one reason.
#[derive(Serialize)]
pub(super) struct Unjudged {
    pub(super) reason: &'static str,
    pub(super) explanation: &'static str,
    pub(super) lines: u64,
    pub(super) first: Place,
    /// What exactly is wrong with the first one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) detail: String,
}

impl Report {
    /// Puts the counts into words; `logs` are the names of the logs.
    pub(super) fn new(tally: Tally, logs: &[String]) -> Self {
        let judged = tally.judged();
        let Tally {
            lines,
            same,
            groups,
            skipped,
            ..
        } = tally;
        let place = |at: At| Place {
            file: logs.get(at.log).cloned().unwrap_or_default(),
            line: at.line,
        };
        let unjudged = skipped
            .into_iter()
            .map(|(why, Skipped { lines, first, detail })| Unjudged {
                reason: why.as_str(),
                explanation: why.explanation(),
                lines,
                first: place(first),
                detail,
            });
        let (all, no_room) = (groups.all, groups.no_room);
        Self {
            lines,
            judged,
            same,
            opened: all.opened,
            closed: all.closed,
            not_grouped: (no_room.opened + no_room.closed > 0).then_some(NotGrouped {
                opened: no_room.opened,
                closed: no_room.closed,
            }),
            unjudged: unjudged.collect(),
            groups: groups.sorted().into_iter().map(|group| entry(group, place)).collect(),
        }
    }
}

fn entry(group: Group, place: impl Fn(At) -> Place) -> Entry {
    let Group {
        change,
        from,
        to,
        protocol,
        port,
        request,
        flows,
        first,
        trace,
        then,
        now,
        explanation,
    } = group;
    let text = |rule: &RuleRef| rule.as_str().to_owned();
    let (isolated_by, nearest) = explanation.map_or_else(Default::default, |why| (why.isolated_by, why.nearest));
    let nearest = nearest.map(|near| Nearest {
        rule: text(&near.rule),
        missed: near.missed.to_string(),
    });
    Entry {
        change: change.as_str(),
        flows,
        from: side(from),
        to: side(to),
        protocol,
        port,
        request,
        now: After {
            verdict: now.decision.as_str(),
            layer: now.layer.as_str(),
            direction: now.direction.map(|direction| direction.as_str()),
            reason: now.reason.as_str(),
            explanation: now.reason.to_string(),
            rule: now.rule.as_ref().map(text),
            isolated_by: isolated_by.iter().map(text).collect(),
            nearest,
        },
        first: First {
            place: place(first),
            trace,
        },
        then: Before {
            verdict: if then.allowed { "allow" } else { "deny" },
            reason: then.reason,
            rule: then.rule,
        },
    }
}

fn side(Party { name, labels }: Party) -> Side {
    Side { name, labels }
}

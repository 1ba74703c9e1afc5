//! What the policies of one endpoint say.

use policy_core::{
    Change, Considered, Direction, Engine, Explanation, Flow, HeaderChange, Missed, NearMiss, RuleRef, Verdict, View,
};
use serde::{Serialize, Serializer};

use super::Described;
use crate::{
    judge::{Answer, Content},
    trace::scene::Party,
};

/// What the policies of one endpoint say.
#[derive(Serialize)]
pub(in crate::trace) struct Side {
    /// Seen from the subject.
    #[serde(serialize_with = "direction")]
    pub(in crate::trace) direction: Direction,
    /// The endpoint whose policies were asked.
    pub(in crate::trace) subject: Described,
    pub(in crate::trace) peer: Described,
    /// The destination port after translation.
    pub(in crate::trace) port: u16,
    #[serde(flatten)]
    pub(in crate::trace) said: Said,
    /// What all policies say as if audit were off, if one is in audit mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::trace) would: Option<Said>,
    /// What happens to the headers of a request that passes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::trace) header_changes: Vec<ChangedHeader>,
    /// Whether an HTTP request would be decided on its own; only set when no message was asked about.
    pub(in crate::trace) inspects_requests: bool,
    /// Whether the TLS server name would count; only set when nothing but addresses was asked about.
    pub(in crate::trace) inspects_server_name: bool,
    /// Every rule that was held against the question, in the order of the policies.
    pub(in crate::trace) considered: Vec<Row>,
    /// All rules that are mentioned, for whoever wants to know where they stand.
    #[serde(skip)]
    pub(super) rules: Vec<RuleRef>,
}

/// A verdict and what led to it.
#[derive(Serialize)]
pub(in crate::trace) struct Said {
    #[serde(flatten)]
    pub(in crate::trace) answer: Answer,
    /// Why, in words.
    pub(in crate::trace) explanation: String,
    /// The rules that isolate the subject in this direction.
    pub(in crate::trace) isolated_by: Vec<String>,
    /// For a denial that no deny rule made: the allow rule that came closest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::trace) nearest: Option<Nearest>,
}

/// An allow rule that did not match, and why.
#[derive(Serialize)]
pub(in crate::trace) struct Nearest {
    pub(in crate::trace) rule: String,
    /// The condition in words.
    pub(in crate::trace) missed: String,
    /// The same for programs.
    pub(in crate::trace) condition: Missed,
}

/// A rule that was held against the question.
#[derive(Serialize)]
pub(in crate::trace) struct Row {
    pub(in crate::trace) rule: String,
    pub(in crate::trace) effect: Effect,
    pub(in crate::trace) matches: bool,
    /// If it does not match: the first condition that failed, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::trace) missed: Option<String>,
    /// The same for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::trace) condition: Option<Missed>,
}

/// What a rule does to what it matches.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::trace) enum Effect {
    Allow,
    Deny,
}

/// What happens to one header.
#[derive(Serialize)]
pub(in crate::trace) struct ChangedHeader {
    pub(in crate::trace) header: String,
    /// `log`, `append`, `remove` or `set`.
    pub(in crate::trace) change: &'static str,
    /// Absent if there is none, or it is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::trace) value: Option<String>,
}

impl Side {
    pub(super) fn new(
        engine: &Engine,
        flow: &Flow<'_>,
        content: &Content,
        subject: Described,
        (peer, party): (Described, &Party),
    ) -> Self {
        let server_name = content.server_name();
        let explain = |view| content.with_carried(|carried| engine.explain_as(view, flow, server_name, carried));
        let explanation = explain(View::Enforced);
        let would = engine.has_audit().then(|| explain(View::Would));
        let considered = content.with_carried(|carried| engine.considered(flow, server_name, carried));
        let connection = engine.connection(flow);
        let changes = content
            .http()
            .filter(|_| explanation.verdict.allows())
            .map(|request| connection.header_changes(request))
            .unwrap_or_default();
        let rules = mentioned([&explanation].into_iter().chain(&would), &considered);
        Self {
            direction: flow.direction,
            subject,
            peer,
            port: flow.port,
            said: Said::new(explanation, party),
            would: would.map(|would| Said::new(would, party)),
            header_changes: changes.into_iter().map(ChangedHeader::from).collect(),
            inspects_requests: content.message.is_none() && connection.inspects_http(),
            inspects_server_name: *content == Content::default() && connection.inspects_tls(),
            considered: considered.into_iter().map(|row| Row::new(row, party)).collect(),
            rules,
        }
    }
}

impl Said {
    fn new(explanation: Explanation, peer: &Party) -> Self {
        let Explanation {
            verdict,
            isolated_by,
            nearest,
        } = explanation;
        Self {
            explanation: verdict.reason.to_string(),
            answer: verdict.into(),
            isolated_by: isolated_by.iter().map(text).collect(),
            nearest: nearest.map(|near| Nearest::new(near, peer)),
        }
    }
}

impl Nearest {
    fn new(near: NearMiss, peer: &Party) -> Self {
        Self {
            rule: text(&near.rule),
            missed: near.missed.words(peer.address),
            condition: near.missed,
        }
    }
}

impl Row {
    fn new(row: Considered, peer: &Party) -> Self {
        let Considered { rule, denies, missed } = row;
        Self {
            rule: text(&rule),
            effect: if denies { Effect::Deny } else { Effect::Allow },
            matches: missed.is_none(),
            missed: missed.as_ref().map(|missed| missed.words(peer.address)),
            condition: missed,
        }
    }
}

/// Every rule of an answer.
fn mentioned<'a>(explanations: impl Iterator<Item = &'a Explanation>, considered: &'a [Considered]) -> Vec<RuleRef> {
    let explained = explanations.flat_map(|explanation| {
        let Explanation {
            verdict: Verdict {
                rule, conflicts_with, ..
            },
            isolated_by,
            nearest,
        } = explanation;
        let nearest = nearest.iter().map(|near| &near.rule);
        rule.iter().chain(conflicts_with).chain(isolated_by).chain(nearest)
    });
    let considered = considered.iter().map(|row| &row.rule);
    explained.chain(considered).cloned().collect()
}

fn text(rule: &RuleRef) -> String {
    rule.as_str().to_owned()
}

impl From<HeaderChange> for ChangedHeader {
    fn from(HeaderChange { name, change, secret }: HeaderChange) -> Self {
        let (change, value) = match change {
            Change::Log => ("log", None),
            Change::Append(value) => ("append", Some(value)),
            Change::Remove => ("remove", None),
            Change::Set(value) => ("set", Some(value)),
        };
        Self {
            header: name.into(),
            change,
            value: value.filter(|_| !secret).map(Into::into),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn direction<S: Serializer>(direction: &Direction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(direction.as_str())
}

//! Explanations: the walk of the engine once more, with an observer that remembers what nearly matched.

mod conditions;
mod missed;
mod nearest;
mod walk;
mod words;

use alloc::{string::String, vec::Vec};

pub use missed::{Found, Missed, MissedLabel, PortOwner};

use crate::{
    engine::{Connection, Engine, View, resolve::Side},
    flow::{Carried, Flow},
    verdict::{Reason, RuleRef, Verdict},
};
use nearest::Nearest;
use walk::Walk;

/// A verdict with everything that led to it.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    /// The verdict: the same that the engine decides.
    pub verdict: Verdict,
    /// The rules that isolate the subject in this direction.
    pub isolated_by: Vec<RuleRef>,
    /// For a denial that no deny rule made: the allow rule that came closest.
    pub nearest: Option<NearMiss>,
}

/// An allow rule that did not match, and the first of its conditions that failed.
#[derive(Clone, PartialEq, Debug)]
pub struct NearMiss {
    /// The rule.
    pub rule: RuleRef,
    /// What failed.
    pub missed: Missed,
}

/// A rule that was held against a question, and what came of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Considered {
    /// The rule: an element, or below it the port list that asks for server names, or a rule on what is carried.
    pub rule: RuleRef,
    /// Whether it denies what it matches.
    pub denies: bool,
    /// The first condition that failed; `None` if the rule matches. For an element that is: its peers and its ports do.
    pub missed: Option<Missed>,
}

impl Engine {
    /// Decides as [`Engine::connection`] and [`Connection::judge`] do, and says what led to it.
    pub fn explain(
        &self,
        flow: &Flow<'_>,
        server_name: Option<Option<&[u8]>>,
        carried: Option<Carried<'_>>,
    ) -> Explanation {
        self.explain_as(View::Enforced, flow, server_name, carried)
    }

    /// Decides as [`Engine::connection_as`] does, and says what led to it.
    pub fn explain_as(
        &self,
        view: View,
        flow: &Flow<'_>,
        server_name: Option<Option<&[u8]>>,
        carried: Option<Carried<'_>>,
    ) -> Explanation {
        self.walk(view, flow, server_name, carried, |walk| {
            let nearest = asks_for_a_miss(&walk.verdict).then(|| {
                let mut nearest = Nearest::default();
                walk.rules(&mut |seen| nearest.see(walk.side, seen));
                nearest.found(walk)
            });
            Explanation {
                nearest: nearest.flatten(),
                isolated_by: walk.side.table.isolated_by.clone(),
                verdict: walk.verdict.clone(),
            }
        })
    }

    /// The rules of the subject that the walk holds against the question, in the order of the policies: every element for
    /// this direction, and below those for this peer and port what they ask of the connection. Nothing is considered
    /// where enforcement is switched off, or where rules contradict each other. Rules in audit mode are considered like all
    /// others.
    pub fn considered(
        &self,
        flow: &Flow<'_>,
        server_name: Option<Option<&[u8]>>,
        carried: Option<Carried<'_>>,
    ) -> Vec<Considered> {
        let mut considered = Vec::new();
        self.walk(View::Would, flow, server_name, carried, |walk| {
            if matches!(walk.verdict.reason, Reason::EnforcementNever | Reason::Conflict) {
                return;
            }
            walk.rules(&mut |seen| {
                considered.push(Considered {
                    rule: seen.rule.clone(),
                    denies: seen.denies,
                    missed: seen.miss.map(|miss| walk.missed(&miss)),
                });
            });
        });
        in_order(considered)
    }

    fn walk<R>(
        &self,
        view: View,
        flow: &Flow<'_>,
        server_name: Option<Option<&[u8]>>,
        carried: Option<Carried<'_>>,
        look: impl FnOnce(&Walk<'_, '_>) -> R,
    ) -> R {
        let table = self.table_as(view, flow.subject);
        let side = Side {
            engine: self,
            table: table.side(flow.direction),
            flow,
        };
        let connection = Connection::new(flow.direction, flow.authenticated, side.resolve().into());
        let verdict = connection.judge(server_name, carried);
        look(&Walk {
            side: &side,
            connection: &connection,
            verdict,
            asks_inside: server_name.is_some() || carried.is_some(),
            server_name: server_name.flatten(),
            carried,
        })
    }
}

/// Rules on what a connection shows come after the element that they are a part of.
fn in_order(mut considered: Vec<Considered>) -> Vec<Considered> {
    let rules: Vec<String> = considered.iter().map(|row| row.rule.as_str().into()).collect();
    let is_part_of = |part: &str, whole: &str| {
        let rest = part.strip_prefix(whole);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    // The elements come first in the walk, so the first that fits is the element.
    considered.sort_by_cached_key(|row| rules.iter().position(|rule| is_part_of(row.rule.as_str(), rule)));
    considered
}

/// Whether a denial is for want of an allow rule that matches.
fn asks_for_a_miss(verdict: &Verdict) -> bool {
    match verdict.reason {
        Reason::DefaultDeny
        | Reason::ServerNameNotAllowed
        | Reason::NoHttpRuleMatches
        | Reason::NoDnsRuleMatches
        | Reason::NoKafkaRuleMatches => true,
        Reason::AllowedByRule
        | Reason::NotIsolated
        | Reason::NotDefaultDeny
        | Reason::HostAllowed
        | Reason::EnforcementNever
        | Reason::Audited
        | Reason::DeniedByRule
        | Reason::WrongProtocol
        | Reason::NotAuthenticated
        | Reason::Conflict
        | Reason::UnknownSubject
        | Reason::NoBackend
        | Reason::ContradictingIdentity
        | Reason::NoPolicy => false,
    }
}

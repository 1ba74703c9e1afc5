//! What one side says to a connection, kept for the requests on it.

use alloc::rc::Rc;

use super::resolve::{HttpEntry, Resolved};
use crate::{
    flow::Direction,
    http::HttpFacts,
    verdict::{Decision, Layer, Reason, RuleRef, Verdict},
};

/// The answer of one side to a connection. It holds what its requests need, so it outlives the engine's caches; it
/// speaks for the policy it was made from, so whoever keeps it across a policy change must ask anew.
#[derive(Clone, Debug)]
pub struct Connection {
    direction: Direction,
    resolved: Rc<Resolved>,
}

impl Connection {
    pub(crate) fn new(direction: Direction, resolved: Rc<Resolved>) -> Self {
        Self { direction, resolved }
    }

    /// The verdict on the connection as such, before any request.
    pub fn verdict(&self) -> Verdict {
        match &*self.resolved {
            Resolved::Denied { reason, rule } => self.at_l4(Decision::Deny, *reason, rule.clone()),
            Resolved::Allowed { reason, rule } => self.at_l4(Decision::Allow, *reason, rule.clone()),
            Resolved::Inspected { http, unrestricted } => {
                let first = || http.first().map(|entry| entry.rule().clone());
                let (reason, rule) = unrestricted.clone().unwrap_or_else(|| (Reason::AllowedByRule, first()));
                Verdict {
                    proxied: true,
                    ..self.at_l4(Decision::Allow, reason, rule)
                }
            }
        }
    }

    /// The verdict on a cleartext HTTP request.
    pub fn request(&self, facts: &dyn HttpFacts) -> Verdict {
        match &*self.resolved {
            Resolved::Denied { .. } | Resolved::Allowed { .. } => self.verdict(),
            Resolved::Inspected {
                unrestricted: Some((reason, rule)),
                ..
            } => self.at_l7(Decision::Allow, *reason, rule.clone()),
            Resolved::Inspected {
                http,
                unrestricted: None,
            } => self.inspect(http, facts),
        }
    }

    /// Whether the verdicts on requests depend on them.
    pub fn inspects_http(&self) -> bool {
        matches!(&*self.resolved, Resolved::Inspected { unrestricted: None, .. })
    }

    /// The side that answers.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    fn inspect(&self, http: &[HttpEntry], facts: &dyn HttpFacts) -> Verdict {
        let mut patterns = http.iter().flat_map(HttpEntry::patterns);
        match patterns.find(|pattern| pattern.first_miss(facts).is_none()) {
            Some(pattern) => self.at_l7(Decision::Allow, Reason::AllowedByRule, Some(pattern.rule.clone())),
            None => {
                let rule = http.first().map(|entry| entry.rule().clone());
                self.at_l7(Decision::Deny, Reason::NoHttpRuleMatches, rule)
            }
        }
    }

    fn at_l4(&self, decision: Decision, reason: Reason, rule: Option<RuleRef>) -> Verdict {
        Verdict {
            decision,
            layer: Layer::L4,
            proxied: false,
            direction: Some(self.direction),
            reason,
            rule,
        }
    }

    fn at_l7(&self, decision: Decision, reason: Reason, rule: Option<RuleRef>) -> Verdict {
        Verdict {
            layer: Layer::L7,
            proxied: true,
            ..self.at_l4(decision, reason, rule)
        }
    }
}

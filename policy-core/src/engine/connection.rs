//! What one side says to a connection, kept for what happens on it (semantics §7.2, steps 6 and 7).

use alloc::{rc::Rc, vec::Vec};

use super::{
    compile::L7,
    merge::{Conflict, Entry, Parser},
    resolve::{Grounds, Proxied, Resolved},
};
use crate::{
    bundle::Authentication,
    flow::{Carried, Direction},
    http::{HeaderChange, HttpFacts, HttpPattern, Request},
    kafka::{self, KafkaRequest},
    verdict::{Decision, Layer, Reason, RuleRef, Verdict},
};

/// The answer of one side to a connection. It holds what its requests need, so it outlives the engine's caches; it
/// speaks for the policy it was made from, so whoever keeps it across a policy change must ask anew.
#[derive(Clone, Debug)]
pub struct Connection {
    direction: Direction,
    authenticated: bool,
    resolved: Rc<Resolved>,
}

impl Connection {
    pub(crate) fn new(direction: Direction, authenticated: bool, resolved: Rc<Resolved>) -> Self {
        Self {
            direction,
            authenticated,
            resolved,
        }
    }

    /// The verdict on the connection by peer and port alone.
    pub fn verdict(&self) -> Verdict {
        match &*self.resolved {
            Resolved::Conflict(Conflict { rule, other }) => Verdict {
                conflicts_with: Some(other.clone()),
                ..self.at_l4(Decision::Conflict, Reason::Conflict, Some(rule.clone()))
            },
            Resolved::Denied { reason, rule } => self.at_l4(Decision::Deny, *reason, rule.clone()),
            Resolved::Allowed {
                reason,
                rule,
                authentication,
            } => self.authenticate(*authentication, self.at_l4(Decision::Allow, *reason, rule.clone())),
            Resolved::Proxied(proxied) => {
                let Grounds { reason, rule } = proxied.at_first.clone();
                let verdict = Verdict {
                    proxied: true,
                    ..self.at_l4(Decision::Allow, reason, rule)
                };
                self.authenticate(proxied.authentication, verdict)
            }
        }
    }

    /// Step 6, the connection check: the verdict once it is known whether the client speaks TLS and which server name
    /// it asks for. `None` for no TLS, or TLS without a name.
    pub fn handshake(&self, server_name: Option<&[u8]>) -> Verdict {
        let Resolved::Proxied(proxied) = &*self.resolved else {
            return self.verdict();
        };
        if proxied.parser == Parser::Dns {
            return self.verdict();
        }
        // What allows any name speaks first, so that the answer is the same for hosts that do not read the name then.
        let this_name = || {
            let mut allowing = proxied.entries().filter(|entry| entry.allows_server_name(server_name));
            allowing.next().map(|entry| Grounds::rule(&entry.rule))
        };
        let verdict = match proxied.any_name.clone().or_else(this_name) {
            Some(Grounds { reason, rule }) => self.at_l7(Decision::Allow, reason, rule),
            None => self.at_l7(Decision::Deny, Reason::ServerNameNotAllowed, proxied.first_rule.clone()),
        };
        self.authenticate(proxied.authentication, verdict)
    }

    /// Step 7: the verdict on an HTTP request. Without a server name the request came in the clear, or over TLS
    /// without a name.
    pub fn request(&self, server_name: Option<&[u8]>, facts: &dyn HttpFacts) -> Verdict {
        self.inspect(Parser::Http, server_name, Reason::NoHttpRuleMatches, |proxied| {
            let request = Request::new(facts);
            proxied
                .entries()
                .find_map(|entry| Some(&entry.finder.first(entry.settings.http(), &request)?.rule))
        })
    }

    /// The verdict on a Kafka request. Its topics may be allowed by several rules.
    pub fn message(&self, server_name: Option<&[u8]>, request: &KafkaRequest<'_>) -> Verdict {
        self.inspect(Parser::Kafka, server_name, Reason::NoKafkaRuleMatches, |proxied| {
            let patterns = proxied.entries().flat_map(|entry| match &entry.settings.l7 {
                Some(L7::Kafka(patterns)) => patterns.as_slice(),
                Some(L7::Http(_) | L7::Dns(_)) | None => &[],
            });
            kafka::allowed_by(patterns.map(|pattern| &**pattern), request)
        })
    }

    /// The verdict on a DNS query for a name.
    pub fn query(&self, name: &[u8]) -> Verdict {
        self.inspect(Parser::Dns, None, Reason::NoDnsRuleMatches, |proxied| {
            let mut patterns = proxied.entries().flat_map(|entry| match &entry.settings.l7 {
                Some(L7::Dns(patterns)) => patterns.as_slice(),
                Some(L7::Http(_) | L7::Kafka(_)) | None => &[],
            });
            Some(&patterns.find(|pattern| pattern.name.matches(name))?.rule)
        })
    }

    /// The verdict with all that is known: whether TLS was asked about and with which answer, and what is carried.
    pub fn judge(&self, server_name: Option<Option<&[u8]>>, carried: Option<Carried<'_>>) -> Verdict {
        match (carried, server_name) {
            (None, None) => self.verdict(),
            (None, Some(name)) => self.handshake(name),
            (Some(Carried::Http(facts)), name) => self.request(name.flatten(), facts),
            (Some(Carried::Kafka(request)), name) => self.message(name.flatten(), request),
            (Some(Carried::Dns(name)), _) => self.query(name),
        }
    }

    /// What to change in the headers of an allowed request: what every rule says that matches it.
    pub fn header_changes(&self, facts: &dyn HttpFacts) -> Vec<HeaderChange> {
        let mut changes = Vec::new();
        let mut entries = self.entries_with_changes().peekable();
        if entries.peek().is_some() {
            let request = Request::new(facts);
            entries.for_each(|entry| entry.finder.changes(entry.settings.http(), &request, &mut changes));
        }
        changes
    }

    /// Whether some rule may change the headers of requests.
    pub fn changes_headers(&self) -> bool {
        self.entries_with_changes().next().is_some()
    }

    fn entries_with_changes(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.proxied().into_iter().flat_map(Proxied::entries);
        entries.filter(|entry| entry.changes_headers)
    }

    /// Whether the verdicts on HTTP requests depend on them.
    pub fn inspects_http(&self) -> bool {
        self.proxied()
            .is_some_and(|proxied| proxied.parser == Parser::Http && proxied.everything.is_none())
    }

    /// Whether the verdict depends on the TLS server name that the client asks for.
    pub fn inspects_tls(&self) -> bool {
        self.proxied().is_some_and(|proxied| proxied.any_name.is_none())
    }

    /// The side that answers.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    pub(crate) fn resolved(&self) -> &Resolved {
        &self.resolved
    }

    fn proxied(&self) -> Option<&Proxied> {
        match &*self.resolved {
            Resolved::Proxied(proxied) => Some(proxied),
            Resolved::Conflict(_) | Resolved::Denied { .. } | Resolved::Allowed { .. } => None,
        }
    }

    /// The verdict on a message that `parser` reads: one entry that has no rules on messages, or one rule that
    /// matches, is enough.
    fn inspect<'a>(
        &'a self,
        parser: Parser,
        server_name: Option<&[u8]>,
        nothing_matches: Reason,
        matching: impl FnOnce(&'a Proxied) -> Option<&'a RuleRef>,
    ) -> Verdict {
        let Some(proxied) = self.proxied() else {
            return self.verdict();
        };
        let passes = proxied.any_name.is_some() && self.is_proven(proxied.authentication);
        if !passes || proxied.parser != parser {
            let handshake = self.handshake(server_name);
            if !handshake.allows() || !proxied.parser.reads_messages() {
                return handshake;
            }
        }
        let first_rule = || proxied.first_rule.clone();
        let verdict = if proxied.parser != parser {
            self.at_l7(Decision::Deny, Reason::WrongProtocol, first_rule())
        } else if let Some(Grounds { reason, rule }) = &proxied.everything {
            self.at_l7(Decision::Allow, *reason, rule.clone())
        } else if let Some(rule) = matching(proxied) {
            self.at_l7(Decision::Allow, Reason::AllowedByRule, Some(rule.clone()))
        } else {
            self.at_l7(Decision::Deny, nothing_matches, first_rule())
        };
        // The handshake passed, so the peer has proven what it has to.
        Verdict {
            authentication: proxied.authentication,
            ..verdict
        }
    }

    /// What was allowed is so only to a peer that has proven who it is, if that is asked for.
    fn authenticate(&self, mode: Option<Authentication>, verdict: Verdict) -> Verdict {
        let verdict = Verdict {
            authentication: mode,
            ..verdict
        };
        match self.is_proven(mode) || !verdict.allows() {
            true => verdict,
            false => Verdict {
                decision: Decision::Deny,
                reason: Reason::NotAuthenticated,
                ..verdict
            },
        }
    }

    fn is_proven(&self, mode: Option<Authentication>) -> bool {
        match mode {
            None | Some(Authentication::Disabled) => true,
            Some(Authentication::Required) => self.authenticated,
            Some(Authentication::TestAlwaysFail) => false,
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
            conflicts_with: None,
            authentication: None,
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

pub(crate) fn http_patterns(entry: &Entry) -> impl Iterator<Item = &HttpPattern> {
    entry.settings.http().iter().map(|rule| &**rule)
}

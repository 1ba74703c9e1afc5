//! What one side says to a connection, kept for what happens on it (semantics §7.2, steps 6 and 7).

use alloc::{rc::Rc, vec::Vec};

use super::{
    compile::L7,
    merge::{Conflict, Entry, Parser},
    resolve::{Proxied, Resolved},
};
use crate::{
    bundle::Authentication,
    flow::{Carried, Direction},
    http::{HeaderChange, HttpFacts, HttpPattern},
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
                let (reason, rule) = unrestricted(proxied, |entry| entry.settings.server_names.is_empty())
                    .unwrap_or_else(|| (Reason::AllowedByRule, first_rule(proxied)));
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
        let any_name = proxied.entries().find(|entry| entry.settings.server_names.is_empty());
        let this_name = || proxied.entries().find(|entry| entry.allows_server_name(server_name));
        let allowing = any_name.or_else(|| proxied.implied.is_none().then(this_name)?);
        let verdict = match (allowing, proxied.implied) {
            (Some(entry), _) => self.at_l7(Decision::Allow, Reason::AllowedByRule, Some(entry.rule.clone())),
            (None, Some(reason)) => self.at_l7(Decision::Allow, reason, None),
            (None, None) => self.at_l7(Decision::Deny, Reason::ServerNameNotAllowed, first_rule(proxied)),
        };
        self.authenticate(proxied.authentication, verdict)
    }

    /// Step 7: the verdict on an HTTP request. Without a server name the request came in the clear, or over TLS
    /// without a name.
    pub fn request(&self, server_name: Option<&[u8]>, facts: &dyn HttpFacts) -> Verdict {
        self.inspect(Parser::Http, server_name, Reason::NoHttpRuleMatches, |entry| {
            http_patterns(entry)
                .find(|pattern| pattern.first_miss(facts).is_none())
                .map(|pattern| pattern.rule.clone())
        })
    }

    /// The verdict on a Kafka request. Its topics may be allowed by several rules.
    pub fn message(&self, server_name: Option<&[u8]>, request: &KafkaRequest<'_>) -> Verdict {
        let entries = match &*self.resolved {
            Resolved::Proxied(proxied) => proxied.entries().collect(),
            Resolved::Conflict(_) | Resolved::Denied { .. } | Resolved::Allowed { .. } => Vec::new(),
        };
        let patterns = entries.iter().flat_map(|entry| match &entry.settings.l7 {
            Some(L7::Kafka(patterns)) => patterns.as_slice(),
            Some(L7::Http(_) | L7::Dns(_)) | None => &[],
        });
        let allowing = kafka::allowed_by(patterns.map(|pattern| &**pattern), request).cloned();
        self.inspect(Parser::Kafka, server_name, Reason::NoKafkaRuleMatches, |_| {
            allowing.clone()
        })
    }

    /// The verdict on a DNS query for a name.
    pub fn query(&self, name: &[u8]) -> Verdict {
        self.inspect(Parser::Dns, None, Reason::NoDnsRuleMatches, |entry| {
            let Some(L7::Dns(patterns)) = &entry.settings.l7 else {
                return None;
            };
            let mut matching = patterns.iter().filter(|pattern| pattern.name.matches(name));
            matching.next().map(|pattern| pattern.rule.clone())
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
        if let Resolved::Proxied(proxied) = &*self.resolved {
            let patterns = proxied.entries().flat_map(http_patterns);
            for pattern in patterns.filter(|pattern| pattern.has_actions() && pattern.first_miss(facts).is_none()) {
                pattern.changes(facts, &mut changes);
            }
        }
        changes
    }

    /// Whether some rule may change the headers of requests.
    pub fn changes_headers(&self) -> bool {
        match &*self.resolved {
            Resolved::Proxied(proxied) => proxied.entries().flat_map(http_patterns).any(HttpPattern::has_actions),
            Resolved::Conflict(_) | Resolved::Denied { .. } | Resolved::Allowed { .. } => false,
        }
    }

    /// Whether the verdicts on HTTP requests depend on them.
    pub fn inspects_http(&self) -> bool {
        match &*self.resolved {
            Resolved::Proxied(proxied) => proxied.parser == Parser::Http && unrestricted(proxied, |_| true).is_none(),
            Resolved::Conflict(_) | Resolved::Denied { .. } | Resolved::Allowed { .. } => false,
        }
    }

    /// Whether the verdict depends on the TLS server name that the client asks for.
    pub fn inspects_tls(&self) -> bool {
        match &*self.resolved {
            Resolved::Proxied(proxied) => {
                proxied.implied.is_none() && !proxied.entries().any(|entry| entry.settings.server_names.is_empty())
            }
            Resolved::Conflict(_) | Resolved::Denied { .. } | Resolved::Allowed { .. } => false,
        }
    }

    /// The side that answers.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    pub(crate) fn resolved(&self) -> &Resolved {
        &self.resolved
    }

    /// The verdict on a message that `parser` reads: one entry that has no rules on messages, or one rule that
    /// matches, is enough.
    fn inspect(
        &self,
        parser: Parser,
        server_name: Option<&[u8]>,
        nothing_matches: Reason,
        matching: impl Fn(&Entry) -> Option<RuleRef>,
    ) -> Verdict {
        let Resolved::Proxied(proxied) = &*self.resolved else {
            return self.verdict();
        };
        let handshake = self.handshake(server_name);
        if !handshake.allows() {
            return handshake;
        }
        let verdict = match proxied.parser {
            // Whatever is carried, nobody reads it.
            Parser::None | Parser::Tls | Parser::Listener => handshake,
            other if other != parser => self.at_l7(Decision::Deny, Reason::WrongProtocol, first_rule(proxied)),
            _ => match unrestricted(proxied, |_| true) {
                Some((reason, rule)) => self.at_l7(Decision::Allow, reason, rule),
                None => match proxied.entries().find_map(matching) {
                    Some(rule) => self.at_l7(Decision::Allow, Reason::AllowedByRule, Some(rule)),
                    None => self.at_l7(Decision::Deny, nothing_matches, first_rule(proxied)),
                },
            },
        };
        self.authenticate(proxied.authentication, verdict)
    }

    /// What was allowed is so only to a peer that has proven who it is, if that is asked for.
    fn authenticate(&self, mode: Option<Authentication>, verdict: Verdict) -> Verdict {
        let satisfied = match mode {
            None | Some(Authentication::Disabled) => true,
            Some(Authentication::Required) => self.authenticated,
            Some(Authentication::TestAlwaysFail) => false,
        };
        let verdict = Verdict {
            authentication: mode,
            ..verdict
        };
        match satisfied || !verdict.allows() {
            true => verdict,
            false => Verdict {
                decision: Decision::Deny,
                reason: Reason::NotAuthenticated,
                ..verdict
            },
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

/// What allows everything on the connection, if anything does.
fn unrestricted(proxied: &Proxied, counts: impl Fn(&Entry) -> bool) -> Option<(Reason, Option<RuleRef>)> {
    let mut plain = proxied
        .entries()
        .filter(|entry| counts(entry))
        .filter_map(|entry| entry.allows_everything(proxied.parser));
    let by_rule = plain.next().map(|rule| (Reason::AllowedByRule, Some(rule.clone())));
    by_rule.or(proxied.implied.map(|reason| (reason, None)))
}

/// The first entry that wants to look into the connection.
fn first_rule(proxied: &Proxied) -> Option<RuleRef> {
    let mut looking = proxied
        .entries()
        .filter(|entry| entry.settings.parser() != Parser::None);
    looking.next().map(|entry| entry.rule.clone())
}

pub(crate) fn http_patterns(entry: &Entry) -> impl Iterator<Item = &HttpPattern> {
    let patterns = match &entry.settings.l7 {
        Some(L7::Http(patterns)) => patterns.as_slice(),
        Some(L7::Dns(_) | L7::Kafka(_)) | None => &[],
    };
    patterns.iter().map(|pattern| &**pattern)
}

//! The rules of a subject, each with the first of its conditions that fails.

use super::nearest::closest;
use crate::{
    bundle::PortPattern,
    engine::{
        Connection,
        compile::{Action, CompiledElement, L7, PeerMatcher, PortSet},
        connection::http_patterns,
        merge::Entry,
        resolve::{Resolved, Side},
    },
    flow::Carried,
    fqdn::FqdnPattern,
    http::{HttpFacts, HttpMiss},
    kafka::{KafkaMiss, KafkaRequest},
    sni::SniPattern,
    verdict::{Reason, RuleRef, Verdict},
};

/// One question, and what the engine makes of it.
pub(super) struct Walk<'a, 'f> {
    pub(super) side: &'a Side<'a, 'f>,
    pub(super) connection: &'a Connection,
    pub(super) verdict: Verdict,
    /// Whether the question goes beyond addresses.
    pub(super) asks_inside: bool,
    pub(super) server_name: Option<&'a [u8]>,
    pub(super) carried: Option<Carried<'a>>,
}

/// A rule on its way past the observer.
pub(super) struct Seen<'a> {
    pub(super) rule: &'a RuleRef,
    pub(super) denies: bool,
    /// The first condition that fails; `None` if the rule matches.
    pub(super) miss: Option<Miss<'a>>,
}

/// A condition that fails, borrowed from the rule.
pub(super) enum Miss<'a> {
    /// The rule is for no peer at all.
    NoPeer,
    /// It is for other peers. This of its patterns comes closest.
    Peer {
        matcher: &'a PeerMatcher,
        element: &'a CompiledElement,
    },
    /// It is for no port at all.
    NoPort,
    Port(&'a PortSet),
    ServerName(&'a [SniPattern]),
    Http {
        miss: HttpMiss<'a>,
        /// How many conditions of the request held.
        met: usize,
        facts: &'a dyn HttpFacts,
    },
    Kafka {
        miss: KafkaMiss<'a>,
        request: &'a KafkaRequest<'a>,
    },
    Query {
        name: &'a [u8],
        pattern: &'a FqdnPattern,
    },
}

impl<'a> Walk<'a, '_> {
    /// Shows every rule to an observer: all elements, then what those for this peer and port ask of the connection.
    pub(super) fn rules(&self, observe: &mut dyn FnMut(Seen<'a>)) {
        for element in &self.side.table.elements {
            observe(Seen {
                rule: &element.rule,
                denies: element.action == Action::Deny,
                miss: self.element_misses(element),
            });
        }
        let connection: &'a Connection = self.connection;
        if let Resolved::Proxied(proxied) = connection.resolved()
            && self.asks_inside
        {
            proxied.entries().for_each(|entry| self.inside(entry, observe));
        }
    }

    fn element_misses(&self, element: &'a CompiledElement) -> Option<Miss<'a>> {
        if !self.side.peer(&element.peers).satisfies(element.action) {
            let matcher = closest(self.side, &element.peers).map(|closest| closest.matcher);
            return Some(matcher.map_or(Miss::NoPeer, |matcher| Miss::Peer { matcher, element }));
        }
        (!self.side.ports(element)).then(|| match names_a_port(&element.ports) {
            true => Miss::Port(&element.ports),
            false => Miss::NoPort,
        })
    }

    /// What an entry for this peer and port has against what the connection shows.
    fn inside(&self, entry: &'a Entry, observe: &mut dyn FnMut(Seen<'a>)) {
        let mut see = |rule, miss| {
            observe(Seen {
                rule,
                denies: false,
                miss,
            });
        };
        let names = &entry.settings.server_names;
        if !names.is_empty() {
            let misses = !entry.allows_server_name(self.server_name);
            see(&entry.rule, misses.then_some(Miss::ServerName(names)));
        }
        if self.verdict.reason == Reason::ServerNameNotAllowed {
            // Nobody looks at messages of a connection that ends here.
            return;
        }
        match (self.carried, &entry.settings.l7) {
            (Some(Carried::Http(facts)), Some(L7::Http(_))) => {
                for pattern in http_patterns(entry) {
                    let miss = pattern.first_miss(facts);
                    see(&pattern.rule, miss.map(|(miss, met)| Miss::Http { miss, met, facts }));
                }
            }
            (Some(Carried::Kafka(request)), Some(L7::Kafka(patterns))) => {
                for pattern in patterns {
                    let miss = pattern.first_miss(request);
                    see(&pattern.rule, miss.map(|miss| Miss::Kafka { miss, request }));
                }
            }
            (Some(Carried::Dns(name)), Some(L7::Dns(patterns))) => {
                for rule in patterns {
                    let pattern = &rule.name;
                    let misses = !pattern.matches(name);
                    see(&rule.rule, misses.then_some(Miss::Query { name, pattern }));
                }
            }
            (Some(_) | None, _) => {}
        }
    }
}

/// The port patterns of an element, all lists together; none if it is for every port.
pub(super) fn port_patterns(ports: &PortSet) -> impl Iterator<Item = &PortPattern> {
    let lists = match ports {
        PortSet::All => &[],
        PortSet::OneOf(lists) => lists.as_slice(),
    };
    lists.iter().flat_map(|list| &list.patterns)
}

fn names_a_port(ports: &PortSet) -> bool {
    port_patterns(ports).next().is_some()
}

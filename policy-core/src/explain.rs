//! Explanations: the walk of the engine once more, with an observer that remembers what nearly matched.

mod words;

use alloc::{string::String, vec::Vec};
use core::{cmp::Reverse, fmt};

use crate::{
    bundle::{PortPattern, ReservedEntity},
    engine::{
        Connection, Engine, IdentityId, IdentityKind, View,
        compile::{Action, CompiledElement, L7, PeerMatcher, PeerSet, PortSet},
        connection::http_patterns,
        matching::Match,
        merge::Entry,
        resolve::{Resolved, Side},
    },
    flow::{Carried, Flow, Peer},
    labels::{Label, Source},
    verdict::{Reason, RuleRef, Verdict},
};

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

/// A condition that failed, in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Missed {
    /// The rule is for other peers.
    Peer(String),
    /// The rule is for other protocols or ports.
    Port(String),
    /// The rule is for other TLS server names.
    ServerName(String),
    /// The rule is for other requests, queries or messages.
    Request(String),
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Peer(words) | Self::Port(words) | Self::ServerName(words) | Self::Request(words)) = self;
        f.write_str(words)
    }
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
        let table = self.table_as(view, flow.subject);
        let side = Side {
            engine: self,
            table: table.side(flow.direction),
            flow,
        };
        let connection = Connection::new(flow.direction, flow.authenticated, side.resolve().into());
        let verdict = connection.judge(server_name, carried);
        let nearest = asks_for_a_miss(&verdict).then(|| {
            let mut nearest = Nearest {
                side: &side,
                best: None,
            };
            nearest.look_at_elements();
            if let Resolved::Proxied(proxied) = connection.resolved() {
                proxied
                    .entries()
                    .for_each(|entry| nearest.look_inside(entry, server_name.flatten(), carried));
            }
            nearest.best.map(|(_, miss)| miss)
        });
        Explanation {
            nearest: nearest.flatten(),
            isolated_by: side.table.isolated_by.clone(),
            verdict,
        }
    }
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

/// Keeps the miss that came closest; the first of several.
struct Nearest<'a, 'f> {
    side: &'a Side<'a, 'f>,
    best: Option<(Rank, NearMiss)>,
}

/// How far a rule got: a rule is checked for its peers, then its ports, then its requests. Greater is closer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It is for other peers.
    Peer {
        closeness: Reverse<Distance>,
        port_matches: bool,
        /// Of several equally close, the one that shares more with the peer.
        met: usize,
    },
    /// It is for this peer, and for other ports.
    Port { protocol_matches: bool },
    /// It is for this peer and port, and for other TLS server names.
    ServerName,
    /// It is for this peer and port, and for other requests.
    Request {
        /// How many conditions of the request held.
        met: usize,
    },
}

impl Nearest<'_, '_> {
    fn offer(&mut self, rank: Rank, rule: &RuleRef, missed: impl FnOnce() -> Missed) {
        if self.best.as_ref().is_none_or(|(best, _)| rank > *best) {
            self.best = Some((
                rank,
                NearMiss {
                    rule: rule.clone(),
                    missed: missed(),
                },
            ));
        }
    }

    /// Allow rules that are for other peers or other ports.
    fn look_at_elements(&mut self) {
        let side = self.side;
        let elements = side.table.elements.iter();
        for element in elements.filter(|element| element.action == Action::Allow) {
            let peer_matches = side.peer(&element.peers) == Match::Yes;
            let port_matches = side.ports(element);
            if !(peer_matches && port_matches) {
                self.missed(element, peer_matches, port_matches);
            }
        }
    }

    /// What an entry for this peer and port has against what the connection carries.
    fn look_inside(&mut self, entry: &Entry, server_name: Option<&[u8]>, carried: Option<Carried<'_>>) {
        if !entry.allows_server_name(server_name) {
            let patterns = &entry.settings.server_names;
            self.offer(Rank::ServerName, &entry.rule, || {
                Missed::ServerName(words::server_name(server_name, patterns))
            });
        }
        match (carried, &entry.settings.l7) {
            (Some(Carried::Http(facts)), Some(L7::Http(_))) => {
                for pattern in http_patterns(entry) {
                    if let Some((miss, met)) = pattern.first_miss(facts) {
                        let words = || Missed::Request(words::http(miss, facts));
                        self.offer(Rank::Request { met }, &pattern.rule, words);
                    }
                }
            }
            (Some(Carried::Kafka(request)), Some(L7::Kafka(patterns))) => {
                for pattern in patterns {
                    if let Some(miss) = pattern.first_miss(request) {
                        let words = || Missed::Request(words::message(miss, request));
                        self.offer(Rank::Request { met: 0 }, &pattern.rule, words);
                    }
                }
            }
            (Some(Carried::Dns(name)), Some(L7::Dns(patterns))) => {
                for pattern in patterns.iter().filter(|pattern| !pattern.name.matches(name)) {
                    let words = || Missed::Request(words::query(name, &pattern.name));
                    self.offer(Rank::Request { met: 0 }, &pattern.rule, words);
                }
            }
            (Some(_) | None, _) => {}
        }
    }

    fn missed(&mut self, element: &CompiledElement, peer_matches: bool, port_matches: bool) {
        let side = self.side;
        if peer_matches {
            let protocol_matches = names_protocol(side, &element.ports);
            self.offer(Rank::Port { protocol_matches }, &element.rule, || {
                Missed::Port(words::port(side, &element.ports))
            });
        } else {
            let closest = closest(side, &element.peers);
            let (distance, met) = closest.map_or((Distance::Elsewhere, 0), |(_, distance, met)| (distance, met));
            let rank = Rank::Peer {
                closeness: Reverse(distance),
                port_matches,
                met,
            };
            self.offer(rank, &element.rule, || {
                Missed::Peer(closest.map_or_else(words::nobody, |(matcher, ..)| words::peer(side, matcher)))
            });
        }
    }
}

fn names_protocol(side: &Side<'_, '_>, ports: &PortSet) -> bool {
    let PortSet::OneOf(rules) = ports else { return true };
    let mut patterns = rules.iter().flat_map(|rule| &rule.patterns);
    patterns.any(|pattern| matches!(pattern, PortPattern::Port { protocol, .. } if *protocol == side.flow.protocol))
}

/// How much would have to change for a peer to match.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    /// This many conditions on a peer of this kind.
    Conditions(usize),
    /// It would have to be one of those that have a name of their own, like the host.
    Entity,
    /// It would have to be in the cluster instead of outside, or the other way round.
    Elsewhere,
}

/// The matcher that came closest, how far away it is and how many of its conditions hold. None if there is none.
fn closest<'p>(side: &Side<'_, '_>, peers: &'p PeerSet) -> Option<(&'p PeerMatcher, Distance, usize)> {
    let PeerSet::OneOf(matchers) = peers else { return None };
    let measured = matchers.iter().map(|matcher| {
        let (distance, met) = distance(side, matcher);
        (matcher, distance, met)
    });
    measured.min_by_key(|(_, distance, met)| (*distance, Reverse(*met)))
}

fn distance(side: &Side<'_, '_>, matcher: &PeerMatcher) -> (Distance, usize) {
    let selected = |index| Some((side.engine.selector(index)?, side.engine.labels(workload(side)?)));
    let distance = match matcher {
        PeerMatcher::Selector(index) => {
            let Some((selector, labels)) = selected(*index) else {
                return (Distance::Elsewhere, 0);
            };
            let all = selector.requirements();
            let met = all.iter().filter(|requirement| requirement.matches(labels)).count();
            return (Distance::Conditions(all.len().saturating_sub(met)), met);
        }
        PeerMatcher::Cidr { .. } | PeerMatcher::External { .. } | PeerMatcher::Fqdn(_) if !is_in_cluster(side) => {
            Distance::Conditions(1)
        }
        PeerMatcher::Address { .. } => Distance::Conditions(1),
        PeerMatcher::Entity(entity) if is_world(*entity) != is_in_cluster(side) => Distance::Entity,
        PeerMatcher::Cidr { .. } | PeerMatcher::External { .. } | PeerMatcher::Fqdn(_) | PeerMatcher::Entity(_) => {
            Distance::Elsewhere
        }
    };
    (distance, 0)
}

fn is_world(entity: ReservedEntity) -> bool {
    matches!(
        entity,
        ReservedEntity::World | ReservedEntity::WorldIpv4 | ReservedEntity::WorldIpv6
    )
}

fn is_in_cluster(side: &Side<'_, '_>) -> bool {
    matches!(side.flow.peer, Peer::Identity(id) if matches!(side.engine.identities().kind(id), IdentityKind::InCluster { .. }))
}

/// The peer, if it is known by labels that somebody gave it: neither outside the cluster nor a part of it.
fn workload(side: &Side<'_, '_>) -> Option<IdentityId> {
    let Peer::Identity(id) = side.flow.peer else {
        return None;
    };
    let is_reserved = |label: &Label| label.source().as_str() == Source::RESERVED;
    let has_name = side.engine.labels(id).iter().any(is_reserved);
    (is_in_cluster(side) && !has_name).then_some(id)
}

//! Which rule came closest.

use core::cmp::Reverse;

use super::{
    NearMiss,
    walk::{Miss, Seen, Walk, port_patterns},
};
use crate::{
    bundle::{PortPattern, ReservedEntity},
    engine::{
        IdentityId, IdentityKind,
        compile::{PeerMatcher, PeerSet, PortSet},
        resolve::Side,
    },
    flow::Peer,
    http::HttpMiss,
    kafka::KafkaMiss,
    labels::{Label, Source},
    verdict::RuleRef,
};

/// Keeps the miss that came closest; the first of several.
#[derive(Default)]
pub(super) struct Nearest<'a> {
    best: Option<(Rank, &'a RuleRef, Miss<'a>)>,
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

impl<'a> Nearest<'a> {
    /// Looks at a rule. Only an allow rule that does not match can be a near miss.
    pub(super) fn see(&mut self, side: &Side<'_, '_>, seen: Seen<'a>) {
        let Some(miss) = seen.miss.filter(|_| !seen.denies) else {
            return;
        };
        let rank = rank(side, &miss);
        if self.best.as_ref().is_none_or(|(best, ..)| rank > *best) {
            self.best = Some((rank, seen.rule, miss));
        }
    }

    /// What came closest, if there was any allow rule.
    pub(super) fn found(self, walk: &Walk<'_, '_>) -> Option<NearMiss> {
        self.best.map(|(_, rule, miss)| NearMiss {
            rule: rule.clone(),
            missed: walk.missed(&miss),
        })
    }
}

fn rank(side: &Side<'_, '_>, miss: &Miss<'_>) -> Rank {
    match miss {
        Miss::NoPeer => Rank::Peer {
            closeness: Reverse(Distance::Elsewhere),
            port_matches: false,
            met: 0,
        },
        Miss::Peer { matcher, element } => {
            let (distance, met) = distance(side, matcher);
            Rank::Peer {
                closeness: Reverse(distance),
                port_matches: side.ports(element),
                met,
            }
        }
        Miss::NoPort => Rank::Port {
            protocol_matches: false,
        },
        Miss::Port(ports) => Rank::Port {
            protocol_matches: names_protocol(side, ports),
        },
        Miss::ServerName(_) => Rank::ServerName,
        Miss::Http { met, miss, .. } => match miss {
            // Nobody can change a request so that such a rule matches.
            HttpMiss::HeaderUnobtainable(_) => Rank::Request { met: 0 },
            _ => Rank::Request { met: *met },
        },
        Miss::Kafka { miss, .. } => Rank::Request {
            met: match miss {
                KafkaMiss::ApiKey(_) => 0,
                KafkaMiss::ApiVersion(_) => 1,
                KafkaMiss::ClientId(_) => 2,
                KafkaMiss::Topic(_) => 3,
            },
        },
        Miss::Query { .. } => Rank::Request { met: 0 },
    }
}

fn names_protocol(side: &Side<'_, '_>, ports: &PortSet) -> bool {
    let of_protocol = |pattern: &PortPattern| matches!(pattern, PortPattern::Port { protocol, .. } if *protocol == side.flow.protocol);
    port_patterns(ports).any(of_protocol)
}

/// How much would have to change for a peer to match.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Distance {
    /// This many conditions on a peer of this kind.
    Conditions(usize),
    /// It would have to be one of those that have a name of their own, like the host.
    Entity,
    /// It would have to be in the cluster instead of outside, or the other way round.
    Elsewhere,
}

/// The matcher of a peer set that came closest.
pub(super) struct Closest<'p> {
    pub(super) matcher: &'p PeerMatcher,
    distance: Distance,
    /// How many of its conditions hold.
    met: usize,
}

/// The matcher that came closest; the first of several. `None` if there is none.
pub(super) fn closest<'p>(side: &Side<'_, '_>, peers: &'p PeerSet) -> Option<Closest<'p>> {
    let PeerSet::OneOf(matchers) = peers else { return None };
    let measured = matchers.iter().map(|matcher| {
        let (distance, met) = distance(side, matcher);
        Closest { matcher, distance, met }
    });
    measured.min_by_key(|closest| (closest.distance, Reverse(closest.met)))
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
        PeerMatcher::Entity(ReservedEntity::None) => Distance::Elsewhere,
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
pub(super) fn workload(side: &Side<'_, '_>) -> Option<IdentityId> {
    let Peer::Identity(id) = side.flow.peer else {
        return None;
    };
    let is_reserved = |label: &Label| label.source().as_str() == Source::RESERVED;
    let has_name = side.engine.labels(id).iter().any(is_reserved);
    (is_in_cluster(side) && !has_name).then_some(id)
}

//! From a condition that the walk saw fail to what is told about it.

use alloc::{boxed::Box, string::String, string::ToString, vec::Vec};

use ipnet::IpNet;

use super::{
    Found, Missed, MissedLabel, PortOwner,
    nearest::workload,
    walk::{Miss, Walk, port_patterns},
};
use crate::{
    bundle::{NamedPort, PortNumbers, PortPattern, ReservedEntity},
    engine::{
        IdentityKind,
        compile::{PeerMatcher, PortSet},
        resolve::Side,
    },
    flow::{Direction, Flow, Peer},
    http::{HeaderCondition, HttpFacts, HttpMiss},
    kafka::{KafkaMiss, KafkaRequest},
    labels::{Label, Labels},
    selector::{Requirement, Selector},
};

impl Walk<'_, '_> {
    /// The condition, for those who were not there.
    pub(super) fn missed(&self, miss: &Miss<'_>) -> Missed {
        match miss {
            Miss::NoPeer => Missed::NoPeer,
            Miss::Peer { matcher, .. } => peer(self.side, matcher),
            Miss::NoPort => Missed::NoPort,
            Miss::Port(ports) => port(self.side, ports),
            Miss::ServerName(patterns) => Missed::ServerName {
                wanted: patterns.iter().map(|pattern| pattern.to_string().into()).collect(),
                found: self.server_name.map(text),
            },
            Miss::Http { miss, facts, .. } => http(*miss, *facts),
            Miss::Kafka { miss, request } => kafka(*miss, request),
            Miss::Query { name, pattern } => Missed::Query {
                wanted: pattern.to_string().into(),
                found: text(name),
            },
        }
    }
}

fn text(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

fn peer(side: &Side<'_, '_>, matcher: &PeerMatcher) -> Missed {
    let found = found(side);
    let selector = |index| side.engine.selector(index).cloned().unwrap_or_default();
    match matcher {
        PeerMatcher::Selector(index) => match workload(side) {
            Some(id) => Missed::Labels {
                labels: unmet(side.engine.labels(id), &selector(*index)),
            },
            None => Missed::Endpoints {
                wanted: selector(*index),
                found,
            },
        },
        PeerMatcher::Entity(ReservedEntity::None) => Missed::NoPeer,
        PeerMatcher::Entity(entity) => Missed::Entity { wanted: *entity, found },
        PeerMatcher::Cidr { prefix, except } => Missed::Cidr {
            wanted: *prefix,
            except: except.clone(),
            within: within(side, except),
            found,
        },
        PeerMatcher::Address { prefix, except } => Missed::Address {
            wanted: *prefix,
            except: except.clone(),
            within: within(side, except),
            found,
        },
        PeerMatcher::External {
            selector: index,
            except,
        } => Missed::CidrGroup {
            wanted: selector(*index),
            except: except.clone(),
            within: within(side, except),
            found,
        },
        PeerMatcher::Fqdn(pattern) => Missed::Name {
            wanted: pattern.to_string().into(),
            found,
        },
    }
}

/// The exception that holds the addresses of the peer.
fn within(side: &Side<'_, '_>, except: &[IpNet]) -> Option<IpNet> {
    let Peer::Identity(id) = side.flow.peer else {
        return None;
    };
    let (IdentityKind::InCluster { prefix } | IdentityKind::External { prefix, .. }) =
        side.engine.identities().kind(id);
    let known = (*prefix)?;
    except.iter().find(|prefix| prefix.contains(&known)).copied()
}

fn found(side: &Side<'_, '_>) -> Found {
    match side.flow.peer {
        Peer::Name(name) => Found::Name { name: text(name) },
        Peer::Unknown => Found::Unknown,
        Peer::Identity(id) => match side.engine.identities().kind(id) {
            IdentityKind::InCluster { .. } if workload(side).is_some() => Found::Workload,
            IdentityKind::InCluster { .. } => Found::Reserved {
                labels: side.engine.labels(id).clone(),
            },
            IdentityKind::External { names, .. } => Found::Outside { names: names.clone() },
        },
    }
}

fn unmet(labels: &Labels, selector: &Selector) -> Vec<MissedLabel> {
    let all = selector.requirements().iter();
    let missed = |requirement: &Requirement| {
        let found: Vec<Label> = labels.with_key(requirement.key().key()).cloned().collect();
        MissedLabel {
            wanted: requirement.clone(),
            found: Labels::new(found),
        }
    };
    all.filter(|requirement| !requirement.matches(labels))
        .map(missed)
        .collect()
}

fn port(side: &Side<'_, '_>, ports: &PortSet) -> Missed {
    let Flow { protocol, port, .. } = *side.flow;
    let wanted: Vec<PortPattern> = port_patterns(ports).cloned().collect();
    let owner = match (side.flow.direction, side.flow.peer) {
        (Direction::Ingress, _) => PortOwner::Subject,
        (Direction::Egress, Peer::Identity(_)) => PortOwner::Peer,
        (Direction::Egress, Peer::Name(_) | Peer::Unknown) => PortOwner::Unknown,
    };
    let named = wanted.iter().filter_map(|pattern| match pattern {
        PortPattern::Port {
            numbers: PortNumbers::Named { name, .. },
            ..
        } => Some(name),
        PortPattern::Port { .. } | PortPattern::Icmp { .. } => None,
    });
    let named = named.flat_map(|name| {
        side.ports_named(name, None).map(move |(port, _)| NamedPort {
            name: name.clone(),
            protocol,
            port,
        })
    });
    let named = named.collect();
    Missed::Port {
        wanted,
        protocol,
        port,
        owner,
        named,
    }
}

fn http(miss: HttpMiss<'_>, facts: &dyn HttpFacts) -> Missed {
    let header = |HeaderCondition { header, secret }: &HeaderCondition, missing| Missed::Header {
        name: header.name.clone(),
        wanted: header.value.clone().filter(|_| !secret),
        secret: *secret,
        missing,
    };
    match miss {
        HttpMiss::Method(pattern) => Missed::Method {
            wanted: pattern.source().into(),
            found: facts.method().map(text),
        },
        HttpMiss::Path(pattern) => Missed::Path {
            wanted: pattern.source().into(),
            found: facts.path().map(text),
        },
        HttpMiss::Host(pattern) => Missed::Host {
            wanted: pattern.source().into(),
            found: facts.authority().map(text),
        },
        HttpMiss::HeaderMissing(condition) => header(condition, true),
        HttpMiss::HeaderDiffers(condition) => header(condition, false),
        HttpMiss::HeaderUnobtainable(name) => Missed::Secret { name: name.into() },
    }
}

fn kafka(miss: KafkaMiss<'_>, request: &KafkaRequest<'_>) -> Missed {
    match miss {
        KafkaMiss::ApiKey(wanted) => Missed::ApiKey {
            wanted: wanted.to_vec(),
            found: request.api_key,
        },
        KafkaMiss::ApiVersion(wanted) => Missed::ApiVersion {
            wanted,
            found: request.api_version,
        },
        KafkaMiss::ClientId(wanted) => Missed::ClientId {
            wanted: wanted.into(),
            found: text(request.client_id),
        },
        KafkaMiss::Topic(wanted) => Missed::Topic {
            wanted: wanted.into(),
            found: request.topics.iter().map(|topic| text(topic)).collect(),
        },
    }
}

//! What a near miss missed, in words.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{is_in_cluster, workload};
use ipnet::IpNet;

use crate::{
    bundle::{PortNumbers, PortPattern},
    engine::{
        CLUSTER_KEY, IdentityKind,
        compile::{CompiledPorts, PeerMatcher, PortSet},
        matching::Match,
        resolve::Side,
    },
    flow::{Direction, Flow, IcmpFamily, Peer},
    fqdn::FqdnPattern,
    http::{HeaderCondition, HttpFacts, HttpMiss},
    kafka::{self, KafkaMiss, KafkaRequest},
    labels::Labels,
    selector::{Requirement, Selector},
    sni::SniPattern,
};

/// For a rule without any peer.
pub(super) fn nobody() -> String {
    "the rule is for no peer at all".into()
}

/// For a matcher that does not match the peer.
pub(super) fn peer(side: &Side<'_, '_>, matcher: &PeerMatcher) -> String {
    let peer = peer_name(side);
    match matcher {
        PeerMatcher::Selector(index) => match (workload(side), side.engine.selector(*index)) {
            (Some(id), Some(selector)) => unmet(side.engine.labels(id), selector),
            (None, Some(selector)) => format!("{peer}, the rule is for {}", endpoints(selector)),
            (_, None) => peer,
        },
        PeerMatcher::Entity(entity) => format!("{peer}, the rule is for the entity {}", entity.as_str()),
        PeerMatcher::Cidr { prefix, except } => {
            let addresses = format!("{prefix}{}", but(except));
            match is_in_cluster(side) {
                true => format!("{peer}, the rule is for addresses outside, in {addresses}"),
                false => format!("{peer}, and not in {addresses}"),
            }
        }
        PeerMatcher::Address { prefix, except } => format!("{peer}, and not in {prefix}{}", but(except)),
        PeerMatcher::External { selector, except } => {
            let wanted = side.engine.selector(*selector).map(ToString::to_string);
            let addresses = format!("with {}{}", wanted.unwrap_or_default(), but(except));
            format!("{peer}, the rule is for addresses outside, {addresses}")
        }
        PeerMatcher::Fqdn(pattern) => match side.flow.peer {
            Peer::Name(_) => format!("{peer}, which does not match {pattern}"),
            _ if is_in_cluster(side) => format!("{peer}, the rule is for {pattern}, outside"),
            _ => format!("{peer}, and no known DNS answer gives it for {pattern}"),
        },
    }
}

fn but(except: &[IpNet]) -> String {
    let except: Vec<String> = except.iter().map(ToString::to_string).collect();
    let but = if except.is_empty() { "" } else { " except " };
    format!("{but}{}", except.join(", "))
}

/// Every requirement that does not hold, and what the peer has instead.
fn unmet(labels: &Labels, selector: &Selector) -> String {
    let words = |requirement: &Requirement| {
        let key = requirement.key().key();
        let found: Vec<String> = labels.with_key(key).map(ToString::to_string).collect();
        match found.is_empty() {
            true => format!("the peer has no label {key}, wanted {requirement}"),
            false => format!("the peer has {}, wanted {requirement}", found.join(" and ")),
        }
    };
    let all = selector.requirements().iter();
    let unmet: Vec<String> = all
        .filter(|requirement| !requirement.matches(labels))
        .map(words)
        .collect();
    unmet.join("; ")
}

/// Whom a selector is for. That they are in the cluster goes without saying.
fn endpoints(selector: &Selector) -> String {
    let all = selector.requirements().iter();
    let said: Vec<String> = all
        .filter(|requirement| requirement.key().key() != CLUSTER_KEY)
        .map(ToString::to_string)
        .collect();
    match said.is_empty() {
        true => "endpoints of the cluster".into(),
        false => format!("endpoints with {}", said.join(", ")),
    }
}

fn peer_name(side: &Side<'_, '_>) -> String {
    match side.flow.peer {
        Peer::Name(name) => format!("the peer is {}", String::from_utf8_lossy(name)),
        Peer::Unknown => "the peer is not known".into(),
        Peer::Identity(id) => match side.engine.identities().kind(id) {
            IdentityKind::InCluster { .. } if workload(side).is_some() => "the peer is in the cluster".into(),
            IdentityKind::InCluster { .. } => format!("the peer is {}", side.engine.labels(id)),
            IdentityKind::External { names, .. } if names.is_empty() => "the peer is outside the cluster".into(),
            IdentityKind::External { names, .. } => {
                let names: Vec<&str> = names.iter().map(|name| name.trim_end_matches('.')).collect();
                format!("the peer is {}, outside the cluster", names.join(" and "))
            }
        },
    }
}

/// For ports that are not that of the flow.
pub(super) fn port(side: &Side<'_, '_>, ports: &PortSet) -> String {
    let Flow { protocol, port, .. } = *side.flow;
    let PortSet::OneOf(rules) = ports else {
        return "the rule is for every port".into();
    };
    let patterns: Vec<&PortPattern> = rules.iter().flat_map(|rule: &CompiledPorts| &rule.patterns).collect();
    let of_protocol =
        |pattern: &&&PortPattern| matches!(pattern, PortPattern::Port { protocol: p, .. } if *p == protocol);
    let Some(pattern) = patterns.iter().find(of_protocol).or(patterns.first()) else {
        return "the rule names no port at all".into();
    };
    match pattern {
        PortPattern::Icmp { family, message_type } => {
            let name = match family {
                IcmpFamily::V4 => "ICMP",
                IcmpFamily::V6 => "ICMPv6",
            };
            let wanted = message_type.map_or_else(|| "any type".into(), |wanted| format!("type {wanted}"));
            format!("{protocol} {port} is not {name} of {wanted}")
        }
        PortPattern::Port { protocol: wanted, .. } if *wanted != protocol => {
            format!("protocol {protocol} is not {wanted}")
        }
        PortPattern::Port {
            numbers: PortNumbers::Range(first, last),
            ..
        } if first == last => {
            format!("port {port} is not {first}")
        }
        PortPattern::Port {
            numbers: PortNumbers::Range(first, last),
            ..
        } => {
            format!("port {port} is outside {first}-{last}")
        }
        PortPattern::Port {
            numbers: PortNumbers::Named { name, .. },
            ..
        } => {
            let owner = match side.flow.direction {
                Direction::Ingress => "the endpoint",
                Direction::Egress => "the destination",
            };
            match side.port(pattern) {
                Match::Unknown => format!("the ports of {owner} are not known, wanted the one named {name}"),
                _ => format!("port {port} is not the one that {owner} names {name}"),
            }
        }
        PortPattern::Port {
            numbers: PortNumbers::All,
            ..
        } => format!("protocol {protocol} does not match"),
    }
}

/// For a request that does not match.
pub(super) fn http(miss: HttpMiss<'_>, facts: &dyn HttpFacts) -> String {
    let differs = |what: &str, value: Option<&[u8]>, pattern: &str| match value {
        Some(value) => format!("{what} {} is not {pattern}", String::from_utf8_lossy(value)),
        None => format!("the request has no {what}, wanted {pattern}"),
    };
    match miss {
        HttpMiss::Method(pattern) => differs("method", facts.method(), pattern.source()),
        HttpMiss::Path(pattern) => differs("path", facts.path(), pattern.source()),
        HttpMiss::Host(pattern) => differs("host", facts.authority(), pattern.source()),
        HttpMiss::HeaderMissing(HeaderCondition { header, .. }) => format!("header {} is missing", header.name),
        HttpMiss::HeaderDiffers(HeaderCondition { header, secret: true }) => {
            format!("header {} is not as its secret", header.name)
        }
        HttpMiss::HeaderDiffers(HeaderCondition { header, secret: false }) => {
            format!(
                "header {} is not `{}`",
                header.name,
                header.value.as_deref().unwrap_or_default()
            )
        }
        HttpMiss::HeaderUnobtainable(name) => format!("the secret for header {name} cannot be read"),
    }
}

/// For a TLS server name that an entry does not allow.
pub(super) fn server_name(name: Option<&[u8]>, patterns: &[SniPattern]) -> String {
    let wanted: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    let wanted = wanted.join(" or ");
    match name {
        Some(name) => format!("server name {} is not {wanted}", String::from_utf8_lossy(name)),
        None => format!("the client asks for no TLS server name, wanted {wanted}"),
    }
}

/// For a DNS query that does not match.
pub(super) fn query(name: &[u8], pattern: &FqdnPattern) -> String {
    format!(
        "the query for {} does not match {pattern}",
        String::from_utf8_lossy(name)
    )
}

/// For a Kafka request that does not match.
pub(super) fn message(miss: KafkaMiss<'_>, request: &KafkaRequest<'_>) -> String {
    match miss {
        KafkaMiss::ApiKey => format!("the rule is not for {} requests", kafka::name_of(request.api_key)),
        KafkaMiss::ApiVersion(wanted) => format!("API version {} is not {wanted}", request.api_version),
        KafkaMiss::ClientId(wanted) => {
            format!("client {} is not {wanted}", String::from_utf8_lossy(request.client_id))
        }
        KafkaMiss::Topic(wanted) => {
            let found: Vec<_> = request
                .topics
                .iter()
                .map(|topic| String::from_utf8_lossy(topic))
                .collect();
            match found.is_empty() {
                true => format!("the request is about all topics, the rule is for {wanted}"),
                false => format!("the topics {} are not {wanted}", found.join(", ")),
            }
        }
    }
}

//! Explanations: the walk of the engine once more, with an observer that remembers what nearly matched.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use crate::{
    bundle::{PortNumbers, PortPattern},
    engine::{
        Connection, Engine, IdentityKind,
        compile::{CompiledElement, CompiledPorts, PeerMatcher, PeerSet, PortSet},
        resolve::{Match, Observer, Resolved, Side},
    },
    flow::{Direction, Flow, IcmpFamily, Peer},
    http::{HttpFacts, HttpMiss, HttpPattern},
    verdict::{RuleRef, Verdict},
};

/// A verdict with everything that led to it.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    /// The verdict: the same that the engine decides.
    pub verdict: Verdict,
    /// The rules that isolate the subject in this direction.
    pub isolated_by: Vec<RuleRef>,
    /// For a denial that no deny rule made: the allow rule that got furthest.
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
    /// The rule is for other requests.
    Http(String),
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Peer(words) | Self::Port(words) | Self::Http(words)) = self;
        f.write_str(words)
    }
}

impl Engine {
    /// Decides as [`Engine::connection`] and [`Connection::request`] do, and says what led to it.
    pub fn explain(&self, flow: &Flow<'_>, http: Option<&dyn HttpFacts>) -> Explanation {
        let table = self.table(flow.subject);
        let side = Side {
            engine: self,
            table: table.side(flow.direction),
            flow,
        };
        let mut nearest = Nearest {
            side: &side,
            best: None,
        };
        let resolved = side.resolve(&mut nearest);
        if let (
            Resolved::Inspected {
                http: entries,
                unrestricted: None,
            },
            Some(facts),
        ) = (&resolved, http)
        {
            let patterns = entries.iter().flat_map(|entry| entry.patterns());
            patterns.for_each(|pattern| nearest.http_missed(pattern, facts));
        }
        let best = nearest.best.map(|(_, miss)| miss);
        let connection = Connection::new(flow.direction, resolved.into());
        let verdict = http.map_or_else(|| connection.verdict(), |facts| connection.request(facts));
        let undecided = !verdict.allows() && verdict.reason != crate::verdict::Reason::DeniedByRule;
        let isolated_by = side.table.isolated_by.clone();
        Explanation {
            nearest: best.filter(|_| undecided),
            isolated_by,
            verdict,
        }
    }
}

/// Keeps the miss that met the most conditions; the first of several.
struct Nearest<'a, 'f> {
    side: &'a Side<'a, 'f>,
    best: Option<(usize, NearMiss)>,
}

/// An HTTP rule that misses met peer and port before; so it ranks above every rule that misses one of these.
const HTTP_RANK: usize = 4;

impl Nearest<'_, '_> {
    fn offer(&mut self, rank: usize, rule: &RuleRef, missed: impl FnOnce() -> Missed) {
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

    fn http_missed(&mut self, pattern: &HttpPattern, facts: &dyn HttpFacts) {
        if let Some((miss, held)) = pattern.first_miss(facts) {
            self.offer(HTTP_RANK.saturating_add(held), &pattern.rule, || {
                Missed::Http(http_words(miss, facts))
            });
        }
    }
}

impl Observer for Nearest<'_, '_> {
    fn missed(&mut self, element: &CompiledElement, peer_matches: bool, port_matches: bool) {
        let side = self.side;
        match (peer_matches, port_matches) {
            (true, _) => self.offer(2, &element.rule, || Missed::Port(port_words(side, &element.ports))),
            (false, true) => self.offer(1, &element.rule, || Missed::Peer(peer_words(side, &element.peers))),
            (false, false) => self.offer(0, &element.rule, || Missed::Peer(peer_words(side, &element.peers))),
        }
    }
}

fn peer_words(side: &Side<'_, '_>, peers: &PeerSet) -> String {
    let PeerSet::OneOf(matchers) = peers else {
        return "the rule is for every peer".into();
    };
    let words = |matcher| matcher_words(side, matcher);
    // Of several selectors, the one with the fewest unmet requirements.
    let closest = matchers.iter().min_by_key(|matcher| match matcher {
        PeerMatcher::Selector(index) => unmet(side, *index),
        PeerMatcher::Cidr { .. } | PeerMatcher::Fqdn(_) => 1,
        PeerMatcher::Entity(_) => 2,
    });
    closest.map_or_else(|| "the rule names no peer at all".into(), words)
}

fn unmet(side: &Side<'_, '_>, selector: u32) -> usize {
    match (side.flow.peer, side.engine.selector(selector)) {
        (Peer::Identity(peer), Some(selector)) => {
            let labels = side.engine.labels(peer);
            selector
                .requirements()
                .iter()
                .filter(|requirement| !requirement.matches(labels))
                .count()
        }
        _ => usize::MAX,
    }
}

fn matcher_words(side: &Side<'_, '_>, matcher: &PeerMatcher) -> String {
    let peer = peer_name(side);
    match matcher {
        PeerMatcher::Selector(index) => match (side.flow.peer, side.engine.selector(*index)) {
            (Peer::Identity(id), Some(selector)) => {
                let labels = side.engine.labels(id);
                selector.first_unmet(labels).map_or_else(String::new, |requirement| {
                    match labels.with_key(requirement.key().key()).next() {
                        Some(label) => format!("the peer has {label}, wanted {requirement}"),
                        None => format!(
                            "the peer has no label {}, wanted {requirement}",
                            requirement.key().key()
                        ),
                    }
                })
            }
            _ => format!("{peer}, and its labels are not known"),
        },
        PeerMatcher::Entity(entity) => format!("{peer}, which is not the entity {}", entity.as_str()),
        PeerMatcher::Cidr { prefix, except } if except.is_empty() => format!("{peer}, which is not in {prefix}"),
        PeerMatcher::Cidr { prefix, except } => {
            let except: Vec<String> = except.iter().map(ToString::to_string).collect();
            format!("{peer}, which is not in {prefix} except {}", except.join(", "))
        }
        PeerMatcher::Fqdn(pattern) => match side.flow.peer {
            Peer::Name(_) => format!("{peer}, which does not match {pattern}"),
            _ => format!("{peer}, and no DNS answer is known that gives it for {pattern}"),
        },
    }
}

fn peer_name(side: &Side<'_, '_>) -> String {
    match side.flow.peer {
        Peer::Name(name) => format!("the peer is {}", String::from_utf8_lossy(name)),
        Peer::Unknown => "the peer is not known".into(),
        Peer::Identity(id) => match side.engine.identities().kind(id) {
            IdentityKind::InCluster => "the peer is in the cluster".into(),
            IdentityKind::External { .. } => "the peer is outside the cluster".into(),
        },
    }
}

fn port_words(side: &Side<'_, '_>, ports: &PortSet) -> String {
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

fn http_words(miss: HttpMiss<'_>, facts: &dyn HttpFacts) -> String {
    let differs = |what: &str, value: Option<&[u8]>, pattern: &str| match value {
        Some(value) => format!("{what} {} is not {pattern}", String::from_utf8_lossy(value)),
        None => format!("the request has no {what}, wanted {pattern}"),
    };
    match miss {
        HttpMiss::Method(pattern) => differs("method", facts.method(), pattern.source()),
        HttpMiss::Path(pattern) => differs("path", facts.path(), pattern.source()),
        HttpMiss::Host(pattern) => differs("host", facts.authority(), pattern.source()),
        HttpMiss::HeaderMissing(header) => format!("header {} is missing", header.name),
        HttpMiss::HeaderDiffers(header) => {
            format!(
                "header {} is not `{}`",
                header.name,
                header.value.as_deref().unwrap_or_default()
            )
        }
    }
}

//! The walk: which elements match this peer on this port, and what follows from them.
//!
//! There is one walk for deciding and for explaining. Whoever explains passes an [`Observer`] that is told of every
//! allow rule that did not match, and why; [`NoObserver`] costs nothing.

use alloc::{rc::Rc, vec::Vec};

use super::{
    Engine,
    compile::{Action, CompiledElement, CompiledPorts, PeerMatcher, PeerSet, PortSet},
    matching::{Match, identity_matches},
    table::{Default, DirectionTable},
};
use crate::{
    bundle::{PortNumbers, PortPattern, ReservedEntity},
    flow::{Direction, Flow, IcmpFamily, Peer, Protocol},
    http::HttpPattern,
    verdict::{Reason, RuleRef},
};

/// Hears of allow rules that did not match.
pub(crate) trait Observer {
    /// An element that does not match: because of its peers unless `peer_matches`, else because of its ports.
    fn missed(&mut self, element: &CompiledElement, peer_matches: bool, port_matches: bool);
}

/// Hears nothing.
pub(crate) struct NoObserver;

impl Observer for NoObserver {
    fn missed(&mut self, _: &CompiledElement, _: bool, _: bool) {}
}

/// What the rules say to a connection.
#[derive(Debug)]
pub(crate) enum Resolved {
    /// Refused.
    Denied { reason: Reason, rule: Option<RuleRef> },
    /// Allowed, and no rule looks into it.
    Allowed { reason: Reason, rule: Option<RuleRef> },
    /// Allowed, request by request.
    Inspected {
        /// The HTTP rules; one that matches is enough.
        http: Vec<HttpEntry>,
        /// If something allows every request, whatever the HTTP rules say: why.
        unrestricted: Option<(Reason, Option<RuleRef>)>,
    },
}

/// The HTTP rules of one `toPorts` item.
#[derive(Clone, Debug)]
pub(crate) struct HttpEntry {
    element: Rc<CompiledElement>,
    index: usize,
}

impl HttpEntry {
    fn ports(&self) -> Option<&CompiledPorts> {
        match &self.element.ports {
            PortSet::OneOf(rules) => rules.get(self.index),
            PortSet::All => None,
        }
    }

    /// The rules.
    pub(crate) fn patterns(&self) -> &[HttpPattern] {
        self.ports().and_then(|ports| ports.http.as_deref()).unwrap_or_default()
    }

    /// The place of the `toPorts` item.
    pub(crate) fn rule(&self) -> &RuleRef {
        self.ports().map_or(&self.element.rule, |ports| &ports.rule)
    }
}

/// One question to one side.
pub(crate) struct Side<'a, 'f> {
    pub(crate) engine: &'a Engine,
    pub(crate) table: &'a DirectionTable,
    pub(crate) flow: &'a Flow<'f>,
}

impl Side<'_, '_> {
    /// Union of allows, default deny, deny before everything.
    pub(crate) fn resolve(&self, observer: &mut impl Observer) -> Resolved {
        if self.table.default == Default::EnforcementNever {
            return Resolved::Allowed {
                reason: Reason::EnforcementNever,
                rule: None,
            };
        }
        let mut http = Vec::new();
        let mut plain: Option<RuleRef> = None;
        for element in &self.table.elements {
            let peer = self.peer(&element.peers).satisfies(element.action);
            let ports = self.ports(&element.ports, element.action);
            match (element.action, peer, ports) {
                (Action::Deny, true, Some(hits)) => {
                    let rule = hits.first_rule(element);
                    return Resolved::Denied {
                        reason: Reason::DeniedByRule,
                        rule: Some(rule),
                    };
                }
                (Action::Allow, true, Some(hits)) => hits.sort_into(element, &mut plain, &mut http),
                (Action::Deny, ..) => {}
                (Action::Allow, peer, ports) => observer.missed(element, peer, ports.is_some()),
            }
        }
        self.conclude(plain, http)
    }

    fn conclude(&self, plain: Option<RuleRef>, http: Vec<HttpEntry>) -> Resolved {
        // An implied allow has the lowest precedence: every deny was considered before.
        let implied = match self.table.default {
            Default::NotIsolated => Some(Reason::NotIsolated),
            Default::NotDefaultDeny => Some(Reason::NotDefaultDeny),
            Default::EnforcementNever => Some(Reason::EnforcementNever),
            Default::Deny => (self.table.host_allowed && self.peer_is_host()).then_some(Reason::HostAllowed),
        };
        let allowed = plain
            .map(|rule| (Reason::AllowedByRule, Some(rule)))
            .or(implied.map(|reason| (reason, None)));
        match (http.is_empty(), allowed) {
            (false, unrestricted) => Resolved::Inspected { http, unrestricted },
            (true, Some((reason, rule))) => Resolved::Allowed { reason, rule },
            (true, None) => Resolved::Denied {
                reason: Reason::DefaultDeny,
                rule: self.table.isolated_by.first().cloned(),
            },
        }
    }

    fn peer_is_host(&self) -> bool {
        match self.flow.peer {
            Peer::Identity(peer) => self.engine.labels(peer).has_reserved("host"),
            Peer::Name(_) | Peer::Unknown => false,
        }
    }

    fn peer(&self, peers: &PeerSet) -> Match {
        match peers {
            PeerSet::Any => Match::Yes,
            PeerSet::OneOf(matchers) => Match::any(matchers.iter().map(|matcher| self.matcher(matcher))),
        }
    }

    /// One way to name peers, against what is known of this one.
    pub(crate) fn matcher(&self, matcher: &PeerMatcher) -> Match {
        match self.flow.peer {
            Peer::Identity(peer) => Match::when(identity_matches(self.engine, matcher, peer)),
            Peer::Name(name) => match matcher {
                PeerMatcher::Fqdn(pattern) => Match::when(pattern.matches(name)),
                PeerMatcher::Entity(ReservedEntity::None) => Match::No,
                PeerMatcher::Selector(_) | PeerMatcher::Entity(_) | PeerMatcher::Cidr { .. } => Match::Unknown,
            },
            Peer::Unknown => Match::Unknown,
        }
    }

    fn ports<'p>(&self, ports: &'p PortSet, action: Action) -> Option<Hits<'p>> {
        match ports {
            PortSet::All => Some(Hits {
                rules: &[],
                indices: Vec::new(),
            }),
            PortSet::OneOf(rules) => {
                let hit = |ports: &CompiledPorts| {
                    Match::any(ports.patterns.iter().map(|pattern| self.port(pattern))).satisfies(action)
                };
                let indices: Vec<usize> = rules
                    .iter()
                    .enumerate()
                    .filter(|(_, ports)| hit(ports))
                    .map(|(index, _)| index)
                    .collect();
                (!indices.is_empty()).then_some(Hits { rules, indices })
            }
        }
    }

    /// One port pattern against the protocol and port of the flow.
    pub(crate) fn port(&self, pattern: &PortPattern) -> Match {
        let Flow { protocol, port, .. } = *self.flow;
        match pattern {
            PortPattern::Icmp { family, message_type } => {
                let wanted = match family {
                    IcmpFamily::V4 => Protocol::Icmp,
                    IcmpFamily::V6 => Protocol::IcmpV6,
                };
                Match::when(protocol == wanted && message_type.is_none_or(|wanted| u16::from(wanted) == port))
            }
            PortPattern::Port { protocol: wanted, .. } if *wanted != protocol => Match::No,
            PortPattern::Port {
                numbers: PortNumbers::All,
                ..
            } => Match::Yes,
            PortPattern::Port {
                numbers: PortNumbers::Range(first, last),
                ..
            } => Match::when((*first..=*last).contains(&port)),
            PortPattern::Port {
                numbers: PortNumbers::Named { name, end },
                ..
            } => self.named_port(name, *end),
        }
    }

    fn named_port(&self, name: &str, end: Option<u16>) -> Match {
        let Flow {
            direction,
            protocol,
            port,
            ..
        } = *self.flow;
        let Peer::Identity(owner) = direction.named_port_owner(self.flow) else {
            return Match::Unknown;
        };
        let end = end.filter(|_| direction == Direction::Ingress);
        let ports = self.engine.identities().named_ports(owner).iter();
        let mut numbers = ports
            .filter(|named| &*named.name == name && named.protocol == protocol)
            .map(|named| named.port);
        Match::when(numbers.any(|number| (number..=end.unwrap_or(number).max(number)).contains(&port)))
    }
}

/// The `toPorts` items of an element that match.
struct Hits<'a> {
    rules: &'a [CompiledPorts],
    /// Empty if and only if the element is for all ports.
    indices: Vec<usize>,
}

impl Hits<'_> {
    fn first_rule(&self, element: &CompiledElement) -> RuleRef {
        let first = self.indices.first().and_then(|index| self.rules.get(*index));
        first.map_or_else(|| element.rule.clone(), |ports| ports.rule.clone())
    }

    fn sort_into(&self, element: &Rc<CompiledElement>, plain: &mut Option<RuleRef>, http: &mut Vec<HttpEntry>) {
        if self.indices.is_empty() {
            plain.get_or_insert_with(|| element.rule.clone());
        }
        for index in self.indices.iter().copied() {
            match self.rules.get(index) {
                Some(CompiledPorts { http: None, rule, .. }) => {
                    plain.get_or_insert_with(|| rule.clone());
                }
                Some(_) => http.push(HttpEntry {
                    element: Rc::clone(element),
                    index,
                }),
                None => {}
            }
        }
    }
}

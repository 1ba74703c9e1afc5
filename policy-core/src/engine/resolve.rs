//! The walk (semantics §7.2, steps 1 to 5): which rules match this peer on this port, and what follows from them.
//!
//! There is one walk, for deciding and for explaining.

mod proxied;

use alloc::{rc::Rc, vec::Vec};

use super::{
    Engine, authentication,
    compile::{Action, CompiledElement, PeerMatcher, PeerSet, PortSet},
    matching::{Match, identity_matches},
    merge::{Conflict, Entry, Parser, order},
    table::{Default, DirectionTable},
};
use crate::{
    bundle::{Authentication, PortNumbers, PortPattern, ReservedEntity},
    flow::{Direction, Flow, IcmpFamily, Peer, Protocol},
    verdict::{Reason, RuleRef},
};

pub(crate) use proxied::{Grounds, Proxied};

/// What the rules say to a connection.
#[derive(Debug)]
pub(crate) enum Resolved {
    /// Refused, because two rules of the subject contradict each other.
    Conflict(Conflict),
    /// Refused.
    Denied { reason: Reason, rule: Option<RuleRef> },
    /// Allowed, and no rule looks into it.
    Allowed {
        reason: Reason,
        rule: Option<RuleRef>,
        authentication: Option<Authentication>,
    },
    /// Allowed as far as peer and port go; some rule looks into it.
    Proxied(Proxied),
}

/// One question to one side.
pub(crate) struct Side<'a, 'f> {
    pub(crate) engine: &'a Engine,
    pub(crate) table: &'a DirectionTable,
    pub(crate) flow: &'a Flow<'f>,
}

impl Side<'_, '_> {
    /// Steps 1 to 5.
    pub(crate) fn resolve(&self) -> Resolved {
        if let Some(reason) = self.table.default.whatever_rules_say() {
            return Resolved::Allowed {
                reason,
                rule: None,
                authentication: None,
            };
        }
        if let Some(conflict) = &self.table.conflict {
            return Resolved::Conflict(conflict.clone());
        }
        if let Some(rule) = self.denied_by() {
            return Resolved::Denied {
                reason: Reason::DeniedByRule,
                rule: Some(rule),
            };
        }
        let allows: Vec<Rc<Entry>> = self
            .table
            .entries
            .iter()
            .filter(|entry| self.entry_matches(entry))
            .cloned()
            .collect();
        let authentication = authentication::required(self, &allows);
        self.conclude(allows, authentication)
    }

    /// The first deny element that matches. What is unknown matches.
    fn denied_by(&self) -> Option<RuleRef> {
        let mut denies = self
            .table
            .elements
            .iter()
            .filter(|element| element.action == Action::Deny);
        denies.find_map(|element| {
            let peer = self.peer(&element.peers).satisfies(Action::Deny);
            peer.then(|| self.matching_ports(element))?
        })
    }

    /// The place of the first port list of the element that matches; the element itself if it is for all ports.
    fn matching_ports(&self, element: &CompiledElement) -> Option<RuleRef> {
        match &element.ports {
            PortSet::All => Some(element.rule.clone()),
            PortSet::OneOf(items) => {
                let mut hits = items.iter().filter(|item| {
                    Match::any(item.patterns.iter().map(|pattern| self.port(pattern))).satisfies(element.action)
                });
                hits.next().map(|item| item.rule.clone())
            }
        }
    }

    fn entry_matches(&self, entry: &Entry) -> bool {
        let peer = entry.key.peer.as_ref().map_or(Match::Yes, |peer| self.matcher(peer));
        let port = || entry.key.port.as_ref().map_or(Match::Yes, |port| self.port(port));
        peer == Match::Yes && port() == Match::Yes
    }

    fn conclude(&self, allows: Vec<Rc<Entry>>, authentication: Option<Authentication>) -> Resolved {
        // An implied allow has the lowest precedence: every deny was considered before.
        let implied = self.implied();
        match self.first_in_line(&allows) {
            None => match (allows.first(), implied) {
                (Some(entry), _) => Resolved::Allowed {
                    reason: Reason::AllowedByRule,
                    rule: Some(entry.rule.clone()),
                    authentication,
                },
                (None, Some(reason)) => Resolved::Allowed {
                    reason,
                    rule: None,
                    authentication: None,
                },
                (None, None) => Resolved::Denied {
                    reason: Reason::DefaultDeny,
                    rule: self.table.isolated_by.first().cloned(),
                },
            },
            Some(first) => {
                let parser = first.settings.parser();
                let listener = first.settings.listener.clone().filter(|_| parser == Parser::Listener);
                let counts = |entry: &Rc<Entry>| parser != Parser::Dns || is_for_one_port(entry);
                let allows = allows.into_iter().filter(counts).collect();
                Resolved::Proxied(Proxied::new(parser, listener, allows, implied, authentication))
            }
        }
    }

    /// Step 5: the entry that says where a connection goes that needs a proxy. A listener with a priority comes before all
    /// parsers, in the order of priorities; one without comes after them. Of several with one place the more specific
    /// comes first: that for fewer ports, then that for these peers; then that of the first name.
    fn first_in_line<'e>(&self, allows: &'e [Rc<Entry>]) -> Option<&'e Entry> {
        let place = |entry: &Entry| match entry.settings.parser() {
            Parser::None => None,
            Parser::Listener => {
                let order = entry.settings.listener.as_deref().map_or(u8::MAX, order);
                Some(if order == u8::MAX { (5, 0) } else { (0, order) })
            }
            Parser::Http => Some((1, 0)),
            Parser::Kafka => Some((2, 0)),
            Parser::Tls => Some((3, 0)),
            Parser::Dns => Some((4, 0)),
        };
        let placed = allows.iter().filter_map(|entry| {
            let key = &entry.key;
            let width = authentication::width(self, key.port.as_ref());
            let name = entry.settings.listener.as_ref().map(|listener| &*listener.name);
            Some(((place(entry)?, width, key.peer.is_none(), name), &**entry))
        });
        // The first of several that are equal.
        placed.min_by_key(|(place, _)| *place).map(|(_, entry)| entry)
    }

    /// What allows a connection that no rule mentions, if anything does.
    fn implied(&self) -> Option<Reason> {
        match self.table.default {
            Default::NotIsolated => Some(Reason::NotIsolated),
            Default::NotDefaultDeny => Some(Reason::NotDefaultDeny),
            Default::EnforcementNever | Default::Audited => self.table.default.whatever_rules_say(),
            Default::Deny => (self.table.host_allowed && self.peer_is_host()).then_some(Reason::HostAllowed),
        }
    }

    fn peer_is_host(&self) -> bool {
        match self.flow.peer {
            Peer::Identity(peer) => self.engine.labels(peer).has_reserved("host"),
            Peer::Name(_) | Peer::Unknown => false,
        }
    }

    pub(crate) fn peer(&self, peers: &PeerSet) -> Match {
        match peers {
            PeerSet::Any => Match::Yes,
            PeerSet::OneOf(matchers) => Match::any(matchers.iter().map(|matcher| self.matcher(matcher))),
        }
    }

    /// One way to name peers, against what is known of this one.
    pub(crate) fn matcher(&self, matcher: &PeerMatcher) -> Match {
        if let PeerMatcher::Selector(index) = matcher
            && self
                .engine
                .selector(*index)
                .is_some_and(|selector| selector.requirements().is_empty())
        {
            return Match::Yes;
        }
        if *matcher == PeerMatcher::Entity(ReservedEntity::None) {
            return Match::No;
        }
        match self.flow.peer {
            Peer::Identity(peer) => Match::when(identity_matches(self.engine, matcher, peer)),
            Peer::Name(name) => match matcher {
                PeerMatcher::Fqdn(pattern) => Match::when(pattern.matches(name)),
                PeerMatcher::Selector(_)
                | PeerMatcher::Entity(_)
                | PeerMatcher::Cidr { .. }
                | PeerMatcher::External { .. }
                | PeerMatcher::Address { .. } => Match::Unknown,
            },
            Peer::Unknown => Match::Unknown,
        }
    }

    /// Whether one of the ports of an element matches.
    pub(crate) fn ports(&self, element: &CompiledElement) -> bool {
        self.matching_ports(element).is_some()
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
        let Flow { direction, port, .. } = *self.flow;
        match direction.named_port_owner(self.flow) {
            Peer::Identity(_) => Match::when(
                self.ports_named(name, end)
                    .any(|(first, last)| (first..=last).contains(&port)),
            ),
            Peer::Name(_) | Peer::Unknown => Match::Unknown,
        }
    }

    /// The ports that the destination gives this name, as ranges. An end counts on ingress only.
    pub(crate) fn ports_named(&self, name: &str, end: Option<u16>) -> impl Iterator<Item = (u16, u16)> {
        let Flow {
            direction, protocol, ..
        } = *self.flow;
        let owner = match direction.named_port_owner(self.flow) {
            Peer::Identity(owner) => self.engine.identities().named_ports(owner),
            Peer::Name(_) | Peer::Unknown => &[],
        };
        let end = end.filter(|_| direction == Direction::Ingress);
        owner
            .iter()
            .filter(move |named| &*named.name == name && named.protocol == protocol)
            .map(move |named| (named.port, end.unwrap_or(named.port).max(named.port)))
    }
}

/// Whether an entry is for a single port, and so one that the DNS proxy knows.
fn is_for_one_port(entry: &Entry) -> bool {
    match &entry.key.port {
        Some(PortPattern::Port { numbers, .. }) => match numbers {
            PortNumbers::Range(first, last) => first == last,
            PortNumbers::Named { .. } => true,
            PortNumbers::All => false,
        },
        Some(PortPattern::Icmp { .. }) | None => false,
    }
}

//! From addresses to sides: whose policies are asked about a connection, and what they say together.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::{
    engine::{Backends, Connection, Engine, IdentityId},
    flow::{Carried, Direction, Flow, Peer, Protocol},
    http::{HeaderChange, HttpFacts},
    kafka::KafkaRequest,
    verdict::{Reason, Verdict},
};

/// Whose policies are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// The ingress policy of the destination.
    Ingress,
    /// The egress policy of the source.
    Egress,
    /// Both, each if its side is in the cluster: the place of a proxy between two endpoints.
    Both,
}

/// Where a connection goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Destination<'a> {
    /// To this address, which may be virtual.
    Address(IpAddr),
    /// To whatever this name resolves to: the proxy resolves it itself. The name has no port.
    Name(&'a [u8]),
    /// Nobody knows.
    Unknown,
}

/// What is known of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressFacts<'a> {
    /// Where it comes from; `None` if that is not known.
    pub source: Option<IpAddr>,
    /// Where it goes.
    pub destination: Destination<'a>,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The destination port; the message type for ICMP.
    pub port: u16,
    /// Whether both sides have proven to each other who they are.
    pub authenticated: bool,
}

impl<'a> AddressFacts<'a> {
    /// Facts of a connection between two addresses.
    pub fn new(source: Option<IpAddr>, destination: Option<IpAddr>, protocol: Protocol, port: u16) -> Self {
        let destination = destination.map_or(Destination::Unknown, Destination::Address);
        Self {
            source,
            destination,
            protocol,
            port,
            authenticated: false,
        }
    }
}

/// What all sides that were asked say to a connection: it passes if none of them refuses.
#[derive(Clone, Debug)]
pub struct Admission {
    sides: Vec<Connection>,
    /// Why nobody could be asked, if so.
    refusal: Option<Reason>,
}

impl Engine {
    /// Finds the endpoints of a connection and asks their policies.
    ///
    /// A connection to a virtual address passes if it may go to every endpoint behind it, since nobody knows yet
    /// where it will end up. A side that is asked must be in the cluster, or the connection is refused. In scope
    /// [`Both`](Scope::Both) one of the two must be, and both must be addresses: of a side that is not known nobody
    /// can say that it has no policy.
    pub fn admit(&self, facts: &AddressFacts<'_>, scope: Scope) -> Admission {
        let named = matches!(facts.destination, Destination::Name(_));
        if scope == Scope::Both && (facts.source.is_none() || named) {
            return Admission::refused(Reason::UnknownSubject);
        }
        let source = facts.source.map(|address| self.identity_of(address));
        let destinations = match self.destinations(facts) {
            Ok(destinations) => destinations,
            Err(reason) => return Admission::refused(reason),
        };
        let mut sides = Vec::new();
        for (destination, port) in destinations {
            let pair = Pair {
                engine: self,
                source,
                destination,
                protocol: facts.protocol,
                port,
                authenticated: facts.authenticated,
            };
            let asked = match scope {
                Scope::Egress => pair.egress().map(|side| [Some(side), None]),
                Scope::Ingress => pair.ingress().map(|side| [Some(side), None]),
                Scope::Both => match (pair.egress(), pair.ingress()) {
                    (None, None) => None,
                    (egress, ingress) => Some([egress, ingress]),
                },
            };
            match asked {
                Some(asked) => sides.extend(asked.into_iter().flatten()),
                None => return Admission::refused(Reason::UnknownSubject),
            }
        }
        Admission { sides, refusal: None }
    }

    /// Never empty: a service without endpoints is a refusal.
    fn destinations<'a>(&self, facts: &AddressFacts<'a>) -> Result<Vec<(Peer<'a>, u16)>, Reason> {
        let address = match facts.destination {
            Destination::Name(name) => return Ok(alloc::vec![(Peer::Name(name), facts.port)]),
            Destination::Unknown => return Ok(alloc::vec![(Peer::Unknown, facts.port)]),
            Destination::Address(address) => address,
        };
        match self.backends(address, facts.protocol, facts.port) {
            Backends::NotAService => Ok(alloc::vec![(Peer::Identity(self.identity_of(address)), facts.port)]),
            Backends::UnknownPort | Backends::Known([]) => Err(Reason::NoBackend),
            Backends::Known(backends) => Ok(backends
                .iter()
                .map(|(identity, port)| (Peer::Identity(*identity), *port))
                .collect()),
        }
    }
}

/// A source and one possible destination.
struct Pair<'a> {
    engine: &'a Engine,
    source: Option<IdentityId>,
    destination: Peer<'a>,
    protocol: Protocol,
    port: u16,
    authenticated: bool,
}

impl Pair<'_> {
    fn egress(&self) -> Option<Connection> {
        let subject = self.source.filter(|source| self.engine.is_endpoint(*source))?;
        Some(self.ask(Direction::Egress, subject, self.destination))
    }

    fn ingress(&self) -> Option<Connection> {
        let Peer::Identity(subject) = self.destination else {
            return None;
        };
        let peer = self.source.map_or(Peer::Unknown, Peer::Identity);
        self.engine
            .is_endpoint(subject)
            .then(|| self.ask(Direction::Ingress, subject, peer))
    }

    fn ask(&self, direction: Direction, subject: IdentityId, peer: Peer<'_>) -> Connection {
        self.engine.connection(&Flow {
            direction,
            subject,
            peer,
            protocol: self.protocol,
            port: self.port,
            authenticated: self.authenticated,
        })
    }
}

impl Admission {
    /// Refused without asking anybody.
    pub fn refused(reason: Reason) -> Self {
        Self {
            sides: Vec::new(),
            refusal: Some(reason),
        }
    }

    /// The verdict on the connection as such, before any request.
    pub fn verdict(&self) -> Verdict {
        self.combine(Connection::verdict)
    }

    /// The verdict once the TLS server name is known; see [`Connection::handshake`].
    pub fn handshake(&self, server_name: Option<&[u8]>) -> Verdict {
        self.combine(|side| side.handshake(server_name))
    }

    /// The verdict on an HTTP request of the connection; see [`Connection::request`].
    pub fn request(&self, server_name: Option<&[u8]>, facts: &dyn HttpFacts) -> Verdict {
        self.combine(|side| side.request(server_name, facts))
    }

    /// The verdict on a DNS query.
    pub fn query(&self, name: &[u8]) -> Verdict {
        self.combine(|side| side.query(name))
    }

    /// The verdict on a Kafka request.
    pub fn message(&self, server_name: Option<&[u8]>, request: &KafkaRequest<'_>) -> Verdict {
        self.combine(|side| side.message(server_name, request))
    }

    /// The verdict with all that is known; see [`Connection::judge`].
    pub fn judge(&self, server_name: Option<Option<&[u8]>>, carried: Option<Carried<'_>>) -> Verdict {
        self.combine(|side| side.judge(server_name, carried))
    }

    /// What to change in the headers of an allowed request, by the rules of all sides.
    pub fn header_changes(&self, facts: &dyn HttpFacts) -> Vec<HeaderChange> {
        self.sides.iter().flat_map(|side| side.header_changes(facts)).collect()
    }

    /// Whether some rule may change the headers of requests.
    pub fn changes_headers(&self) -> bool {
        self.sides.iter().any(Connection::changes_headers)
    }

    /// Whether the verdict depends on the TLS server name.
    pub fn inspects_tls(&self) -> bool {
        self.sides.iter().any(Connection::inspects_tls)
    }

    /// Whether the verdicts on requests depend on them.
    pub fn inspects_http(&self) -> bool {
        self.sides.iter().any(Connection::inspects_http)
    }

    /// The answers of the sides, egress before ingress.
    pub fn sides(&self) -> &[Connection] {
        &self.sides
    }

    /// The first refusal decides. Without one, the verdict that looked deepest speaks for all.
    fn combine(&self, ask: impl Fn(&Connection) -> Verdict) -> Verdict {
        let mut deepest: Option<Verdict> = None;
        let mut proxied = false;
        let mut authentication = None;
        for verdict in self.sides.iter().map(ask) {
            if !verdict.allows() {
                return verdict;
            }
            proxied |= verdict.proxied;
            authentication = authentication.max(verdict.authentication);
            if deepest.as_ref().is_none_or(|other| depth(&verdict) > depth(other)) {
                deepest = Some(verdict);
            }
        }
        let refused = || Verdict::refusal(self.refusal.unwrap_or(Reason::UnknownSubject));
        deepest.map_or_else(refused, |verdict| Verdict {
            proxied,
            authentication,
            ..verdict
        })
    }
}

/// A verdict at L7 is deeper than one at L4, one by a rule deeper than one without.
fn depth(verdict: &Verdict) -> (bool, bool) {
    (verdict.layer == crate::verdict::Layer::L7, verdict.rule.is_some())
}

//! From addresses to sides: whose policies are asked about a connection, and what they say together.

mod explained;

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::{
    claim::{Claim, Workload},
    engine::{Backends, Connection, Engine, IdentityId, View},
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
    /// What else is known of who opened it. It narrows what the address says, see [`Engine::admit`].
    pub claim: Option<Claim<'a>>,
    /// The workload that the proxy serves, if it serves but one: it is the side whose policy is asked, whatever the
    /// addresses say.
    pub workload: Option<Workload<'a>>,
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
            claim: None,
            workload: None,
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
    /// Why nobody was asked, if so.
    unasked: Option<Reason>,
}

impl Engine {
    /// Finds the endpoints of a connection and asks their policies.
    ///
    /// A connection to a virtual address passes if it may go to every endpoint behind it, since nobody knows yet
    /// where it will end up. A side that is asked must be in the cluster, or the connection is refused. In scope
    /// [`Both`](Scope::Both) one of the two must be, and both must be addresses: of a side that is not known nobody
    /// can say that it has no policy.
    ///
    /// A claim about the source must fit the workload that has its address. Where the address is no workload's, the
    /// source is one of the identities that fit, and the connection passes if it may come from each of them; if none
    /// fits, nobody knows the source.
    ///
    /// The workload that a proxy serves is its source in scope `Egress` and its destination in scope `Ingress`.
    pub fn admit(&self, facts: &AddressFacts<'_>, scope: Scope) -> Admission {
        self.admit_as(View::Enforced, facts, scope)
    }

    /// The same in one view; [`admit`](Self::admit) asks the policies that have an effect. Where none has, since all
    /// are in audit mode, everything passes in that view, whatever the facts are.
    pub fn admit_as(&self, view: View, facts: &AddressFacts<'_>, scope: Scope) -> Admission {
        let mut sides = Vec::new();
        match self.each_side(facts, scope, &mut |flow| sides.push(self.connection_as(view, flow))) {
            Ok(()) => Admission { sides, unasked: None },
            Err(_) if view == View::Enforced && self.options().audit => Admission::unasked(Reason::Audited),
            Err(reason) => Admission::unasked(reason),
        }
    }

    /// Puts the question to each side that is asked, egress before ingress. After an error nothing counts of what was
    /// asked before.
    fn each_side(&self, facts: &AddressFacts<'_>, scope: Scope, ask: &mut dyn FnMut(&Flow<'_>)) -> Result<(), Reason> {
        let named = matches!(facts.destination, Destination::Name(_));
        if scope == Scope::Both && (facts.source.is_none() || named || facts.workload.is_some()) {
            return Err(Reason::UnknownSubject);
        }
        let workload = facts.workload.map(|workload| self.workload(workload)).transpose()?;
        let sources = match workload.filter(|_| scope == Scope::Egress) {
            Some(workload) => alloc::vec![Some(workload)],
            None => self.sources(facts)?,
        };
        let destinations = match workload.filter(|_| scope == Scope::Ingress) {
            Some(workload) => alloc::vec![(Peer::Identity(workload), facts.port)],
            None => self.destinations(facts)?,
        };
        for (destination, port) in destinations {
            for source in &sources {
                let pair = Pair {
                    engine: self,
                    source: *source,
                    destination,
                    protocol: facts.protocol,
                    port,
                    authenticated: facts.authenticated,
                };
                let sides = pair.sides(scope).ok_or(Reason::UnknownSubject)?;
                sides.iter().flatten().for_each(&mut *ask);
            }
        }
        Ok(())
    }

    /// Who may have opened the connection; `None` is somebody whom nobody knows. Never empty.
    fn sources(&self, facts: &AddressFacts<'_>) -> Result<Vec<Option<IdentityId>>, Reason> {
        let owner = facts.source.map(|address| self.identity_of(address));
        let Some(claim) = &facts.claim else {
            return Ok(alloc::vec![owner]);
        };
        let claimed = claim.address.map(|address| self.identity_of(address));
        let owner = match owner.filter(|owner| self.is_workload(*owner)) {
            Some(owner) if claimed.is_none_or(|claimed| claimed == owner) => Some(owner),
            Some(_) => return Err(Reason::ContradictingIdentity),
            None => claimed.or(owner),
        };
        if !claim.says_who() {
            return Ok(alloc::vec![owner]);
        }
        match owner.filter(|owner| self.is_workload(*owner)) {
            Some(owner) if self.fits(owner, claim) => Ok(alloc::vec![Some(owner)]),
            Some(_) => Err(Reason::ContradictingIdentity),
            None => Ok(self
                .who_fits(claim)
                .map_or_else(|| alloc::vec![None], |fitting| fitting.into_iter().map(Some).collect())),
        }
    }

    fn workload(&self, workload: Workload<'_>) -> Result<IdentityId, Reason> {
        let found = match workload {
            Workload::Endpoint(name) => self.endpoint(name),
            Workload::Address(address) => Some(self.identity_of(address)),
        };
        found
            .filter(|found| self.is_endpoint(*found))
            .ok_or(Reason::UnknownSubject)
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
    /// The questions to the sides that are asked; `None` if one of them is missing.
    fn sides(&self, scope: Scope) -> Option<[Option<Flow<'_>>; 2]> {
        match scope {
            Scope::Egress => self.egress().map(|side| [Some(side), None]),
            Scope::Ingress => self.ingress().map(|side| [Some(side), None]),
            Scope::Both => match (self.egress(), self.ingress()) {
                (None, None) => None,
                sides => Some(sides.into()),
            },
        }
    }

    fn egress(&self) -> Option<Flow<'_>> {
        let subject = self.source.filter(|source| self.engine.is_endpoint(*source))?;
        Some(self.question(Direction::Egress, subject, self.destination))
    }

    fn ingress(&self) -> Option<Flow<'_>> {
        let Peer::Identity(subject) = self.destination else {
            return None;
        };
        let peer = self.source.map_or(Peer::Unknown, Peer::Identity);
        self.engine
            .is_endpoint(subject)
            .then(|| self.question(Direction::Ingress, subject, peer))
    }

    fn question<'f>(&self, direction: Direction, subject: IdentityId, peer: Peer<'f>) -> Flow<'f> {
        Flow {
            direction,
            subject,
            peer,
            protocol: self.protocol,
            port: self.port,
            authenticated: self.authenticated,
        }
    }
}

impl Admission {
    /// Refused without asking anybody.
    pub fn refused(reason: Reason) -> Self {
        Self::unasked(reason)
    }

    fn unasked(reason: Reason) -> Self {
        Self {
            sides: Vec::new(),
            unasked: Some(reason),
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
        let unasked = || match self.unasked {
            Some(Reason::Audited) => Verdict::audited(),
            reason => Verdict::refusal(reason.unwrap_or(Reason::UnknownSubject)),
        };
        deepest.map_or_else(unasked, |verdict| Verdict {
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

//! From addresses to sides: whose policies are asked about a connection, and what they say together.

mod explained;
mod questions;
mod sides;

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::{
    claim::{Claim, Workload},
    engine::{Connection, Engine, View},
    flow::{Carried, Protocol},
    http::{HeaderChange, HttpFacts},
    kafka::KafkaRequest,
    verdict::{Layer, Reason, Verdict},
};
use sides::Sides;

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
    sides: Sides,
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
        let mut sides = Sides::default();
        match self.each_side(facts, scope, &mut |flow| sides.push(self.connection_as(view, flow))) {
            Ok(()) => Admission { sides, unasked: None },
            Err(_) if view == View::Enforced && self.options().audit => Admission::unasked(Reason::Audited),
            Err(reason) => Admission::unasked(reason),
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
            sides: Sides::None,
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
        let changes = |side: &Connection| side.header_changes(facts);
        self.sides().iter().flat_map(changes).collect()
    }

    /// Whether some rule may change the headers of requests.
    pub fn changes_headers(&self) -> bool {
        self.sides().iter().any(Connection::changes_headers)
    }

    /// Whether the verdict depends on the TLS server name.
    pub fn inspects_tls(&self) -> bool {
        self.sides().iter().any(Connection::inspects_tls)
    }

    /// Whether the verdicts on requests depend on them.
    pub fn inspects_http(&self) -> bool {
        self.sides().iter().any(Connection::inspects_http)
    }

    /// The answers of the sides, egress before ingress.
    pub fn sides(&self) -> &[Connection] {
        self.sides.as_slice()
    }

    fn combine(&self, ask: impl Fn(&Connection) -> Verdict) -> Verdict {
        match &self.sides {
            Sides::One(side) => ask(side),
            sides => self.together(&mut sides.as_slice().iter().map(ask)),
        }
    }

    /// The first refusal decides. Without one, the verdict that looked deepest speaks for all.
    fn together(&self, verdicts: &mut dyn Iterator<Item = Verdict>) -> Verdict {
        let Some(mut said) = verdicts.next() else {
            return match self.unasked {
                Some(Reason::Audited) => Verdict::audited(),
                reason => Verdict::refusal(reason.unwrap_or(Reason::UnknownSubject)),
            };
        };
        while said.allows()
            && let Some(verdict) = verdicts.next()
        {
            said = both(said, verdict);
        }
        said
    }
}

/// What two sides say together of which the first allows.
fn both(allowed: Verdict, other: Verdict) -> Verdict {
    if !other.allows() {
        return other;
    }
    let proxied = allowed.proxied || other.proxied;
    let authentication = allowed.authentication.max(other.authentication);
    let deepest = match depth(&other) > depth(&allowed) {
        true => other,
        false => allowed,
    };
    Verdict {
        proxied,
        authentication,
        ..deepest
    }
}

/// A verdict at L7 is deeper than one at L4, one by a rule deeper than one without.
fn depth(verdict: &Verdict) -> (bool, bool) {
    (verdict.layer == Layer::L7, verdict.rule.is_some())
}

//! From what is known of a connection to questions: every pair of ends that it may have, each to the sides that are asked.

use alloc::vec::Vec;

use super::{AddressFacts, Destination, Scope};
use crate::{
    claim::Workload,
    engine::{Backends, Engine, IdentityId},
    flow::{Direction, Flow, Peer, Protocol},
    verdict::Reason,
};

impl Engine {
    /// Puts the question to each side that is asked, egress before ingress. After an error nothing counts of what was
    /// asked before.
    pub(super) fn each_side(
        &self,
        facts: &AddressFacts<'_>,
        scope: Scope,
        ask: &mut dyn FnMut(&Flow<'_>),
    ) -> Result<(), Reason> {
        let named = matches!(facts.destination, Destination::Name(_));
        if scope == Scope::Both && (facts.source.is_none() || named || facts.workload.is_some()) {
            return Err(Reason::UnknownSubject);
        }
        let workload = facts.workload.map(|workload| self.workload(workload)).transpose()?;
        let sources = match workload.filter(|_| scope == Scope::Egress) {
            Some(workload) => Sources::One(Some(workload)),
            None => self.sources(facts)?,
        };
        let destinations = match workload.filter(|_| scope == Scope::Ingress) {
            Some(workload) => Destinations::One(Peer::Identity(workload), facts.port),
            None => self.destinations(facts)?,
        };
        for (destination, port) in destinations.iter() {
            for source in sources.iter() {
                let pair = Pair {
                    engine: self,
                    source,
                    destination,
                    protocol: facts.protocol,
                    port,
                    authenticated: facts.authenticated,
                };
                let egress = if scope == Scope::Ingress { None } else { pair.egress() };
                let ingress = if scope == Scope::Egress { None } else { pair.ingress() };
                if egress.is_none() && ingress.is_none() {
                    return Err(Reason::UnknownSubject);
                }
                egress.iter().chain(&ingress).for_each(&mut *ask);
            }
        }
        Ok(())
    }

    fn sources(&self, facts: &AddressFacts<'_>) -> Result<Sources, Reason> {
        let owner = facts.source.map(|address| self.identity_of(address));
        let Some(claim) = &facts.claim else {
            return Ok(Sources::One(owner));
        };
        let claimed = claim.address.map(|address| self.identity_of(address));
        let owner = match owner.filter(|owner| self.is_workload(*owner)) {
            Some(owner) if claimed.is_none_or(|claimed| claimed == owner) => Some(owner),
            Some(_) => return Err(Reason::ContradictingIdentity),
            None => claimed.or(owner),
        };
        if !claim.says_who() {
            return Ok(Sources::One(owner));
        }
        match owner.filter(|owner| self.is_workload(*owner)) {
            Some(owner) if self.fits(owner, claim) => Ok(Sources::One(Some(owner))),
            Some(_) => Err(Reason::ContradictingIdentity),
            None => Ok(self.who_fits(claim).map_or(Sources::One(None), Sources::Fitting)),
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

    /// Never none: a service without endpoints is a refusal.
    fn destinations<'a>(&'a self, facts: &AddressFacts<'a>) -> Result<Destinations<'a>, Reason> {
        let address = match facts.destination {
            Destination::Name(name) => return Ok(Destinations::One(Peer::Name(name), facts.port)),
            Destination::Unknown => return Ok(Destinations::One(Peer::Unknown, facts.port)),
            Destination::Address(address) => address,
        };
        match self.backends(address, facts.protocol, facts.port) {
            Backends::NotAService => Ok(Destinations::One(Peer::Identity(self.identity_of(address)), facts.port)),
            Backends::UnknownPort | Backends::Known([]) => Err(Reason::NoBackend),
            Backends::Known(backends) => Ok(Destinations::Behind(backends)),
        }
    }
}

/// Who may have opened a connection. Never nobody.
enum Sources {
    /// This one; `None` is somebody whom nobody knows.
    One(Option<IdentityId>),
    /// One of those that a claim fits.
    Fitting(Vec<IdentityId>),
}

/// Where a connection may end up, with ports.
enum Destinations<'a> {
    One(Peer<'a>, u16),
    /// At one of the endpoints behind a virtual address.
    Behind(&'a [(IdentityId, u16)]),
}

impl Sources {
    fn iter(&self) -> impl Iterator<Item = Option<IdentityId>> {
        let (one, fitting) = match self {
            Self::One(source) => (Some(*source), [].as_slice()),
            Self::Fitting(fitting) => (None, fitting.as_slice()),
        };
        one.into_iter().chain(fitting.iter().copied().map(Some))
    }
}

impl<'a> Destinations<'a> {
    fn iter(&self) -> impl Iterator<Item = (Peer<'a>, u16)> {
        let (one, behind) = match *self {
            Self::One(peer, port) => (Some((peer, port)), [].as_slice()),
            Self::Behind(behind) => (None, behind),
        };
        let behind = behind.iter().map(|(identity, port)| (Peer::Identity(*identity), *port));
        one.into_iter().chain(behind)
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
    /// The question to the source, if it can have policies.
    fn egress(&self) -> Option<Flow<'_>> {
        let subject = self.source.filter(|source| self.engine.is_endpoint(*source))?;
        Some(self.question(Direction::Egress, subject, self.destination))
    }

    /// The question to the destination, if it can have policies.
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

//! Endpoints whose policies contradict each other: each keeps the last policy of its own that did not.
//!
//! An engine in conflict about an endpoint denies everything to and from it. So a policy holds a few earlier engines,
//! newest first: those, and only those, that were the last one without a conflict for some endpoint that is in conflict
//! now. When the conflict is gone, so are they. There are at most [`MAX_EARLIER`]; an endpoint whose engine would be
//! one more is denied, never judged by an older engine than its last good one.
//!
//! An earlier engine knows the cluster as it was. It speaks about an address only if that address still belongs to an
//! endpoint with the same labels: a new endpoint has no last good policy, and nobody inherits the one of the endpoint
//! that had its address before. About the address of a service it does not speak, since there may be other endpoints
//! behind it now.

use core::net::IpAddr;
use std::rc::Rc;

use policy_core::{
    AddressFacts, Admission, Connection, Contradiction, Decision, Destination, Direction, Engine, Protocol, Reason,
    Scope, Workload,
};

use super::Asked;

/// Each earlier engine takes as much memory as the one in force.
pub(super) const MAX_EARLIER: usize = 2;

/// Those of the candidates, newest first, that are the last good engine of somebody.
pub(super) fn last_good(
    contradiction: &Contradiction,
    engine: &Engine,
    candidates: Vec<Rc<Engine>>,
) -> Vec<Rc<Engine>> {
    let mut needed = vec![false; candidates.len()];
    for address in &contradiction.addresses {
        for (candidate, needed) in candidates.iter().zip(&mut needed) {
            if !same_owner(engine, candidate, *address) {
                break;
            }
            if !is_in_conflict(candidate, *address) {
                *needed = true;
                break;
            }
        }
    }
    let pairs = candidates.into_iter().zip(needed);
    pairs
        .filter_map(|(candidate, needed)| needed.then_some(candidate))
        .take(MAX_EARLIER)
        .collect()
}

/// Whether the engine is in conflict about the endpoint of this address. It is so in both directions, so asking for one
/// is enough.
fn is_in_conflict(engine: &Engine, address: IpAddr) -> bool {
    let facts = AddressFacts::new(Some(address), None, Protocol::Tcp, 0);
    engine.admit(&facts, Scope::Egress).verdict().decision == Decision::Conflict
}

/// Asks the earlier engines, newest first, for the sides that `admission` of `engine` is in conflict about. The first
/// one that has an answer speaks for them, and `engine` for the others.
pub(super) fn resolve(
    engine: &Engine,
    earlier: &[Rc<Engine>],
    facts: &AddressFacts<'_>,
    admission: Admission,
) -> Asked {
    let in_conflict = |side: &Connection| side.verdict().decision == Decision::Conflict;
    let concerns = |direction| {
        let mut sides = admission.sides().iter().filter(|side| in_conflict(side));
        sides.any(|side| side.direction() == direction)
    };
    let scope = match (concerns(Direction::Egress), concerns(Direction::Ingress)) {
        (true, false) => Scope::Egress,
        (false, true) => Scope::Ingress,
        (true, true) => Scope::Both,
        (false, false) => return admission.into(),
    };
    for earlier in earlier {
        if !same_world(engine, earlier, facts) {
            break;
        }
        let answer = earlier.admit(facts, scope);
        if !answer.sides().iter().any(in_conflict) {
            let others = admission.sides().iter().filter(|side| !in_conflict(side));
            return Asked::of(answer, others.cloned().collect());
        }
    }
    admission.into()
}

/// Whether an earlier engine knows both ends of a connection as they are now. Of a claim it may know less.
fn same_world(engine: &Engine, earlier: &Engine, facts: &AddressFacts<'_>) -> bool {
    let workload = match facts.workload {
        None => true,
        Some(Workload::Address(address)) => same_owner(engine, earlier, address),
        Some(Workload::Endpoint(name)) => {
            let labels = |engine: &Engine| engine.endpoint(name).map(|identity| engine.labels(identity).clone());
            labels(engine) == labels(earlier)
        }
    };
    if !workload || facts.claim.is_some() {
        return false;
    }
    let source = facts.source.is_none_or(|address| same_owner(engine, earlier, address));
    source
        && match facts.destination {
            Destination::Address(address) => {
                let leads_on = |engine| leads_to_endpoints(engine, address, facts);
                same_owner(engine, earlier, address) && !leads_on(engine) && !leads_on(earlier)
            }
            Destination::Name(_) | Destination::Unknown => true,
        }
}

/// Whether an address is a virtual one, with endpoints of the cluster behind it: nobody knows whether they are still
/// the same.
fn leads_to_endpoints(engine: &Engine, address: IpAddr, facts: &AddressFacts<'_>) -> bool {
    if engine.is_endpoint(engine.identity_of(address)) {
        return false;
    }
    // Their ingress policies would be asked, if there are any endpoints.
    let behind = engine.admit(facts, Scope::Ingress);
    !behind.sides().is_empty() || behind.verdict().reason == Reason::NoBackend
}

/// Whether an address belongs to an endpoint with the same labels, or to none, in both.
fn same_owner(engine: &Engine, earlier: &Engine, address: IpAddr) -> bool {
    let (now, then) = (engine.identity_of(address), earlier.identity_of(address));
    match (engine.is_endpoint(now), earlier.is_endpoint(then)) {
        (true, true) => engine.labels(now) == earlier.labels(then),
        // Outside, each engine tells addresses apart by the prefixes of its own rules.
        (false, false) => true,
        (true, false) | (false, true) => false,
    }
}

#[cfg(test)]
mod tests;

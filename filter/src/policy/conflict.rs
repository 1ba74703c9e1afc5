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
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use policy_core::{
    AddressFacts, Admission, Bundle, Connection, Decision, Destination, Direction, Engine, Protocol, Reason, Scope,
    Selector, Verdict, Workload,
    bundle::{Identity, L7Rules, PortRule, Rule},
};

use super::Asked;

/// Each earlier engine takes as much memory as the one in force.
pub(super) const MAX_EARLIER: usize = 2;

/// The endpoints of an engine that are in conflict.
#[derive(Debug)]
pub(crate) struct Conflict {
    /// All of their addresses.
    addresses: Vec<IpAddr>,
    /// Two rules that contradict each other, the first such pair.
    pub(crate) rules: String,
}

/// Identities, and all addresses of each.
pub(super) type Subjects = BTreeMap<u32, Vec<IpAddr>>;

/// The subjects that an engine may be in conflict about: those of rules that another rule could contradict. Mostly there
/// are none, and so there is nothing to look through.
pub(super) fn subjects(bundle: &Bundle) -> Subjects {
    let rules = bundle.policies.iter().flat_map(|policy| &policy.rules);
    let selectors: BTreeSet<u32> = rules
        .filter(|rule| may_contradict(rule))
        .map(|rule| rule.subject)
        .collect();
    let mut subjects = Subjects::new();
    if selectors.is_empty() {
        return subjects;
    }
    let selectors: Vec<&Selector> = selectors
        .into_iter()
        .filter_map(|at| at_position(&bundle.selectors, at))
        .collect();
    let selected = |identity: &Identity| selectors.iter().any(|selector| selector.matches(&identity.labels));
    let selected: Vec<bool> = bundle.identities.iter().map(selected).collect();
    let endpoints = bundle
        .endpoints
        .iter()
        .flat_map(|endpoint| endpoint.addresses.iter().map(|address| (endpoint.identity, *address)));
    let entries = bundle
        .addresses
        .iter()
        .map(|entry| (entry.identity, entry.prefix.addr()));
    for (identity, address) in endpoints.chain(entries) {
        if at_position(&selected, identity) == Some(&true) {
            subjects.entry(identity).or_default().push(address);
        }
    }
    subjects
}

fn at_position<T>(list: &[T], position: u32) -> Option<&T> {
    list.get(usize::try_from(position).ok()?)
}

/// Whether some allow of the rule is of a kind that another one can contradict.
fn may_contradict(rule: &Rule) -> bool {
    rule.ingress.iter().chain(&rule.egress).any(|element| {
        element.authentication.is_some() || element.ports.iter().flatten().any(needs_more_than_an_http_proxy)
    })
}

fn needs_more_than_an_http_proxy(rule: &PortRule) -> bool {
    !matches!(rule.rules, None | Some(L7Rules::Http(_)))
        || !rule.server_names.is_empty()
        || rule.terminating_tls.is_some()
        || rule.originating_tls.is_some()
        || rule.listener.is_some()
}

impl Conflict {
    /// Which of these subjects the engine is in conflict about.
    pub(super) fn find(engine: &Engine, subjects: Subjects) -> Option<Self> {
        let mut found: Option<Self> = None;
        // Addresses of one identity have one policy, so it is enough to ask for the first.
        for addresses in subjects.into_values() {
            let Some(verdict) = addresses.first().and_then(|address| conflict(engine, *address)) else {
                continue;
            };
            let rules = || {
                let rules = [verdict.rule, verdict.conflicts_with];
                rules
                    .iter()
                    .flatten()
                    .map(|rule| rule.as_str())
                    .collect::<Vec<_>>()
                    .join("; ")
            };
            let found = found.get_or_insert_with(|| Self {
                addresses: Vec::new(),
                rules: rules(),
            });
            found.addresses.extend(addresses);
        }
        found
    }

    /// How many addresses are affected.
    pub(crate) fn size(&self) -> usize {
        self.addresses.len()
    }

    /// Those of the candidates, newest first, that are the last good engine of somebody.
    pub(super) fn last_good(&self, engine: &Engine, candidates: Vec<Rc<Engine>>) -> Vec<Rc<Engine>> {
        let mut needed = vec![false; candidates.len()];
        for address in &self.addresses {
            for (candidate, needed) in candidates.iter().zip(&mut needed) {
                if !same_owner(engine, candidate, *address) {
                    break;
                }
                if conflict(candidate, *address).is_none() {
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
}

/// The verdict, if the engine is in conflict about the endpoint of this address. It is so in both directions, so asking
/// for one is enough.
fn conflict(engine: &Engine, address: IpAddr) -> Option<Verdict> {
    let facts = AddressFacts::new(Some(address), None, Protocol::Tcp, 0);
    let verdict = engine.admit(&facts, Scope::Egress).verdict();
    (verdict.decision == Decision::Conflict).then_some(verdict)
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

//! The endpoints whose policies contradict each other, found when a bundle is packed: there may be many endpoints to ask.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::net::IpAddr;

use super::{Engine, View};
use crate::{
    bundle::{Bundle, Identity, L7Rules, PortRule, Rule},
    flow::{Direction, Flow, Peer, Protocol},
    selector::Selector,
    verdict::{Decision, RuleRef, Verdict},
};

/// Endpoints whose policies contradict each other: whatever they do is refused.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct Contradiction {
    /// All of their addresses.
    pub addresses: Vec<IpAddr>,
    /// Two rules that contradict each other, the first such pair.
    pub rules: String,
}

/// Identities, and all addresses of each.
type Subjects = BTreeMap<u32, Vec<IpAddr>>;

impl Contradiction {
    /// Of a bundle, whose engine this is.
    pub(crate) fn find(engine: &Engine, bundle: &Bundle) -> Option<Self> {
        let mut found: Option<Self> = None;
        // Addresses of one identity have one policy, so it is enough to ask for the first.
        for addresses in subjects(bundle).into_values() {
            let verdict = addresses.first().and_then(|address| contradiction(engine, *address));
            let Some(verdict) = verdict else { continue };
            let rules = [verdict.rule, verdict.conflicts_with];
            let rules: Vec<&str> = rules.iter().flatten().map(RuleRef::as_str).collect();
            let found = found.get_or_insert_with(|| Self {
                addresses: Vec::new(),
                rules: rules.join("; "),
            });
            found.addresses.extend(addresses);
        }
        found
    }
}

/// The verdict, if the engine finds a contradiction about the owner of this address. It is so in both directions and for
/// every peer, so asking for one is enough.
fn contradiction(engine: &Engine, address: IpAddr) -> Option<Verdict> {
    let flow = Flow {
        direction: Direction::Egress,
        subject: engine.identity_of(address),
        peer: Peer::Unknown,
        protocol: Protocol::Tcp,
        port: 0,
        authenticated: false,
    };
    let verdict = engine.connection_as(View::Enforced, &flow).verdict();
    (verdict.decision == Decision::Conflict).then_some(verdict)
}

/// The subjects that an engine may find a contradiction about: those of rules that another rule could contradict. Mostly
/// there are none, and so there is nothing to look through.
fn subjects(bundle: &Bundle) -> Subjects {
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

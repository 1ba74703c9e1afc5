//! §2 and §4: which peers a selector means.

use std::net::IpAddr;

use ipnet::IpNet;
use policy_core::{Bundle, Label, Requirement, SelectorKey};

use super::{PeerFact, names, parties::Party};

/// By this label the endpoints of a cluster are known.
pub(super) const CLUSTER: &str = "k8s:io.cilium.k8s.policy.cluster";

/// A peer selector; entries merge if theirs are equal.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum PeerKey {
    /// Without requirements: any peer whatsoever.
    Selector(Vec<Requirement>),
    OtherCluster,
    Cidr(IpNet, Vec<IpNet>),
    External(Vec<Requirement>, Vec<IpNet>),
    Address(IpNet, Vec<IpNet>),
    MatchName(Box<str>),
    MatchPattern(Box<str>),
}

impl PeerKey {
    pub(super) fn is_any(&self) -> bool {
        matches!(self, Self::Selector(requirements) if requirements.is_empty())
    }
}

/// Whether a selector means the peer; `None` if nobody can tell.
pub(super) fn matches(bundle: &Bundle, key: &PeerKey, fact: PeerFact, party: Option<&Party<'_>>) -> Option<bool> {
    if key.is_any() {
        return Some(true);
    }
    match (fact, party) {
        (PeerFact::Address(address), Some(party)) => Some(means(bundle, key, address, party)),
        (PeerFact::Name(name), _) => match key {
            PeerKey::MatchName(wanted) => Some(names::is_name(wanted, name)),
            PeerKey::MatchPattern(pattern) => Some(names::is_of_pattern(pattern, name)),
            _ => None,
        },
        _ => None,
    }
}

fn means(bundle: &Bundle, key: &PeerKey, address: IpAddr, party: &Party<'_>) -> bool {
    let within = |prefix: &IpNet, except: &[IpNet]| prefix.contains(&address) && !contained(except, address);
    match key {
        PeerKey::Selector(requirements) => labels_meet(requirements, &party.labels),
        PeerKey::OtherCluster => party.labels.iter().any(|label| {
            format!("{}:{}", label.source().as_str(), label.key()) == CLUSTER && label.value() != bundle.options.cluster
        }),
        PeerKey::Cidr(prefix, except) => party.is_outside && within(prefix, except),
        PeerKey::External(requirements, except) => {
            party.is_outside && labels_meet(requirements, &party.labels) && !contained(except, address)
        }
        PeerKey::Address(prefix, except) => within(prefix, except),
        PeerKey::MatchName(wanted) => party.names.iter().any(|name| names::is_name(wanted, name)),
        PeerKey::MatchPattern(pattern) => party.names.iter().any(|name| names::is_of_pattern(pattern, name)),
    }
}

fn contained(prefixes: &[IpNet], address: IpAddr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(&address))
}

/// §2.4: every requirement holds. A missing key fails the positive ones and meets the negative ones.
pub(super) fn labels_meet(requirements: &[Requirement], labels: &[Label]) -> bool {
    let with = |key: &SelectorKey| -> Vec<&str> {
        let same = |label: &&Label| {
            label.key() == key.key() && key.source().is_none_or(|source| source == label.source().as_str())
        };
        labels.iter().filter(same).map(Label::value).collect()
    };
    let has_one_of = |key: &SelectorKey, wanted: &[Box<str>]| {
        let found = with(key);
        wanted.iter().any(|value| found.contains(&&**value))
    };
    requirements.iter().all(|requirement| match requirement {
        Requirement::Equals { key, value } => has_one_of(key, std::slice::from_ref(value)),
        Requirement::In { key, values } => has_one_of(key, values),
        Requirement::NotIn { key, values } => !has_one_of(key, values),
        Requirement::Exists { key } => !with(key).is_empty(),
        Requirement::DoesNotExist { key } => with(key).is_empty(),
    })
}

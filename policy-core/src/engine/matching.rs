//! What it is to match: with certainty, with what is not known, and for each way to name a peer.

use alloc::string::String;
use ipnet::IpNet;

use super::{
    Engine,
    compile::{Action, PeerMatcher},
    identities::{IdentityId, IdentityKind},
};
use crate::fqdn::FqdnPattern;

/// Whether something matches, as far as the facts tell. What is unknown satisfies a deny and not an allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Match {
    Yes,
    No,
    Unknown,
}

impl Match {
    pub(crate) fn satisfies(self, action: Action) -> bool {
        match action {
            Action::Allow => self == Self::Yes,
            Action::Deny => self != Self::No,
        }
    }

    pub(super) fn when(condition: bool) -> Self {
        if condition { Self::Yes } else { Self::No }
    }

    /// The best of several ways to match.
    pub(super) fn any(ways: impl IntoIterator<Item = Self>) -> Self {
        ways.into_iter().fold(Self::No, |best, way| match (best, way) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::No, Self::No) => Self::No,
        })
    }
}

/// Whether an identity is one of those that a pattern names.
pub(super) fn identity_matches(engine: &Engine, matcher: &PeerMatcher, peer: IdentityId) -> bool {
    let selects = |index: u32| {
        engine
            .selector(index)
            .is_some_and(|selector| selector.matches(engine.labels(peer)))
    };
    let kind = engine.identities().kind(peer);
    match (matcher, kind) {
        (PeerMatcher::Selector(index), _) => selects(*index),
        (PeerMatcher::Entity(entity), _) => engine.selectors().of_entity(*entity).iter().copied().any(selects),
        (PeerMatcher::Cidr { prefix, except }, IdentityKind::External { prefix: known, .. }) => {
            holds(prefix, except, *known)
        }
        (PeerMatcher::External { selector, except }, IdentityKind::External { prefix: known, .. }) => {
            selects(*selector) && !within_any(except, *known)
        }
        (PeerMatcher::Fqdn(pattern), IdentityKind::External { names, .. }) => resolved_to(pattern, names),
        (
            PeerMatcher::Address { prefix, except },
            IdentityKind::External { prefix: known, .. } | IdentityKind::InCluster { prefix: known },
        ) => holds(prefix, except, *known),
        (
            PeerMatcher::Cidr { .. } | PeerMatcher::External { .. } | PeerMatcher::Fqdn(_),
            IdentityKind::InCluster { .. },
        ) => false,
    }
}

/// Whether addresses whose longest known prefix is `known` are in a prefix, and in none of its exceptions.
fn holds(prefix: &IpNet, except: &[IpNet], known: Option<IpNet>) -> bool {
    known.is_some_and(|known| prefix.contains(&known)) && !within_any(except, known)
}

fn within_any(prefixes: &[IpNet], known: Option<IpNet>) -> bool {
    known.is_some_and(|known| prefixes.iter().any(|prefix| prefix.contains(&known)))
}

fn resolved_to(pattern: &FqdnPattern, names: &[String]) -> bool {
    names.iter().any(|name| pattern.matches(name.as_bytes()))
}

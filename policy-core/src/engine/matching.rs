//! What it is to match: with certainty, with what is not known, and for each way to name a peer.

use alloc::string::String;

use super::{
    Engine,
    compile::{Action, PeerMatcher},
    identities::{IdentityId, IdentityKind},
};
use crate::{
    bundle::ReservedEntity,
    fqdn::FqdnPattern,
    labels::{Labels, Source},
    selector::Selector,
};

/// Whether something matches, as far as the facts tell. What is unknown satisfies a deny and not an allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Match {
    Yes,
    No,
    Unknown,
}

impl Match {
    pub(super) fn satisfies(self, action: Action) -> bool {
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
    match (matcher, engine.identities().kind(peer)) {
        (PeerMatcher::Selector(index), _) => engine
            .selector(*index)
            .is_some_and(|selector: &Selector| selector.matches(engine.labels(peer))),
        (PeerMatcher::Entity(entity), _) => entity_matches(*entity, engine.labels(peer), &engine.options().cluster),
        (
            PeerMatcher::Cidr { prefix, except },
            IdentityKind::External {
                prefix: Some(known), ..
            },
        ) => prefix.contains(known) && !except.iter().any(|except| except.contains(known)),
        (PeerMatcher::Fqdn(pattern), IdentityKind::External { names, .. }) => resolved_to(pattern, names),
        (PeerMatcher::Cidr { .. } | PeerMatcher::Fqdn(_), _) => false,
    }
}

fn resolved_to(pattern: &FqdnPattern, names: &[String]) -> bool {
    names.iter().any(|name| pattern.matches(name.as_bytes()))
}

fn entity_matches(entity: ReservedEntity, labels: &Labels, cluster: &str) -> bool {
    let reserved = |names: &[&str]| names.iter().any(|name| labels.has_reserved(name));
    match entity {
        ReservedEntity::World => reserved(&["world", "world-ipv4", "world-ipv6"]),
        ReservedEntity::WorldIpv4 => reserved(&["world-ipv4"]),
        ReservedEntity::WorldIpv6 => reserved(&["world-ipv6"]),
        ReservedEntity::Cluster => {
            reserved(&[
                "host",
                "remote-node",
                "init",
                "ingress",
                "health",
                "unmanaged",
                "kube-apiserver",
            ]) || labels
                .with_key(CLUSTER_KEY)
                .any(|l| l.source().as_str() == Source::K8S && l.value() == cluster)
        }
        ReservedEntity::Host => reserved(&["host"]),
        ReservedEntity::Init => reserved(&["init"]),
        ReservedEntity::Ingress => reserved(&["ingress"]),
        ReservedEntity::Unmanaged => reserved(&["unmanaged"]),
        ReservedEntity::RemoteNode => reserved(&["remote-node"]),
        ReservedEntity::Health => reserved(&["health"]),
        ReservedEntity::KubeApiserver => reserved(&["kube-apiserver"]),
        ReservedEntity::None => false,
    }
}

/// The label by which the endpoints of a cluster are known; part of the bundle's contract, like the reserved names.
pub(crate) const CLUSTER_KEY: &str = "io.cilium.k8s.policy.cluster";

//! Where labels come from.

use policy_core::{Label, Source};

use crate::{
    identity::{CIDR_GROUP_NAME_KEY, CIDR_GROUP_SOURCE, NODE_SOURCE, SERVICE_ACCOUNT_KEY},
    scope::{CLUSTER_KEY, NAMESPACE_KEY, NAMESPACE_LABELS_PREFIX},
};

/// Where a label of an identity comes from, as its source and key tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LabelOrigin<'l> {
    /// `metadata.labels` of the pod.
    Pod,
    /// The namespace that the pod is in.
    NamespaceName,
    /// `metadata.labels` of the namespace, with this key.
    Namespace(&'l str),
    /// `spec.serviceAccountName` of the pod.
    ServiceAccount,
    /// The cluster that everything is compiled for, or another one that a pod is said to be in.
    Cluster,
    /// The labels of the node.
    Node,
    /// A `CiliumCIDRGroup` that holds the address: its name, or one of its labels.
    CidrGroup(Option<&'l str>),
    /// The address itself.
    Address,
    /// A DNS answer that gave the address for a name.
    Dns,
    /// What it is to the cluster: a node, the API server, something outside, …
    Reserved,
    /// Somewhere else.
    Other,
}

impl<'l> LabelOrigin<'l> {
    /// The origin of a label.
    pub fn of(label: &'l Label) -> Self {
        let key = label.key();
        match (label.source().as_str(), key) {
            (Source::K8S, NAMESPACE_KEY) => Self::NamespaceName,
            (Source::K8S, CLUSTER_KEY) => Self::Cluster,
            (Source::K8S, SERVICE_ACCOUNT_KEY) => Self::ServiceAccount,
            (Source::K8S, _) => key
                .strip_prefix(NAMESPACE_LABELS_PREFIX)
                .map_or(Self::Pod, Self::Namespace),
            (Source::RESERVED, _) => Self::Reserved,
            (Source::CIDR, _) => Self::Address,
            (Source::FQDN, _) => Self::Dns,
            (CIDR_GROUP_SOURCE, _) => {
                let name = key.strip_prefix(CIDR_GROUP_NAME_KEY);
                Self::CidrGroup(name.and_then(|name| name.strip_prefix('/')))
            }
            (NODE_SOURCE, _) => Self::Node,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_tells_where_it_comes_from() {
        for (label, want) in [
            ("k8s:app=web", LabelOrigin::Pod),
            ("k8s:io.kubernetes.pod.namespace=shop", LabelOrigin::NamespaceName),
            (
                "k8s:io.cilium.k8s.namespace.labels.team=red",
                LabelOrigin::Namespace("team"),
            ),
            (
                "k8s:io.cilium.k8s.policy.serviceaccount=web",
                LabelOrigin::ServiceAccount,
            ),
            ("k8s:io.cilium.k8s.policy.cluster=c1", LabelOrigin::Cluster),
            ("reserved:world-ipv4", LabelOrigin::Reserved),
            ("cidr:10.0.0.0/8", LabelOrigin::Address),
            ("fqdn:a.example", LabelOrigin::Dns),
            (
                "cidrgroup:io.cilium.policy.cidrgroupname/office",
                LabelOrigin::CidrGroup(Some("office")),
            ),
            ("cidrgroup:net=office", LabelOrigin::CidrGroup(None)),
            ("node:zone=a", LabelOrigin::Node),
            ("container:app=web", LabelOrigin::Other),
        ] {
            let label: Label = label.parse().expect("a label");
            assert_eq!(LabelOrigin::of(&label), want, "{label}");
        }
    }
}

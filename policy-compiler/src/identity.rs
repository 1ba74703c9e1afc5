//! The labels of identities.

use std::{collections::BTreeMap, net::IpAddr};

use policy_core::{
    Label, Labels, Source,
    bundle::{Identity, Stack},
};

use crate::{
    resource::{Node, Pod},
    scope::{CLUSTER_KEY, NAMESPACE_KEY, NAMESPACE_LABELS_PREFIX},
};

/// Labels below this prefix come from the cluster, never from the pod itself.
pub(crate) const OWN_PREFIX: &str = "io.cilium.k8s";
/// The source of the labels that addresses outside the cluster have from their groups.
pub(crate) const CIDR_GROUP_SOURCE: &str = "cidrgroup";
/// What the label for the name of a group starts with.
pub(crate) const CIDR_GROUP_NAME_KEY: &str = "io.cilium.policy.cidrgroupname";
/// The source of the labels of nodes.
pub(crate) const NODE_SOURCE: &str = "node";
pub(crate) const SERVICE_ACCOUNT_KEY: &str = "io.cilium.k8s.policy.serviceaccount";
/// The label that the API server gives every namespace.
const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Key prefixes of labels that change too often, or differ for every pod, to be part of an identity.
const EXCLUDED: [&str; 14] = [
    "io.kubernetes",
    "kubernetes.io",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/controller-uid",
    "k8s.io",
    "pod-template-generation",
    "pod-template-hash",
    "controller-revision-hash",
    "controller-uid",
    "annotation",
    "etcd_node",
    "topology.kubernetes.io",
];
/// Excluded wherever it stands in the key.
const EXCLUDED_ANYWHERE: &str = "beta.kubernetes.io";
/// Key prefixes that are kept although a shorter one is excluded.
const INCLUDED: [&str; 5] = [
    NAMESPACE_KEY,
    "io.cilium.k8s.namespace.labels",
    "app.kubernetes.io",
    SERVICE_ACCOUNT_KEY,
    CLUSTER_KEY,
];

/// Whether a Kubernetes label with this key can be part of an identity. A selector on any other key never finds it.
pub(crate) fn is_identity_label(key: &str) -> bool {
    let is_derived = key.starts_with(NAMESPACE_LABELS_PREFIX) || key == SERVICE_ACCOUNT_KEY || key == CLUSTER_KEY;
    (is_derived || !key.starts_with(OWN_PREFIX)) && passes_filter(key)
}

/// The longest match decides; excluded and included at the same length is excluded.
fn passes_filter(key: &str) -> bool {
    let longest = |prefixes: &[&str]| {
        prefixes
            .iter()
            .filter(|prefix| key.starts_with(**prefix))
            .map(|p| p.len())
            .max()
    };
    let anywhere = key.rfind(EXCLUDED_ANYWHERE).map(|at| at + EXCLUDED_ANYWHERE.len());
    let excluded = longest(&EXCLUDED).max(anywhere);
    excluded.is_none() || longest(&INCLUDED) > excluded
}

/// The identity of a pod: its labels and those of its namespace, its service account and its cluster.
pub(crate) fn of_pod(pod: &Pod, namespace_labels: Option<&BTreeMap<String, String>>, cluster: &str) -> Identity {
    let own = pod.labels.iter().filter(|(key, _)| !key.starts_with(OWN_PREFIX));
    let mut labels: Vec<(String, &str)> = own.map(|(key, value)| (key.clone(), value.as_str())).collect();
    labels.push((
        format!("{NAMESPACE_LABELS_PREFIX}{NAMESPACE_NAME_LABEL}"),
        &pod.namespace,
    ));
    for (key, value) in namespace_labels.into_iter().flatten() {
        labels.push((format!("{NAMESPACE_LABELS_PREFIX}{key}"), value));
    }
    labels.push((NAMESPACE_KEY.to_owned(), &pod.namespace));
    labels.push((CLUSTER_KEY.to_owned(), cluster));
    labels.extend(
        pod.service_account
            .iter()
            .map(|account| (SERVICE_ACCOUNT_KEY.to_owned(), account.as_str())),
    );
    let kept = labels.iter().filter(|(key, _)| passes_filter(key));
    // Only an empty key is no label, and the API server admits none.
    let labels = kept.filter_map(|(key, value)| Label::new(Source::K8S, key, value).ok());
    Identity {
        labels: Labels::new(labels),
        ports: pod.ports.clone(),
    }
}

/// The identity of a node, as all others see it. `cluster` is there when nodes have labels of their own.
pub(crate) fn of_node(node: &Node, cluster: Option<&str>) -> Identity {
    let mut labels = Vec::from_iter(Label::new(Source::RESERVED, "remote-node", "").ok());
    if let Some(cluster) = cluster {
        let own = node.labels.iter();
        labels.extend(own.filter_map(|(key, value)| Label::new(NODE_SOURCE, key, value).ok()));
        labels.extend(Label::new(Source::K8S, CLUSTER_KEY, cluster).ok());
    }
    Identity {
        labels: Labels::new(labels),
        ports: Vec::new(),
    }
}

/// The identity of a node that is an API server.
pub(crate) fn with_apiserver(node: &Identity) -> Identity {
    let label = Label::new(Source::RESERVED, "kube-apiserver", "").ok();
    Identity {
        labels: Labels::new(node.labels.iter().cloned().chain(label)),
        ports: node.ports.clone(),
    }
}

/// The identity of an API server outside the cluster.
pub(crate) fn of_apiserver(address: IpAddr, stack: Stack) -> Identity {
    let world = match (stack, address) {
        (Stack::Ipv4 | Stack::Ipv6, _) => "world",
        (Stack::Dual, IpAddr::V4(_)) => "world-ipv4",
        (Stack::Dual, IpAddr::V6(_)) => "world-ipv6",
    };
    let labels = ["kube-apiserver", world]
        .into_iter()
        .filter_map(|key| Label::new(Source::RESERVED, key, "").ok());
    Identity {
        labels: Labels::new(labels),
        ports: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stable_labels_are_part_of_an_identity() {
        for (key, kept, why) in [
            ("app", true, "a label of the author"),
            ("app.kubernetes.io/name", true, "included"),
            ("kubernetes.io/hostname", false, "of the platform"),
            ("example.com/kubernetes.io", true, "only at the start"),
            ("node.beta.kubernetes.io/x", false, "anywhere"),
            (
                "app.kubernetes.io/beta.kubernetes.io",
                false,
                "the longer match decides",
            ),
            ("pod-template-hash", false, "another for every revision"),
            (
                "pod-template-hasher",
                false,
                "a pattern matches any key that starts with it",
            ),
            ("topology.kubernetes.io/zone", false, "of the node"),
            (
                "io.kubernetes.pod.namespace",
                true,
                "derived, though its prefix is excluded",
            ),
            ("io.kubernetes.pod.name", false, "not derived"),
            ("io.cilium.k8s.namespace.labels.team", true, "derived"),
            ("io.cilium.k8s.policy.serviceaccount", true, "derived"),
            ("io.cilium.k8s.policy.other", false, "nobody sets it"),
        ] {
            assert_eq!(is_identity_label(key), kept, "{key}: {why}");
        }
    }

    #[test]
    fn a_pod_cannot_choose_its_derived_labels() {
        let text = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let pod = Pod {
            namespace: "shop".into(),
            name: "web".into(),
            labels: text(&[
                ("app", "web"),
                ("io.cilium.k8s.policy.serviceaccount", "admin"),
                ("io.kubernetes.pod.namespace", "ops"),
                ("pod-template-hash", "1"),
            ]),
            service_account: None,
            ports: Vec::new(),
            addresses: Vec::new(),
            is_endpoint: true,
        };
        let identity = of_pod(&pod, Some(&text(&[("team", "red")])), "c1");
        assert_eq!(
            identity.labels.to_string(),
            "k8s:app=web,k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=shop,\
             k8s:io.cilium.k8s.namespace.labels.team=red,k8s:io.cilium.k8s.policy.cluster=c1,\
             k8s:io.kubernetes.pod.namespace=shop"
        );
    }
}

//! What a selector means in the namespace and cluster of its policy.

use policy_core::{Requirement, Selector, SelectorKey};

use crate::resource::LabelSelector;

/// The label for the namespace of an endpoint.
pub(crate) const NAMESPACE_KEY: &str = "io.kubernetes.pod.namespace";
/// What the labels for the labels of that namespace start with.
pub(crate) const NAMESPACE_LABELS_PREFIX: &str = "io.cilium.k8s.namespace.labels.";
/// The label for the cluster of an endpoint.
pub(crate) const CLUSTER_KEY: &str = "io.cilium.k8s.policy.cluster";

/// The subjects of a namespaced policy: those of its own namespace, whatever `k8s:io.kubernetes.pod.namespace` the
/// selector asks for. The same key without source stays a second condition.
pub(crate) fn subject(selector: &LabelSelector, namespace: &str) -> Selector {
    let mut equals = selector.equals.clone();
    equals.retain(|(key, _)| !(key.source() == Some("k8s") && key.key() == NAMESPACE_KEY));
    equals.extend(condition(NAMESPACE_KEY, namespace));
    complete(equals, selector)
}

/// The peers that a selector of a namespaced policy means. `cluster` is the local cluster when selectors that do not
/// mention one mean that one.
///
/// The namespace of the policy is implied unless the selector mentions a namespace or a namespace's label, whatever
/// the operator; nothing is implied for a selector over reserved labels.
pub(crate) fn peer(selector: &LabelSelector, namespace: &str, cluster: Option<&str>) -> Selector {
    let mut equals = selector.equals.clone();
    if selector.keys().any(|key| key.source() == Some("reserved")) {
        return complete(equals, selector);
    }
    let mentions = |fits: &dyn Fn(&str) -> bool| selector.keys().any(|key| is_kubernetes(key) && fits(key.key()));
    if !mentions(&|key| key == NAMESPACE_KEY || key.starts_with(NAMESPACE_LABELS_PREFIX)) {
        equals.extend(condition(NAMESPACE_KEY, namespace));
    }
    if let Some(cluster) = cluster
        && !mentions(&|key| key == CLUSTER_KEY)
    {
        equals.extend(condition(CLUSTER_KEY, cluster));
    }
    complete(equals, selector)
}

fn is_kubernetes(key: &SelectorKey) -> bool {
    key.source().is_none_or(|source| source == "k8s")
}

fn condition(key: &str, value: &str) -> Option<(SelectorKey, Box<str>)> {
    Some((SelectorKey::parse(&format!("k8s:{key}"))?, value.into()))
}

/// Equalities by key, then the expressions as written: two selectors are the same if and only if this is.
fn complete(mut equals: Vec<(SelectorKey, Box<str>)>, selector: &LabelSelector) -> Selector {
    equals.sort_by_cached_key(|(key, value)| (key.to_string(), value.clone()));
    equals.dedup();
    let equals = equals
        .into_iter()
        .map(|(key, value)| Requirement::Equals { key, value });
    Selector::new(equals.chain(selector.expressions.iter().cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SelectorKey {
        SelectorKey::parse(text).expect("key")
    }

    fn labels(pairs: &[(&str, &str)]) -> LabelSelector {
        let equals = pairs.iter().map(|(k, v)| (key(k), Box::from(*v))).collect();
        LabelSelector {
            equals,
            expressions: Vec::new(),
        }
    }

    #[test]
    fn a_subject_is_in_the_namespace_of_its_policy() {
        for (selector, want, why) in [
            (labels(&[]), "k8s:io.kubernetes.pod.namespace=shop", "everything there"),
            (
                labels(&[("app", "web")]),
                "any:app=web, k8s:io.kubernetes.pod.namespace=shop",
                "and the labels asked for",
            ),
            (
                labels(&[("k8s:io.kubernetes.pod.namespace", "ops")]),
                "k8s:io.kubernetes.pod.namespace=shop",
                "another namespace is overwritten",
            ),
            (
                labels(&[("io.kubernetes.pod.namespace", "ops")]),
                "any:io.kubernetes.pod.namespace=ops, k8s:io.kubernetes.pod.namespace=shop",
                "without source it stays, and selects nothing",
            ),
        ] {
            assert_eq!(subject(&selector, "shop").to_string(), want, "{why}");
        }
    }

    #[test]
    fn a_peer_is_near_unless_the_selector_looks_further() {
        let own = "k8s:io.cilium.k8s.policy.cluster=c1, k8s:io.kubernetes.pod.namespace=shop";
        let cluster = "k8s:io.cilium.k8s.policy.cluster=c1";
        let expression = |requirement| LabelSelector {
            equals: Vec::new(),
            expressions: vec![requirement],
        };
        for (selector, want, why) in [
            (labels(&[]), own.to_owned(), "the namespace and cluster of the policy"),
            (
                labels(&[("io.kubernetes.pod.namespace", "ops")]),
                format!("any:io.kubernetes.pod.namespace=ops, {cluster}"),
                "a namespace it names",
            ),
            (
                expression(Requirement::NotIn {
                    key: key("k8s:io.kubernetes.pod.namespace"),
                    values: vec!["ops".into()],
                }),
                format!("{cluster}, k8s:io.kubernetes.pod.namespace not in (ops)"),
                "any mention of the namespace counts",
            ),
            (
                labels(&[("io.cilium.k8s.namespace.labels.team", "blue")]),
                format!("any:io.cilium.k8s.namespace.labels.team=blue, {cluster}"),
                "so does a label of the namespace",
            ),
            (
                labels(&[("container:io.kubernetes.pod.namespace", "ops")]),
                format!("container:io.kubernetes.pod.namespace=ops, {own}"),
                "but not the key of another source",
            ),
            (
                labels(&[("io.cilium.k8s.policy.cluster", "c2")]),
                "any:io.cilium.k8s.policy.cluster=c2, k8s:io.kubernetes.pod.namespace=shop".to_owned(),
                "another cluster, same namespace",
            ),
            (
                labels(&[("reserved:host", "")]),
                "reserved:host=".to_owned(),
                "reserved labels are untouched",
            ),
        ] {
            assert_eq!(peer(&selector, "shop", Some("c1")).to_string(), want, "{why}");
        }
        assert_eq!(
            peer(&labels(&[]), "shop", None).to_string(),
            "k8s:io.kubernetes.pod.namespace=shop",
            "no cluster unless asked for"
        );
    }
}

//! What a selector means in the namespace and cluster of its policy.

use policy_core::{Requirement, Selector, SelectorKey};

use crate::resource::LabelSelector;

/// The label for the namespace of an endpoint.
pub(crate) const NAMESPACE_KEY: &str = "io.kubernetes.pod.namespace";
/// What the labels for the labels of that namespace start with.
pub(crate) const NAMESPACE_LABELS_PREFIX: &str = "io.cilium.k8s.namespace.labels.";
/// The label for the cluster of an endpoint.
pub(crate) const CLUSTER_KEY: &str = "io.cilium.k8s.policy.cluster";
const RESERVED: &str = "reserved";

/// Where the selectors of a rule look when they do not say where.
#[derive(Clone, Copy)]
pub(crate) enum Reach<'a> {
    /// In the namespace of the policy.
    Namespace(&'a str),
    /// In every namespace: the policy is for the whole cluster.
    Namespaces,
    /// Wherever there is an identity: the policy is for the whole cluster, and its subjects have no namespace yet.
    Anywhere,
}

impl<'a> Reach<'a> {
    /// The reach of a rule with this subject, of a policy of this namespace.
    pub(crate) fn new(namespace: Option<&'a str>, subject: &LabelSelector) -> Self {
        let is_init = |key: &SelectorKey| key.source() == Some(RESERVED) && key.key() == "init";
        match namespace {
            Some(namespace) => Self::Namespace(namespace),
            None if subject.keys().any(is_init) => Self::Anywhere,
            None => Self::Namespaces,
        }
    }
}

/// The subjects of a policy. Those of a namespaced one are in its own namespace, whatever
/// `k8s:io.kubernetes.pod.namespace` the selector asks for; the same key without source stays a second condition.
pub(crate) fn subject(selector: &LabelSelector, namespace: Option<&str>) -> Selector {
    let mut equals = selector.equals.clone();
    if let Some(namespace) = namespace {
        equals.retain(|(key, _)| !(key.source() == Some("k8s") && key.key() == NAMESPACE_KEY));
        equals.extend(condition(NAMESPACE_KEY, namespace));
    }
    complete(equals, selector.expressions.clone())
}

/// The peers that a selector means. `cluster` is the local cluster when selectors that do not mention one mean that
/// one.
///
/// A namespace is implied unless the selector mentions one, whatever the operator; the namespace of the policy is not
/// implied for a label of the namespace either. Nothing is implied for a selector over reserved labels.
pub(crate) fn peer(selector: &LabelSelector, reach: Reach<'_>, cluster: Option<&str>) -> Selector {
    let mut equals = selector.equals.clone();
    let mut expressions = selector.expressions.clone();
    if selector.keys().any(|key| key.source() == Some(RESERVED)) {
        return complete(equals, expressions);
    }
    if !mentions(selector, |key| key == NAMESPACE_KEY) {
        match reach {
            Reach::Namespace(_) if mentions(selector, |key| key.starts_with(NAMESPACE_LABELS_PREFIX)) => {}
            Reach::Namespace(namespace) => equals.extend(condition(NAMESPACE_KEY, namespace)),
            Reach::Namespaces => expressions.extend(exists("k8s", NAMESPACE_KEY)),
            Reach::Anywhere => {}
        }
    }
    equals.extend(own_cluster(selector, cluster));
    complete(equals, expressions)
}

/// The nodes that a selector means: never the subject's own.
pub(crate) fn nodes(selector: &LabelSelector, cluster: Option<&str>) -> Selector {
    let mut equals = selector.equals.clone();
    equals.extend(own_cluster(selector, cluster));
    let mut expressions = selector.expressions.clone();
    expressions.extend(exists(RESERVED, "remote-node"));
    complete(equals, expressions)
}

/// A selector that is complete as it is.
pub(crate) fn as_written(selector: &LabelSelector) -> Selector {
    complete(selector.equals.clone(), selector.expressions.clone())
}

fn mentions(selector: &LabelSelector, fits: impl Fn(&str) -> bool) -> bool {
    let is_kubernetes = |key: &SelectorKey| key.source().is_none_or(|source| source == "k8s");
    selector.keys().any(|key| is_kubernetes(key) && fits(key.key()))
}

fn own_cluster(selector: &LabelSelector, cluster: Option<&str>) -> Option<(SelectorKey, Box<str>)> {
    let cluster = cluster.filter(|_| !mentions(selector, |key| key == CLUSTER_KEY));
    condition(CLUSTER_KEY, cluster?)
}

fn condition(key: &str, value: &str) -> Option<(SelectorKey, Box<str>)> {
    Some((SelectorKey::parse(&format!("k8s:{key}"))?, value.into()))
}

fn exists(source: &str, key: &str) -> Option<Requirement> {
    let key = SelectorKey::parse(&format!("{source}:{key}"))?;
    Some(Requirement::Exists { key })
}

/// Equalities by key, then the expressions as written: two selectors are the same if and only if this is.
fn complete(mut equals: Vec<(SelectorKey, Box<str>)>, expressions: Vec<Requirement>) -> Selector {
    equals.sort_by_cached_key(|(key, value)| (key.to_string(), value.clone()));
    equals.dedup();
    let equals = equals
        .into_iter()
        .map(|(key, value)| Requirement::Equals { key, value });
    Selector::new(equals.chain(expressions).collect())
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
            assert_eq!(subject(&selector, Some("shop")).to_string(), want, "{why}");
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
            assert_eq!(
                peer(&selector, Reach::Namespace("shop"), Some("c1")).to_string(),
                want,
                "{why}"
            );
        }
        assert_eq!(
            peer(&labels(&[]), Reach::Namespace("shop"), None).to_string(),
            "k8s:io.kubernetes.pod.namespace=shop",
            "no cluster unless asked for"
        );
    }

    #[test]
    fn a_cluster_wide_policy_reaches_every_namespace() {
        let everything = labels(&[]);
        assert_eq!(subject(&everything, None), Selector::default(), "every endpoint");
        let namespaced = "k8s:io.kubernetes.pod.namespace exists";
        let cluster = "k8s:io.cilium.k8s.policy.cluster=c1";
        for (subject, peers, want, why) in [
            (
                &[][..],
                &[][..],
                format!("{cluster}, {namespaced}"),
                "every managed pod",
            ),
            (
                &[],
                &[("io.cilium.k8s.namespace.labels.team", "blue")],
                format!("any:io.cilium.k8s.namespace.labels.team=blue, {cluster}, {namespaced}"),
                "a label of the namespace is one condition more",
            ),
            (
                &[],
                &[("io.kubernetes.pod.namespace", "ops")],
                format!("any:io.kubernetes.pod.namespace=ops, {cluster}"),
                "a namespace it names",
            ),
            (
                &[("reserved:init", "")],
                &[],
                cluster.to_owned(),
                "what starts up may need what has no namespace",
            ),
            (
                &[("init", "")],
                &[],
                format!("{cluster}, {namespaced}"),
                "a label of the same name is another",
            ),
            (
                &[],
                &[("reserved:world", "")],
                "reserved:world=".to_owned(),
                "reserved labels are untouched",
            ),
        ] {
            let reach = Reach::new(None, &labels(subject));
            assert_eq!(peer(&labels(peers), reach, Some("c1")).to_string(), want, "{why}");
        }
    }

    #[test]
    fn nodes_are_remote_and_near() {
        let gateways = labels(&[("role", "gw")]);
        for (cluster, want) in [
            (
                Some("c1"),
                "any:role=gw, k8s:io.cilium.k8s.policy.cluster=c1, reserved:remote-node exists",
            ),
            (None, "any:role=gw, reserved:remote-node exists"),
        ] {
            assert_eq!(nodes(&gateways, cluster).to_string(), want);
        }
    }
}

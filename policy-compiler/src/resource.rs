//! Kubernetes objects as far as policies are concerned: valid, but names and namespaces not yet resolved.

use std::{collections::BTreeMap, net::IpAddr};

use policy_core::{
    Protocol, Requirement, SelectorKey,
    bundle::{DefaultDeny, NamedPort, PeerPattern, PortRule},
};

/// A decoded object.
#[derive(Debug)]
pub(crate) enum Resource {
    Policy(Policy),
    Pod(Pod),
    Namespace(Namespace),
    Service(Service),
}

/// A namespaced policy.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    /// `spec` or `specs[1]`.
    pub(crate) path: String,
    pub(crate) subject: LabelSelector,
    pub(crate) default_deny: DefaultDeny,
    pub(crate) ingress: Vec<Element>,
    pub(crate) ingress_deny: Vec<Element>,
    pub(crate) egress: Vec<Element>,
    pub(crate) egress_deny: Vec<Element>,
}

#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) peers: Peers,
    /// Absent: the element names no ports. Empty: it names none that exist.
    pub(crate) ports: Option<Vec<PortRule>>,
}

#[derive(Debug)]
pub(crate) enum Peers {
    /// The element says nothing about peers.
    Unspecified,
    /// An explicit empty list.
    Nothing,
    /// Everything there is.
    Any,
    /// Endpoints, still to be scoped.
    Endpoints(Vec<LabelSelector>),
    /// Peers that need no scoping.
    Patterns(Vec<PeerPattern>),
}

/// A selector as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelSelector {
    /// `matchLabels`; `app` and `any:app` are two entries.
    pub(crate) equals: Vec<(SelectorKey, Box<str>)>,
    /// `matchExpressions`, in the order written.
    pub(crate) expressions: Vec<Requirement>,
}

impl LabelSelector {
    /// Every key that the selector mentions.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &SelectorKey> {
        self.equals
            .iter()
            .map(|(key, _)| key)
            .chain(self.expressions.iter().map(Requirement::key))
    }
}

#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) service_account: Option<String>,
    pub(crate) ports: Vec<NamedPort>,
    pub(crate) addresses: Vec<IpAddr>,
    /// Whether it has an endpoint of its own: neither on the host network nor finished.
    pub(crate) is_endpoint: bool,
}

#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
}

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Empty: the service has no selector, and its backends are not known.
    pub(crate) selector: BTreeMap<String, String>,
    /// Virtual addresses; none for a headless service.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ports: Vec<ServicePort>,
}

#[derive(Debug)]
pub(crate) struct ServicePort {
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    pub(crate) target: TargetPort,
}

#[derive(Debug)]
pub(crate) enum TargetPort {
    Number(u16),
    /// In lower case.
    Name(String),
}

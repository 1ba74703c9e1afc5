//! Kubernetes objects as far as policies are concerned: valid, but names and namespaces not yet resolved.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use policy_core::{
    Labels, Protocol, Requirement, SelectorKey,
    bundle::{Authentication, CidrGroup, DefaultDeny, Mode, NamedPort, PeerPattern, PortRule},
};

use crate::diagnostic::Diagnostic;

/// A decoded object.
#[derive(Debug)]
pub(crate) enum Resource {
    Policy(Policy),
    Pod(Pod),
    Namespace(Namespace),
    Node(Node),
    Service(Service),
    Backends(Backends),
    /// The name of the object and what it says.
    CidrGroup(String, CidrGroup),
}

/// A policy of any kind.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) kind: String,
    /// Absent: the policy applies to all namespaces.
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    pub(crate) mode: Mode,
    /// Those for nodes are left out, so there may be none.
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    /// `spec` or `specs[1]`.
    pub(crate) path: String,
    /// Still to be limited to the namespace of the policy.
    pub(crate) subject: LabelSelector,
    pub(crate) default_deny: DefaultDeny,
    pub(crate) ingress: Vec<Element>,
    pub(crate) ingress_deny: Vec<Element>,
    pub(crate) egress: Vec<Element>,
    pub(crate) egress_deny: Vec<Element>,
}

#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) peers: Peers,
    /// Absent: the element names no ports. Empty: it names none that exist.
    pub(crate) ports: Option<Vec<PortRule>>,
    pub(crate) authentication: Option<Authentication>,
}

#[derive(Debug, Default)]
pub(crate) enum Peers {
    /// The element says nothing about peers.
    #[default]
    Unspecified,
    /// An explicit empty list.
    Nothing,
    /// Everything there is.
    Any,
    /// Those that one of these matches.
    OneOf(Vec<Peer>),
    /// What stands behind services, still to be found.
    Services(Services),
}

#[derive(Debug)]
pub(crate) enum Peer {
    /// Endpoints, still to be limited to the namespace and cluster of the policy.
    Endpoints(LabelSelector),
    /// Nodes other than the subject's own, still to be limited to the cluster of the policy.
    Nodes(LabelSelector),
    /// Addresses outside the cluster whose labels match.
    External {
        selector: LabelSelector,
        except: Vec<IpNet>,
    },
    /// A pattern without selector.
    Pattern(PeerPattern),
}

/// The services of a `toServices`.
#[derive(Debug)]
pub(crate) struct Services {
    pub(crate) wanted: Vec<ServiceQuery>,
    /// What there is to say if none of them is known.
    pub(crate) unresolved: Box<Diagnostic>,
}

/// A way to name services.
#[derive(Debug)]
pub(crate) struct ServiceQuery {
    /// Absent: any namespace.
    pub(crate) namespace: Option<String>,
    pub(crate) service: ServicePattern,
}

#[derive(Debug)]
pub(crate) enum ServicePattern {
    Name(String),
    /// Over the labels of the service, whatever source the keys ask for.
    Labels(LabelSelector),
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
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) addresses: Vec<IpAddr>,
}

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// With source `k8s`.
    pub(crate) labels: Labels,
    /// Empty: the service has no selector, and its backends are those of its `EndpointSlice`s.
    pub(crate) selector: BTreeMap<String, String>,
    /// Virtual addresses; none for a headless service.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ports: Vec<ServicePort>,
    /// What there is to say about a service without selector if its backends are not all in the cluster.
    pub(crate) unknown_backends: Option<Box<Diagnostic>>,
}

#[derive(Debug)]
pub(crate) struct ServicePort {
    /// Empty if there is only one.
    pub(crate) name: String,
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

/// What stands behind a service: an `EndpointSlice` or an `Endpoints`.
#[derive(Debug)]
pub(crate) struct Backends {
    pub(crate) kind: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The name of the service.
    pub(crate) service: String,
    pub(crate) subsets: Vec<Subset>,
}

/// Addresses that share ports.
#[derive(Debug)]
pub(crate) struct Subset {
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) ports: Vec<BackendPort>,
}

/// A port behind the port of a service that has the same name and protocol.
#[derive(Debug)]
pub(crate) struct BackendPort {
    pub(crate) name: String,
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
}

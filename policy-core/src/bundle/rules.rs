//! The rules of a policy in wire form.
//!
//! Names and namespaces are resolved by the compiler: a selector here is complete, `ANY` is expanded, an entity is
//! a closed word. Nothing here depends on the order of policies, rules or elements.

use alloc::{boxed::Box, string::String, vec::Vec};
use ipnet::IpNet;

use crate::flow::{IcmpFamily, Protocol};

/// One rule: a subject and what it may do.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Where in the object: `spec` or `specs[1]`.
    pub path: Box<str>,
    /// The endpoints it applies to: position in [`Bundle::selectors`](super::Bundle::selectors).
    pub subject: u32,
    /// The directions in which the rule isolates its subject, if it has an element for that direction.
    #[serde(default)]
    pub default_deny: DefaultDeny,
    /// What may come in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<Element>,
    /// What may not come in; beats every allow of every policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingress_deny: Vec<Element>,
    /// What may go out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<Element>,
    /// What may not go out; beats every allow of every policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress_deny: Vec<Element>,
}

/// The directions in which a rule isolates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefaultDeny {
    /// What no allow names may not come in.
    pub ingress: bool,
    /// What no allow names may not go out.
    pub egress: bool,
}

/// One list item of a rule: these peers **and** these ports.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Element {
    /// Which peers.
    pub peers: Peers,
    /// Which ports. Absent: every protocol and port, ICMP included. Empty: none, so the element matches no traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<PortRule>>,
    /// How the peer must have proven who it is. Absent: what broader allow rules for the same peer ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
}

/// How a peer must have proven who it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authentication {
    /// It need not, whatever broader rules ask for.
    Disabled,
    /// By a credential that was verified, such as a client certificate.
    Required,
    /// No proof is ever enough: for tests.
    TestAlwaysFail,
}

impl Authentication {
    /// The name as policies write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Required => "required",
            Self::TestAlwaysFail => "test-always-fail",
        }
    }
}

/// The peers of an [`Element`].
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Peers {
    /// Every peer, known or not.
    Any,
    /// No peer: the element matches no traffic, though it still isolates its subject.
    None,
    /// Those that one of the patterns matches. An empty list matches no peer.
    OneOf(Vec<PeerPattern>),
}

/// A way to name peers.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PeerPattern {
    /// Identities whose labels match: position in [`Bundle::selectors`](super::Bundle::selectors).
    Selector(u32),
    /// A group of reserved identities.
    Entity(ReservedEntity),
    /// Addresses outside the cluster. Never matches an endpoint or a node, not even `0.0.0.0/0`.
    Cidr {
        /// The addresses; host bits are ignored.
        prefix: IpNet,
        /// Those among them that do not match.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<IpNet>,
    },
    /// Addresses outside the cluster whose labels match: those that the bundle's groups give them, and their own.
    /// Never matches an endpoint or a node, whatever the selector says.
    External {
        /// Position in [`Bundle::selectors`](super::Bundle::selectors).
        selector: u32,
        /// Those among the addresses that do not match.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<IpNet>,
    },
    /// Addresses wherever they are: outside the cluster or inside it.
    Address {
        /// The addresses; host bits are ignored.
        prefix: IpNet,
        /// Those among them that do not match.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<IpNet>,
    },
    /// Addresses outside the cluster that DNS gave for exactly this name.
    MatchName(Box<str>),
    /// Addresses outside the cluster that DNS gave for a name of this pattern.
    MatchPattern(Box<str>),
}

/// The entities that stand for reserved identities.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReservedEntity {
    /// Everything outside the cluster.
    World,
    /// Everything outside the cluster, by IPv4.
    WorldIpv4,
    /// Everything outside the cluster, by IPv6.
    WorldIpv6,
    /// Every endpoint and node of this cluster.
    Cluster,
    /// Every endpoint of another cluster.
    ClusterMesh,
    /// The node of the subject.
    Host,
    /// Endpoints whose labels are not known yet.
    Init,
    /// The ingress of the cluster.
    Ingress,
    /// Workloads that no policy manages.
    Unmanaged,
    /// Other nodes.
    RemoteNode,
    /// The health endpoint.
    Health,
    /// The Kubernetes API server, inside or outside the cluster.
    KubeApiserver,
    /// Nothing, ever.
    None,
}

/// One `toPorts` item: ports, and what a connection on them must show.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortRule {
    /// Which ports. An empty list matches no traffic.
    pub ports: Vec<PortPattern>,
    /// What is allowed on a connection. Absent: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<L7Rules>,
    /// TLS server names of which the client must ask for one, as patterns. Empty: TLS or not, any name will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_names: Vec<Box<str>>,
    /// The secret that the proxy ends the client's TLS with. Absent: TLS passes through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminating_tls: Option<Box<str>>,
    /// The secret that the proxy begins its own TLS with, towards the upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub originating_tls: Option<Box<str>>,
    /// The custom listener that takes the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<Listener>,
}

/// A custom listener that a connection is redirected to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// Its full name.
    pub name: Box<str>,
    /// Which of several redirections wins: the smallest number. Absent: it loses against all that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
}

/// What is allowed on a connection, one rule of which must match. An empty list is refused: leave it out instead.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum L7Rules {
    /// These HTTP requests. Only on TCP.
    Http(Vec<HttpRule>),
    /// These DNS queries. Only on egress, to single ports.
    Dns(Vec<DnsRule>),
    /// These Kafka requests. Only on TCP.
    Kafka(Vec<KafkaRule>),
}

/// Ports of one protocol.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PortPattern {
    /// Ports of TCP, UDP or SCTP.
    Port {
        /// The protocol, never ICMP.
        protocol: Protocol,
        /// Which ports of it.
        numbers: PortNumbers,
    },
    /// ICMP messages.
    Icmp {
        /// Of this IP version.
        family: IcmpFamily,
        /// Of this type; absent for every type.
        #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
        message_type: Option<u8>,
    },
}

/// Which ports of a protocol.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PortNumbers {
    /// All of them.
    All,
    /// From the first to the last, both included. The first is never above the last.
    Range(u16, u16),
    /// The port that the destination gives this name, in lower case. A destination without it never matches.
    Named {
        /// The name.
        name: Box<str>,
        /// On ingress, the last port of a range that starts at the named one. Ignored on egress.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<u16>,
    },
}

/// Conditions on one HTTP request, all of which must hold. Without any, every request is allowed.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRule {
    /// RE2 pattern that the whole method must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Box<str>>,
    /// RE2 pattern that the whole path, with its query, must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Box<str>>,
    /// RE2 pattern that the whole authority, with its port if the client sent one, must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Box<str>>,
    /// Headers that must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderRule>,
    /// Headers that must be there, or are changed if they are not as expected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub header_matches: Vec<HeaderMatch>,
}

/// A condition on one header.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderRule {
    /// The name, in lower case.
    pub name: Box<str>,
    /// The exact value; a repeated header is compared as its values joined by commas. Absent: any value will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<str>>,
}

/// An expectation about one header, and what to do if it is not met.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderMatch {
    /// The name, in lower case.
    pub name: Box<str>,
    /// What is expected.
    pub expected: ExpectedHeader,
    /// What to do if it is not met. Absent: the rule does not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mismatch: Option<MismatchAction>,
    /// Whether the expected value is a secret that no log may show.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub secret: bool,
}

/// What a [`HeaderMatch`] expects.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ExpectedHeader {
    /// The header is there, whatever its value.
    Present,
    /// The header has exactly this value; a repeated header is compared as its values joined by commas.
    Value(Box<str>),
    /// The value is a secret that nobody could read: the rule never matches, whatever the mismatch action.
    Unobtainable,
}

/// What to do with a request that does not meet a [`HeaderMatch`]. It is allowed all the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MismatchAction {
    /// Report it.
    Log,
    /// Append the header with the expected value.
    Add,
    /// Remove the header if it has another value.
    Delete,
    /// Set the header to the expected value.
    Replace,
}

/// A DNS query that is allowed. Exactly one of the two must be there.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum DnsRule {
    /// Queries for exactly this name.
    MatchName(Box<str>),
    /// Queries for names of this pattern.
    MatchPattern(Box<str>),
}

/// Conditions on one Kafka request, all of which must hold. Without any, every request is allowed.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KafkaRule {
    /// The API keys that are allowed. Empty: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub api_keys: Vec<i16>,
    /// The API version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<i16>,
    /// The client's name for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Box<str>>,
    /// The topic. Requests of kinds that have no topics are allowed whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Box<str>>,
}

impl Rule {
    /// A rule without elements, for this subject.
    pub fn new(path: impl Into<String>, subject: u32) -> Self {
        Self {
            path: path.into().into(),
            subject,
            default_deny: DefaultDeny::default(),
            ingress: Vec::new(),
            ingress_deny: Vec::new(),
            egress: Vec::new(),
            egress_deny: Vec::new(),
        }
    }
}

impl ReservedEntity {
    /// The name as policies write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::World => "world",
            Self::WorldIpv4 => "world-ipv4",
            Self::WorldIpv6 => "world-ipv6",
            Self::Cluster => "cluster",
            Self::ClusterMesh => "cluster-mesh",
            Self::Host => "host",
            Self::Init => "init",
            Self::Ingress => "ingress",
            Self::Unmanaged => "unmanaged",
            Self::RemoteNode => "remote-node",
            Self::Health => "health",
            Self::KubeApiserver => "kube-apiserver",
            Self::None => "none",
        }
    }
}

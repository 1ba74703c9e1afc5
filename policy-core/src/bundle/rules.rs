//! The rules of a policy in wire form.
//!
//! Names and namespaces are resolved by the compiler: a selector here is complete, `ANY` is expanded, an entity is
//! a closed word. Nothing here depends on the order of policies, rules or elements.

use alloc::{boxed::Box, string::String, vec::Vec};
use ipnet::IpNet;

use crate::flow::{IcmpFamily, Protocol};

/// One rule: a subject and what it may do.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", deny_unknown_fields))]
pub struct Rule {
    /// Where in the object: `spec` or `specs[1]`.
    pub path: Box<str>,
    /// The endpoints it applies to: position in [`Bundle::selectors`](super::Bundle::selectors).
    pub subject: u32,
    /// The directions in which the rule isolates its subject, if it has an element for that direction.
    #[cfg_attr(feature = "serde", serde(default))]
    pub default_deny: DefaultDeny,
    /// What may come in.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub ingress: Vec<Element>,
    /// What may not come in; beats every allow of every policy.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub ingress_deny: Vec<Element>,
    /// What may go out.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub egress: Vec<Element>,
    /// What may not go out; beats every allow of every policy.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub egress_deny: Vec<Element>,
}

/// The directions in which a rule isolates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", deny_unknown_fields))]
pub struct DefaultDeny {
    /// What no allow names may not come in.
    pub ingress: bool,
    /// What no allow names may not go out.
    pub egress: bool,
}

/// One list item of a rule: these peers **and** these ports.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", deny_unknown_fields))]
pub struct Element {
    /// Which peers.
    pub peers: Peers,
    /// Which ports. Absent: every protocol and port, ICMP included. Empty: none, so the element matches no traffic.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub ports: Option<Vec<PortRule>>,
}

/// The peers of an [`Element`].
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", deny_unknown_fields))]
pub enum Peers {
    /// Every peer, known or not.
    Any,
    /// No peer: the element matches no traffic, though it still isolates its subject.
    None,
    /// Those that one of the patterns matches. An empty list matches no peer.
    OneOf(Vec<PeerPattern>),
}

/// A way to name peers.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", deny_unknown_fields))]
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
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
        except: Vec<IpNet>,
    },
    /// Addresses outside the cluster that DNS gave for exactly this name.
    MatchName(Box<str>),
    /// Addresses outside the cluster that DNS gave for a name of this pattern.
    MatchPattern(Box<str>),
}

/// The entities that stand for reserved identities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum ReservedEntity {
    /// Everything outside the cluster.
    World,
    /// Everything outside the cluster, by IPv4.
    WorldIpv4,
    /// Everything outside the cluster, by IPv6.
    WorldIpv6,
    /// Every endpoint and node of this cluster.
    Cluster,
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
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", deny_unknown_fields))]
pub struct PortRule {
    /// Which ports. An empty list matches no traffic.
    pub ports: Vec<PortPattern>,
    /// HTTP requests that are allowed. Absent: all traffic is. Empty is refused.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub http: Option<Vec<HttpRule>>,
}

/// Ports of one protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", deny_unknown_fields))]
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
        #[cfg_attr(
            feature = "serde",
            serde(default, rename = "type", skip_serializing_if = "Option::is_none")
        )]
        message_type: Option<u8>,
    },
}

/// Which ports of a protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", deny_unknown_fields))]
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
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        end: Option<u16>,
    },
}

/// Conditions on one HTTP request, all of which must hold. Without any, every request is allowed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", deny_unknown_fields))]
pub struct HttpRule {
    /// RE2 pattern that the whole method must match.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub method: Option<Box<str>>,
    /// RE2 pattern that the whole path, with its query, must match.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub path: Option<Box<str>>,
    /// RE2 pattern that the whole authority, with its port if the client sent one, must match.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub host: Option<Box<str>>,
    /// Headers that must be there.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub headers: Vec<HeaderRule>,
}

/// A condition on one header.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", deny_unknown_fields))]
pub struct HeaderRule {
    /// The name, in lower case.
    pub name: Box<str>,
    /// The exact value; a repeated header is compared as its values joined by commas. Absent: any value will do.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub value: Option<Box<str>>,
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

//! The bundle: the pushed policy in its wire form, version 1.
//!
//! A bundle is self-contained and deterministic: the same objects give the same bytes. It is strict: an unknown
//! field is an error, so that an older engine never ignores a rule it does not understand. Indices (`selector`,
//! `identity`) point into the bundle's own lists and are checked by [`Engine::new`](crate::Engine::new).
//!
//! Every list that is absent is empty, every option that is absent has its default. What an *empty* list means is
//! said at each field.

mod address;
mod audit;
mod error;
mod rules;
#[cfg(feature = "json")]
mod wire;

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};
use core::net::IpAddr;

pub use address::{AddressEntry, AllowLocalhost, CidrGroup, Enforcement, Options, Stack};
pub use audit::Mode;
pub use error::BundleError;
pub use rules::{
    Authentication, DefaultDeny, DnsRule, Element, ExpectedHeader, HeaderMatch, HeaderRule, HttpRule, KafkaRule,
    L7Rules, Listener, MismatchAction, PeerPattern, Peers, PortNumbers, PortPattern, PortRule, ReservedEntity, Rule,
};

use crate::{flow::Protocol, labels::Labels, selector::Selector};

/// The version that this engine reads and writes.
pub const VERSION: u32 = 1;

/// The pushed policy: everything the engine needs to decide.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// Always [`VERSION`].
    pub version: u32,
    /// `sha256:<hex>` of the JSON text without this member, which is the first one if it is there. When present it must
    /// be right; when absent nothing is checked. It names the policy in metrics, logs and tools.
    #[serde(default, skip_serializing)]
    pub digest: Option<String>,
    /// How the policies are read.
    #[serde(default)]
    pub options: Options,
    /// Label selectors, each written once and referred to by its position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<Selector>,
    /// The policies. Without any, no endpoint is isolated and everything is allowed (in enforcement mode `default`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Policy>,
    /// The identities of endpoints and nodes, each written once and referred to by its position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
    /// The workloads of the cluster. An address that belongs to none of them, and to no entry of `addresses`, is
    /// outside the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// Addresses with labels of their own that are no endpoint's: nodes, the health endpoint, an API server, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressEntry>,
    /// Labels that prefixes outside the cluster have. An address has those of every group that holds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<CidrGroup>,
    /// What DNS said: name (lower case, trailing dot) to addresses. Used by FQDN peers only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Vec<IpAddr>>,
    /// Virtual addresses and the endpoints behind them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
}

/// One policy object.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// The kind of the object it came from, for example `CiliumNetworkPolicy`.
    pub kind: String,
    /// Its namespace; absent for a cluster-wide object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether it has an effect on traffic.
    #[serde(default, skip_serializing_if = "Mode::is_enforce")]
    pub mode: Mode,
    /// Its rules, at least one.
    pub rules: Vec<Rule>,
}

/// Labels that some endpoints or nodes share, together with the ports they name.
///
/// Two pods with the same labels but other named ports have different identities here, because an ingress rule on
/// a named port means the port of the very pod.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The label set.
    pub labels: Labels,
    /// The named ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<NamedPort>,
}

/// A container port with a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedPort {
    /// The name, in lower case.
    pub name: Box<str>,
    /// The protocol that the name is for.
    pub protocol: Protocol,
    /// The number.
    pub port: u16,
}

/// A workload.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Endpoint {
    /// `namespace/name`, for people.
    pub name: String,
    /// Position in [`Bundle::identities`].
    pub identity: u32,
    /// Its addresses. Without any, the endpoint is never found by address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
}

/// A virtual address and port that stands for endpoints.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// `namespace/name`, for people.
    pub name: String,
    /// The virtual address.
    pub address: IpAddr,
    /// The protocol of the port.
    pub protocol: Protocol,
    /// The port of the virtual address.
    pub port: u16,
    /// Where connections may end up. Without any, a connection to the service is denied: nobody knows its peer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<Backend>,
}

/// One endpoint behind a [`Service`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backend {
    /// Position in [`Bundle::identities`].
    pub identity: u32,
    /// The port after translation.
    pub port: u16,
}

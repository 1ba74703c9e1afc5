//! Options of a bundle and its entries for addresses without an endpoint.

use alloc::{string::String, vec::Vec};
use ipnet::IpNet;

use crate::labels::Labels;

/// How policies are read; the defaults are Cilium's on Kubernetes.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Options {
    /// Which endpoints are isolated.
    pub enforcement: Enforcement,
    /// The name of this cluster, which its endpoints carry as a label.
    pub cluster: String,
    /// The IP versions in use, which decide how addresses outside the cluster are labelled.
    pub stack: Stack,
    /// Whether an isolated endpoint still accepts its own host.
    pub allow_localhost: AllowLocalhost,
    /// Whether all policies are in audit mode: nothing is denied, and what would be is known.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub audit: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enforcement: Enforcement::default(),
            cluster: "default".into(),
            stack: Stack::default(),
            allow_localhost: AllowLocalhost::default(),
            audit: false,
        }
    }
}

/// Which endpoints are isolated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Enforcement {
    /// Those that a policy isolates, in the directions it isolates.
    #[default]
    Default,
    /// All of them, in both directions.
    Always,
    /// None: everything is allowed.
    Never,
}

/// The IP versions in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stack {
    /// Both: addresses outside are `reserved:world-ipv4` or `reserved:world-ipv6`.
    #[default]
    Dual,
    /// Only IPv4: addresses outside are `reserved:world`.
    Ipv4,
    /// Only IPv6: addresses outside are `reserved:world`.
    Ipv6,
}

/// Whether an isolated endpoint still accepts its own host on ingress (an explicit deny of the host wins).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AllowLocalhost {
    /// It does.
    #[default]
    Always,
    /// Only if a policy says so.
    Policy,
}

/// Addresses of one identity without being an endpoint.
///
/// They are in the cluster, unless the identity has a `reserved:world…` label: then they are outside, and rules for
/// prefixes and for the world match them.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddressEntry {
    /// The addresses; host bits are ignored. The longest prefix that holds an address decides.
    pub prefix: IpNet,
    /// Position in [`Bundle::identities`](super::Bundle::identities).
    pub identity: u32,
}

/// Prefixes outside the cluster that share labels.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CidrGroup {
    /// The labels, of source `cidrgroup`.
    pub labels: Labels,
    /// The addresses; host bits are ignored. Without any the group has no effect.
    pub prefixes: Vec<IpNet>,
}

//! How the objects are read.

use policy_core::bundle::{AllowLocalhost, Enforcement, Stack};
use serde::Deserialize;

/// How the objects are read. The defaults are those of Cilium, with the validation that a cluster has.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompileOptions {
    /// Whose checks an object must pass.
    pub validation: Validation,
    /// The IP versions in use.
    pub stack: Stack,
    /// Which endpoints are isolated.
    pub enforcement: Enforcement,
    /// Whether an isolated endpoint still accepts its own host.
    pub allow_localhost: AllowLocalhost,
    /// Whether all policies are in audit mode, whatever their annotations say: nothing is denied.
    pub audit: bool,
    /// Whether a peer selector that does not mention the cluster means this cluster only.
    pub policy_default_local_cluster: bool,
    /// Whether rules on requests are allowed at all.
    pub l7_proxy: bool,
    /// Whether `fromNodes` and `toNodes` are allowed.
    pub enable_node_selector_labels: bool,
    /// What a `toServices` that finds no service means.
    pub unresolved_services: UnresolvedServices,
    /// How a Kubernetes NetworkPolicy is read.
    pub network_policy: NetworkPolicyDialect,
    /// The name of this cluster.
    #[serde(skip, default = "default_cluster")]
    pub cluster: String,
    /// The namespace of objects that need one and do not say which. Without it a `CiliumNetworkPolicy` that does not say
    /// applies to all namespaces, and any other object is in `default`.
    #[serde(skip)]
    pub default_namespace: Option<String>,
    /// Only what concerns these endpoints (`namespace/name`); absent for everything.
    #[serde(skip)]
    pub subjects: Option<Vec<String>>,
}

fn default_cluster() -> String {
    policy_core::bundle::Options::default().cluster
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            validation: Validation::default(),
            stack: Stack::default(),
            enforcement: Enforcement::default(),
            allow_localhost: AllowLocalhost::default(),
            audit: false,
            policy_default_local_cluster: true,
            l7_proxy: true,
            enable_node_selector_labels: false,
            unresolved_services: UnresolvedServices::default(),
            network_policy: NetworkPolicyDialect::default(),
            cluster: default_cluster(),
            default_namespace: None,
            subjects: None,
        }
    }
}

/// Whose checks an object must pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Those of the API server and of the agent.
    #[default]
    Cluster,
    /// Those of the agent only. An unknown field is a warning then.
    Agent,
}

/// What a `toServices` that finds no service means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnresolvedServices {
    /// No peer.
    #[default]
    Nothing,
    /// Any peer, if the element has ports. Services of a deny are never looked up.
    Cilium,
}

/// How a Kubernetes NetworkPolicy is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkPolicyDialect {
    /// As Cilium reads it.
    #[default]
    Cilium,
    /// As its specification says.
    Kubernetes,
}

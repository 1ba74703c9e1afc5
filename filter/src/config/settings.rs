//! How facts are read, as far as a listener does not say otherwise in its metadata, and what is done with verdicts.

use core::{
    hash::{Hash, Hasher},
    net::IpAddr,
};
use std::hash::DefaultHasher;

use policy_core::Scope;
use serde::Deserialize;

use super::telemetry::ExplainSettings;
use crate::path::Readings;

/// All of the configuration but the policy.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) direction: DirectionSetting,
    pub(crate) destination: DestinationSetting,
    pub(crate) workload: Option<WorkloadSetting>,
    pub(crate) identity: IdentitySettings,
    pub(crate) readings: Readings,
    pub(crate) revocation: Revocation,
    /// Whether verdicts are written as flows.
    pub(crate) flow_log: bool,
    pub(crate) explain: ExplainSettings,
}

impl Settings {
    /// Tells settings apart by which other facts would be read of the same connection.
    pub(crate) fn of_facts(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.direction, self.destination, &self.workload, &self.identity).hash(&mut hasher);
        hasher.finish()
    }
}

/// Whose policies are asked.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum DirectionSetting {
    /// What the direction of the listener says; a listener without one denies.
    #[default]
    Listener,
    /// That of the destination.
    Ingress,
    /// That of the source.
    Egress,
    /// Both.
    Both,
}

impl DirectionSetting {
    /// `None` if only the listener knows.
    pub(crate) fn scope(self) -> Option<Scope> {
        match self {
            Self::Listener => None,
            Self::Ingress => Some(Scope::Ingress),
            Self::Egress => Some(Scope::Egress),
            Self::Both => Some(Scope::Both),
        }
    }

    pub(crate) fn from_bytes(text: &[u8]) -> Option<Self> {
        match text {
            b"listener" => Some(Self::Listener),
            b"ingress" => Some(Self::Ingress),
            b"egress" => Some(Self::Egress),
            b"both" => Some(Self::Both),
            _ => None,
        }
    }
}

/// What the destination of a connection is.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum DestinationSetting {
    /// The address that the client connected to.
    #[default]
    Address,
    /// The name in `:authority`, because Envoy itself resolves it.
    Authority,
    /// The address of the upstream that Envoy chose.
    Upstream,
}

impl DestinationSetting {
    pub(crate) fn from_bytes(text: &[u8]) -> Option<Self> {
        match text {
            b"address" => Some(Self::Address),
            b"authority" => Some(Self::Authority),
            b"upstream" => Some(Self::Upstream),
            _ => None,
        }
    }
}

/// The workload that a sidecar or gateway serves.
#[derive(Deserialize, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "camelCase")]
pub(crate) enum WorkloadSetting {
    /// The endpoint of this name, `namespace/name`.
    Endpoint(String),
    /// Whoever has this address.
    Address(IpAddr),
    /// The endpoint that the node metadata of Envoy name.
    NodeMetadata(NodeMetadata),
}

/// Which keys of the node metadata name the endpoint.
#[derive(Deserialize, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct NodeMetadata {
    /// The key with the namespace.
    pub(crate) namespace: String,
    /// The key with the name.
    pub(crate) name: String,
}

impl Default for NodeMetadata {
    fn default() -> Self {
        Self {
            namespace: "NAMESPACE".to_owned(),
            name: "NAME".to_owned(),
        }
    }
}

/// What says who the peer is, beside its address.
#[derive(Deserialize, Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct IdentitySettings {
    /// When the certificate of the client counts.
    pub(crate) certificate: CertificateSetting,
    /// The trust domains whose SPIFFE ids speak of workloads of this cluster.
    pub(crate) trust_domains: Vec<String>,
    /// The key of filter state in which a native filter says who the peer is.
    pub(crate) filter_state: Option<String>,
    /// The key of the TLV of the PROXY protocol that says who the peer is.
    pub(crate) proxy_protocol_tlv: Option<String>,
    /// The key of filter state in which the mesh says who the peer is.
    pub(crate) peer_metadata: Option<String>,
    /// Whether the metadata of the mesh counts without a certificate that agrees.
    pub(crate) trust_peer_metadata: bool,
}

impl Default for IdentitySettings {
    fn default() -> Self {
        Self {
            certificate: CertificateSetting::default(),
            trust_domains: vec!["cluster.local".to_owned()],
            filter_state: None,
            proxy_protocol_tlv: None,
            peer_metadata: None,
            trust_peer_metadata: false,
        }
    }
}

/// When the certificate of a client proves something.
///
/// Envoy tells the certificate also where it accepts those that nobody vouches for, so its mere presence is no proof.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum CertificateSetting {
    /// Never.
    #[default]
    Ignored,
    /// When a native filter in front of the plugin testifies that it was verified.
    Witnessed,
    /// Always: the operator says that every filter chain of the listener verifies it.
    Verified,
}

impl CertificateSetting {
    pub(crate) fn from_bytes(text: &[u8]) -> Option<Self> {
        match text {
            b"ignored" => Some(Self::Ignored),
            b"witnessed" => Some(Self::Witnessed),
            b"verified" => Some(Self::Verified),
            _ => None,
        }
    }
}

/// What happens to what is open and would no longer be allowed.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Revocation {
    /// It is closed.
    #[default]
    Close,
    /// It is counted.
    Report,
}

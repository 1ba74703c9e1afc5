//! What besides addresses tells who the peer of a connection is, and the native filters that vouch for it.
//!
//! The plugin reads all of it on the connection, and believes only what the description of the listener says that it
//! may: a header or a certificate that nobody checked is no identity.

use serde::Serialize;
use serde_saphyr::Commented;

use super::any::Extension;
use super::rbac::{Any, Rbac};

/// The sources of identity of a listener, besides the address table of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Whether the client's certificate counts.
    pub certificate: Certificate,
    /// A connection's filter state that names the peer.
    pub filter_state: Option<NativeValue>,
    /// The key of a TLV of the PROXY protocol, see [`ProxyProtocol`](super::ProxyProtocol), that names the peer.
    pub proxy_protocol_tlv: Option<String>,
    /// A connection's filter state with the peer's metadata, in Istio's form `namespace=…,name=…`.
    pub peer_metadata: Option<NativeValue>,
}

/// Whether, and on whose word, a client's certificate says who the client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificate {
    /// Certificates say nothing.
    #[default]
    Ignored,
    /// A certificate counts if a native filter in front of the plugin testifies that Envoy validated it. The testimony
    /// is there with the client's first byte, so on [`Tcp`](super::ListenerKind::Tcp) the client has to speak first.
    Witnessed,
    /// Every certificate counts: the listener lets nobody in without a validated one. On
    /// [`Tcp`](super::ListenerKind::Tcp) the server may speak first.
    Verified,
}

/// A value in the connection's filter state that a native filter writes; who configures Envoy vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeValue {
    /// The name of the object.
    pub key: String,
    /// Envoy's format string for the value, written when a connection arrives; `None` where something else writes it.
    pub format: Option<String>,
}

impl Certificate {
    /// In the words of the plugin's configuration.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Witnessed => "witnessed",
            Self::Verified => "verified",
        }
    }
}

impl Identity {
    /// The values that native filters write.
    pub(super) fn native_values(&self) -> impl Iterator<Item = &NativeValue> {
        self.filter_state.iter().chain(&self.peer_metadata)
    }
}

/// The filter that testifies, see [`witness`].
pub(super) type Witness = Rbac<Any, Validated>;

#[derive(Serialize)]
pub(super) struct Validated {
    custom: Extension<MtlsAuthenticated>,
}

#[derive(Serialize)]
struct MtlsAuthenticated {
    any_validated_client_certificate: Commented<bool>,
}

/// Leaves in the connection's metadata whether its client certificate was validated.
///
/// The plugin cannot find out: what it reads of a certificate is the same with `ACCEPT_UNTRUSTED`, where anybody may
/// forge one. Rules in the shadow enforce nothing; only their outcome is noted.
pub(super) fn witness() -> Extension<Witness> {
    let mtls = MtlsAuthenticated {
        any_validated_client_certificate: Commented(true, "an untrusted certificate is none".into()),
    };
    let validated = Validated {
        custom: Extension::new(
            "envoy.rbac.principals.mtls_authenticated",
            "envoy.extensions.rbac.principals.mtls_authenticated.v3.Config",
            mtls,
        ),
    };
    Extension::new(
        "portcullis-witness",
        "envoy.extensions.filters.network.rbac.v3.RBAC",
        Rbac::note("certificate-was-validated", Any::ANY, validated, "portcullis_").counted_as("portcullis_witness"),
    )
}

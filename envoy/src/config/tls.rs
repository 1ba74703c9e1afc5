//! TLS: what a listener shows its clients and asks of them, and what a cluster asks of its endpoints.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_saphyr::Commented;

use super::any::Extension;

/// A certificate chain and its private key, as PEM files. Envoy reads them when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// The leaf certificate first, then the intermediate ones.
    pub certificate: PathBuf,
    /// The key of the leaf.
    pub key: PathBuf,
}

/// TLS that a listener terminates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// What clients get to see.
    pub own: KeyPair,
    /// What they have to show.
    pub clients: ClientCertificates,
}

/// What a listener asks of its clients. The paths are PEM files with the certificates of the authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// No certificate is asked for.
    NotAsked,
    /// A client may come without one, but not with one that these authorities did not issue.
    Optional(PathBuf),
    /// No client gets in without a certificate of these authorities.
    Required(PathBuf),
    /// A client may come with any certificate, trusted or not: for applications that look themselves. Only
    /// [`Certificate::Witnessed`](super::Certificate::Witnessed) tells the one from the other.
    Unverified(PathBuf),
}

/// TLS towards the endpoints of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// What Envoy shows to endpoints that ask for a certificate.
    pub own: Option<KeyPair>,
    /// The authorities of the endpoints, as a PEM file.
    pub authorities: PathBuf,
    /// The URIs of which an endpoint's certificate has to have one, such as SPIFFE ids. None: any certificate of the
    /// authorities will do.
    pub endpoint_uris: Vec<String>,
    /// The server name to ask for.
    pub server_name: Option<String>,
}

/// A listener's side of TLS.
#[derive(Serialize)]
pub(super) struct DownstreamTls {
    common_tls_context: Common,
    require_client_certificate: Commented<bool>,
    #[serde(flatten)]
    resumption: Option<NoResumption>,
}

/// Every connection shows its certificate. On a resumed one, Envoy has the names of the certificate that was shown
/// before, and does not count them as validated: the witness would turn good clients away.
#[derive(Serialize)]
struct NoResumption {
    disable_stateless_session_resumption: Commented<bool>,
    disable_stateful_session_resumption: bool,
}

/// A cluster's side of TLS.
#[derive(Serialize)]
pub(super) struct UpstreamTls {
    common_tls_context: Common,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<String>,
}

#[derive(Serialize)]
struct Common {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alpn_protocols: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tls_certificates: Vec<TlsCertificate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_context: Option<Validation>,
}

#[derive(Serialize)]
struct TlsCertificate {
    certificate_chain: File,
    private_key: File,
}

#[derive(Serialize)]
struct Validation {
    trusted_ca: File,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_chain_verification: Option<Commented<&'static str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    match_typed_subject_alt_names: Vec<SubjectAltName>,
}

#[derive(Serialize)]
struct SubjectAltName {
    san_type: &'static str,
    matcher: Exact,
}

#[derive(Serialize)]
struct Exact {
    exact: String,
}

#[derive(Serialize)]
struct File {
    filename: String,
}

impl ServerTls {
    /// The transport socket of a filter chain. `http` offers clients the versions of HTTP.
    pub(super) fn transport_socket(&self, http: bool) -> Extension<DownstreamTls> {
        let required = matches!(self.clients, ClientCertificates::Required(_));
        let why = if required {
            "nobody gets in without a certificate"
        } else {
            "who has none is nobody in particular"
        };
        let context = DownstreamTls {
            common_tls_context: Common {
                alpn_protocols: if http { vec!["h2", "http/1.1"] } else { vec![] },
                tls_certificates: vec![TlsCertificate::of(&self.own)],
                validation_context: self.clients.validation(),
            },
            require_client_certificate: Commented(required, why.into()),
            resumption: self.clients.authorities().map(|_| NoResumption::new()),
        };
        Extension::new(
            "envoy.transport_sockets.tls",
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            context,
        )
    }
}

impl NoResumption {
    fn new() -> Self {
        Self {
            disable_stateless_session_resumption: Commented(true, "a resumed session proves no certificate".into()),
            disable_stateful_session_resumption: true,
        }
    }
}

impl ClientCertificates {
    /// The authorities against which certificates are checked.
    pub(super) fn authorities(&self) -> Option<&Path> {
        match self {
            Self::NotAsked => None,
            Self::Optional(path) | Self::Required(path) | Self::Unverified(path) => Some(path),
        }
    }

    fn validation(&self) -> Option<Validation> {
        let untrusted = matches!(self, Self::Unverified(_));
        let verification = untrusted.then(|| Commented("ACCEPT_UNTRUSTED", "and forged ones with them".into()));
        self.authorities().map(|authorities| Validation {
            trusted_ca: File::at(authorities),
            trust_chain_verification: verification,
            match_typed_subject_alt_names: vec![],
        })
    }
}

impl ClientTls {
    /// The transport socket of a cluster.
    pub(super) fn transport_socket(&self) -> Extension<UpstreamTls> {
        let uris = self.endpoint_uris.iter().map(|uri| SubjectAltName {
            san_type: "URI",
            matcher: Exact { exact: uri.clone() },
        });
        let context = UpstreamTls {
            common_tls_context: Common {
                alpn_protocols: vec![],
                tls_certificates: self.own.iter().map(TlsCertificate::of).collect(),
                validation_context: Some(Validation {
                    trusted_ca: File::at(&self.authorities),
                    trust_chain_verification: None,
                    match_typed_subject_alt_names: uris.collect(),
                }),
            },
            sni: self.server_name.clone(),
        };
        Extension::new(
            "envoy.transport_sockets.tls",
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            context,
        )
    }
}

impl TlsCertificate {
    fn of(pair: &KeyPair) -> Self {
        Self {
            certificate_chain: File::at(&pair.certificate),
            private_key: File::at(&pair.key),
        }
    }
}

impl File {
    fn at(path: &Path) -> Self {
        Self {
            filename: path.display().to_string(),
        }
    }
}

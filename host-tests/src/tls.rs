//! TLS sessions and certificates, as far as a plugin can see them.

/// A TLS session that the proxy terminates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The negotiated version, `TLSv1.3` for example.
    pub version: String,
    /// What the proxy asked for and the client presented. Present does not mean verified: a listener
    /// that accepts untrusted certificates reports them all the same.
    pub peer: Option<Certificate>,
    /// The proxy's own certificate.
    pub local: Certificate,
}

/// What is readable of a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificate {
    /// URI names. A plugin sees the first only.
    pub uri_sans: Vec<String>,
    /// DNS names. A plugin sees the first only.
    pub dns_sans: Vec<String>,
    /// The subject, `O=org,CN=name`.
    pub subject: String,
    /// The SHA-256 digest in hexadecimal.
    pub digest: String,
    /// The whole certificate in PEM.
    pub pem: String,
}

impl Certificate {
    /// A certificate with one SPIFFE URI.
    #[must_use]
    pub fn spiffe(uri: &str) -> Self {
        Self {
            uri_sans: vec![uri.to_owned()],
            ..Self::default()
        }
    }
}

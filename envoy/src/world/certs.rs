//! Certificates made on the spot: authorities, and the servers and clients that they vouch for, or do not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, Error, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::config;

/// An authority with its own key.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// The names in a certificate, in the order in which they shall stand there.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// URIs, such as SPIFFE ids.
    pub uris: Vec<String>,
    /// DNS names.
    pub dns: Vec<String>,
}

/// A certificate and its key, as PEM texts.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate alone.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// A new authority that nobody else vouches for.
    ///
    /// # Errors
    ///
    /// No key could be made.
    pub fn new(name: &str) -> Result<Self, Error> {
        let mut params = CertificateParams::new(vec![])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// Its certificate as a PEM text.
    #[must_use]
    pub fn certificate(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a client or a server with these names.
    ///
    /// # Errors
    ///
    /// A name is not ASCII, or no key could be made.
    pub fn issue(&self, names: &Names) -> Result<Leaf, Error> {
        let key = KeyPair::generate()?;
        let certificate = params(names)?.signed_by(&key, &self.0)?.pem();
        Ok(Leaf {
            certificate,
            key: key.serialize_pem(),
        })
    }

    /// Writes its certificate to `NAME.pem` in `dir`.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, dir: &Path, name: &str) -> io::Result<PathBuf> {
        let path = dir.join(format!("{name}.pem"));
        fs::write(&path, self.certificate())?;
        Ok(path)
    }
}

impl Names {
    /// One URI and nothing else: what a workload of a mesh has.
    #[must_use]
    pub fn uri(uri: &str) -> Self {
        Self {
            uris: vec![uri.to_owned()],
            dns: vec![],
        }
    }

    /// One DNS name and nothing else: what a server has.
    #[must_use]
    pub fn dns(name: &str) -> Self {
        Self {
            uris: vec![],
            dns: vec![name.to_owned()],
        }
    }
}

impl Leaf {
    /// A certificate that vouches for itself: anybody can have one, with any names.
    ///
    /// # Errors
    ///
    /// As [`Authority::issue`].
    pub fn self_signed(names: &Names) -> Result<Self, Error> {
        let key = KeyPair::generate()?;
        let certificate = params(names)?.self_signed(&key)?.pem();
        Ok(Self {
            certificate,
            key: key.serialize_pem(),
        })
    }

    /// Writes both to `NAME.pem` and `NAME.key` in `dir`, for Envoy and other programs.
    ///
    /// # Errors
    ///
    /// The files cannot be written.
    pub fn write(&self, dir: &Path, name: &str) -> io::Result<config::KeyPair> {
        let pair = config::KeyPair {
            certificate: dir.join(format!("{name}.pem")),
            key: dir.join(format!("{name}.key")),
        };
        fs::write(&pair.certificate, &self.certificate)?;
        fs::write(&pair.key, &self.key)?;
        Ok(pair)
    }
}

fn params(names: &Names) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(vec![])?;
    params.distinguished_name.push(DnType::CommonName, "test");
    for uri in &names.uris {
        params.subject_alt_names.push(SanType::URI(uri.as_str().try_into()?));
    }
    for name in &names.dns {
        params
            .subject_alt_names
            .push(SanType::DnsName(name.as_str().try_into()?));
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

//! The packed bundle: what proxies are pushed.
//!
//! A [`Bundle`] says what people and tools want to read; a packed bundle says the same in the form that an engine uses as
//! it is. Packing does all checks and all work that needs the whole bundle at once; what opens a packed one reads what a
//! question needs, when it is first asked.

mod configuration;

pub use configuration::{Form, PackError, configuration};

use alloc::{string::ToString, vec::Vec};

use crate::bundle::{Bundle, BundleError};

/// What a packed bundle begins with. No text begins so: JSON has no zero bytes.
pub const MAGIC: [u8; 8] = *b"\0PCLS\r\n\x01";

/// A packed bundle.
#[derive(Clone, PartialEq, Debug)]
pub struct Packed {
    bytes: Vec<u8>,
    bundle: Bundle,
}

impl Packed {
    /// Checks a bundle and packs it.
    pub fn new(bundle: &Bundle) -> Result<Self, Vec<BundleError>> {
        crate::Engine::new(bundle.clone())?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(bundle.to_json());
        Self::from_bytes(bytes).map_err(|error| alloc::vec![error])
    }

    /// Takes a packed bundle that was stored or sent.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, BundleError> {
        let json = bytes.strip_prefix(&MAGIC).ok_or_else(|| BundleError::Json {
            reason: "no packed bundle".to_string(),
        })?;
        let bundle = Bundle::from_json(json)?;
        Ok(Self { bundle, bytes })
    }

    /// What to store or send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of the bundle.
    pub fn digest(&self) -> &str {
        self.bundle.digest.as_deref().unwrap_or_default()
    }

    /// How the policies are read.
    pub fn options(&self) -> &crate::bundle::Options {
        &self.bundle.options
    }

    /// The policies, in the order of the bundle.
    pub fn policies(&self) -> Result<Vec<crate::bundle::Policy>, BundleError> {
        Ok(self.bundle.policies.clone())
    }

    pub(crate) fn into_bundle(self) -> Bundle {
        self.bundle
    }
}

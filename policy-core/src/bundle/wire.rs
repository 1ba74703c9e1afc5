//! The JSON form of a bundle, and its digest.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write;
use sha2::{Digest, Sha256};

use super::{Bundle, BundleError, VERSION};

impl Bundle {
    /// Reads a bundle and checks its version and, if it carries one, its digest.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BundleError> {
        let json = |error: serde_json::Error| BundleError::Json {
            reason: error.to_string(),
        };
        let bundle: Self = serde_json::from_slice(bytes).map_err(json)?;
        bundle.check()?;
        Ok(bundle)
    }

    /// Checks the version and, if there is one, the digest: for a bundle that was read as a part of something else.
    pub fn check(&self) -> Result<(), BundleError> {
        if self.version != VERSION {
            return Err(BundleError::Version { found: self.version });
        }
        match &self.digest {
            Some(found) if *found != self.content_digest() => Err(BundleError::Digest {
                found: found.clone(),
                computed: self.content_digest(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// The canonical JSON bytes, beginning with the digest of the content.
    pub fn to_json(&self) -> Vec<u8> {
        let content = self.content();
        let mut sealed = format!("{{\"digest\":\"{}\",", digest(&content)).into_bytes();
        sealed.extend(content.into_iter().skip(1));
        sealed
    }

    /// `sha256:<hex>` over the canonical JSON without the digest field.
    pub fn content_digest(&self) -> String {
        digest(&self.content())
    }

    /// Without the digest, which is never serialised by itself. No type of a bundle has a fallible `Serialize` or a
    /// map with keys that are not strings, so this cannot fail; if it ever did, the result would have no one's digest.
    fn content(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|error| format!("{{unserialisable: {error}").into_bytes())
    }
}

fn digest(content: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(content) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

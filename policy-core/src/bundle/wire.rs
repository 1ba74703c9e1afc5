//! The JSON form of a bundle, and its digest.
//!
//! The digest is over the bytes: the JSON text without its first member, which is the digest. So whoever reads a bundle
//! checks it in one pass and needs no way to write it again; and a bundle that was reformatted on its way is refused,
//! since nobody can tell what else was changed. Blanks around the text, like the line break at the end of a file, do not
//! belong to it.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write;
use sha2::{Digest, Sha256};

use super::{Bundle, BundleError, VERSION};
use crate::json;

impl Bundle {
    /// Reads a bundle and checks its version and, if it carries one, its digest. The bundle that is returned always
    /// has the digest of the bytes.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BundleError> {
        let bundle: Self = json::from_slice(bytes).map_err(|error| BundleError::Json {
            reason: error.to_string(),
        })?;
        if bundle.version != VERSION {
            return Err(BundleError::Version { found: bundle.version });
        }
        let computed = digest_of(bytes.trim_ascii(), bundle.digest.as_deref());
        match bundle.digest {
            Some(found) if found != computed => Err(BundleError::Digest { found, computed }),
            Some(_) | None => Ok(Self {
                digest: Some(computed),
                ..bundle
            }),
        }
    }

    /// The JSON text, with the digest in front.
    pub fn to_json(&self) -> Vec<u8> {
        let content = self.content();
        let mut sealed = head(&sha256([&*content])).into_bytes();
        sealed.extend(content.into_iter().skip(1));
        sealed
    }

    /// The digest that [`to_json`](Self::to_json) writes.
    pub fn content_digest(&self) -> String {
        sha256([&*self.content()])
    }

    /// Without the digest, which is never serialised by itself. No type of a bundle has a fallible `Serialize` or a
    /// map with keys that are not strings, so this cannot fail; if it ever did, nobody would take the text for a bundle.
    fn content(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|error| format!("{{unserialisable: {error}").into_bytes())
    }
}

/// How a text with this digest begins.
fn head(digest: &str) -> String {
    format!("{{\"digest\":\"{digest}\",")
}

/// Over the text without its digest. If the digest does not stand in front, it is part of the text, and cannot be
/// right.
fn digest_of(bytes: &[u8], claimed: Option<&str>) -> String {
    let rest = claimed.and_then(|claimed| bytes.strip_prefix(head(claimed).as_bytes()));
    match rest {
        Some(rest) => sha256([b"{", rest]),
        None => sha256([bytes]),
    }
}

fn sha256<const N: usize>(parts: [&[u8]; N]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    let mut text = String::from("sha256:");
    for byte in hash.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

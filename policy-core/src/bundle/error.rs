//! What can be wrong with a bundle.

use alloc::string::String;

/// Why a bundle was refused. `at` is the place in the bundle, for example `policies[0].rules[1].ingress[0]`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bytes are not the JSON of a bundle.
    #[error("not a bundle: {reason}")]
    Json {
        /// What the JSON reader said, with line and column.
        reason: String,
    },
    /// The bytes are not a packed bundle.
    #[error("not a packed bundle: {reason}")]
    Packed {
        /// What is wrong.
        reason: &'static str,
    },
    /// The bundle is of a version that this engine does not read.
    #[error("bundle version {found} is not supported, expected {expected}", expected = super::VERSION)]
    Version {
        /// The version found.
        found: u32,
    },
    /// The content is not what the digest says.
    #[error(
        "bundle digest is {found}, but its content has {computed}: it was changed or reformatted after it was made"
    )]
    Digest {
        /// The digest in the bundle.
        found: String,
        /// The digest of its content.
        computed: String,
    },
    /// An index points outside its list.
    #[error("{at}: no {what} number {index}")]
    Dangling {
        /// The place.
        at: String,
        /// Which list.
        what: &'static str,
        /// The index.
        index: u32,
    },
    /// A pattern cannot be compiled.
    #[error("{at}: `{input}`: {reason}")]
    Pattern {
        /// The place.
        at: String,
        /// The pattern.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value that no compiler writes.
    #[error("{at}: {reason}")]
    Invalid {
        /// The place.
        at: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two entries claim the same address for different identities.
    #[error("{at}: {address} already belongs to another identity")]
    AddressClash {
        /// The place.
        at: String,
        /// The address or prefix.
        address: String,
    },
}

//! How a configuration of the plugin stands in its resource.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy_core::packed::{self, Form, PackError};
use serde::Serialize;

use super::PublishError;

/// The protobuf message that wraps the plugin's configuration, and with it the form of the packed bundle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// `StringValue`, with the bundle in base64: the settings can be read in the file.
    String,
    /// `BytesValue`, with the bundle as it is: the smallest for Envoy and the plugin; in the file, all of it is base64.
    #[default]
    Bytes,
}

/// A configuration in its wrapper.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Encoded {
    String { value: String },
    Bytes { value: String },
}

impl Encoding {
    /// The configuration with its bundle packed. What is not a configuration of the plugin with a bundle to pack stays as
    /// it is, and the plugin says what is wrong with it.
    ///
    /// # Errors
    ///
    /// The bundle is wrong.
    pub fn pack(self, configuration: &[u8]) -> Result<Cow<'_, [u8]>, PublishError> {
        let form = match self {
            Self::String => Form::Text,
            Self::Bytes => Form::Bytes,
        };
        match packed::configuration(configuration, form) {
            Ok(packed) => Ok(Cow::Owned(packed)),
            Err(error @ PackError::Bundle(_)) => Err(error.into()),
            Err(_) => Ok(Cow::Borrowed(configuration)),
        }
    }
}

impl Encoded {
    pub(super) fn new(encoding: Encoding, configuration: &[u8]) -> Result<Self, PublishError> {
        Ok(match encoding {
            Encoding::String => Self::String {
                value: String::from_utf8(configuration.to_vec())?,
            },
            Encoding::Bytes => Self::Bytes {
                value: STANDARD.encode(configuration),
            },
        })
    }

    pub(crate) fn message_type(&self) -> &'static str {
        match self {
            Self::String { .. } => "google.protobuf.StringValue",
            Self::Bytes { .. } => "google.protobuf.BytesValue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bundles_of_people_are_packed() {
        let bare = br#"{"version":1,"bundle":{"version":1}}"#;
        for (encoding, form) in [(Encoding::String, Form::Text), (Encoding::Bytes, Form::Bytes)] {
            let packed = packed::configuration(bare, form).unwrap();
            assert_eq!(encoding.pack(bare).unwrap(), packed, "{encoding:?}");
            for (configuration, why) in [
                (&packed[..], "packed already"),
                (b"open", "for another plugin"),
                (b"{}", "no bundle"),
                (br#"{"bundle":{"version":1},"bundle":{"version":1}}"#, "which one?"),
                (b"", "nothing"),
            ] {
                assert_eq!(
                    encoding.pack(configuration).unwrap(),
                    configuration,
                    "{encoding:?}: {why}"
                );
            }
        }
    }

    #[test]
    fn a_wrong_bundle_is_not_published() {
        let wrong = br#"{"version":1,"bundle":{"version":1,"endpoints":[{"name":"a/b","identity":7}]}}"#;
        let error = Encoding::Bytes.pack(wrong).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the plugin configuration cannot be packed: bundle: endpoints[0]: no identity number 7"
        );
    }
}

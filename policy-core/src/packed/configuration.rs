//! Configurations of the plugin, with their bundle packed.

use alloc::{
    borrow::{Cow, ToOwned},
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{
    Deserialize,
    de::{MapAccess, Visitor},
};

use super::Packed;
use crate::{
    bundle::{Bundle, BundleError},
    json::{self, Raw},
};

/// The member with the policy.
const BUNDLE: &str = "bundle";

/// How a packed bundle stands in a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Behind the JSON, as it is: for a `BytesValue`.
    Bytes,
    /// As a string in base64 in the place of the bundle: for whatever must be text.
    Text,
}

/// Why the bundle of a configuration cannot be packed.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// It is no JSON object, or has a member twice.
    #[error("not a configuration: {reason}")]
    Configuration {
        /// What is wrong.
        reason: String,
    },
    /// It has no member `bundle`.
    #[error("the configuration has no `bundle`")]
    NoBundle,
    /// Its bundle is packed already.
    #[error("the bundle of the configuration is packed already")]
    Packed,
    /// Its bundle is wrong.
    #[error("bundle: {}", list(.0))]
    Bundle(Vec<BundleError>),
}

fn list(errors: &[BundleError]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}

/// Packs the bundle in a configuration of the plugin: in `{"version":1,…,"bundle":{…}}`. All else stays as it is; the
/// plugin checks it.
pub fn configuration(json: &[u8], form: Form) -> Result<Vec<u8>, PackError> {
    let Members(members) = json::from_slice(json).map_err(|error| PackError::Configuration {
        reason: error.to_string(),
    })?;
    let bundle = members.iter().find(|(name, _)| name == BUNDLE);
    let (_, bundle) = bundle.ok_or(PackError::NoBundle)?;
    if bundle.get().starts_with('"') {
        return Err(PackError::Packed);
    }
    let bundle = Bundle::from_json(bundle.get().as_bytes()).map_err(|error| PackError::Bundle(alloc::vec![error]))?;
    let packed = Packed::new(&bundle).map_err(PackError::Bundle)?;
    let mut text = String::from("{");
    for (name, value) in &members {
        let value = match (name == BUNDLE, form) {
            (false, _) => Cow::Borrowed(value.get()),
            (true, Form::Bytes) => continue,
            (true, Form::Text) => alloc::format!("\"{}\"", BASE64_STANDARD.encode(packed.as_bytes())).into(),
        };
        if text.len() > 1 {
            text.push(',');
        }
        text.extend([&quoted(name), ":", &value]);
    }
    text.push('}');
    let mut bytes = text.into_bytes();
    if form == Form::Bytes {
        bytes.extend(packed.as_bytes());
    }
    Ok(bytes)
}

/// As JSON; a text always has one.
fn quoted(name: &str) -> String {
    serde_json::to_string(name).unwrap_or_default()
}

/// The members of an object, as they were written.
struct Members<'a>(Vec<(String, Raw<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members: Vec<(String, Raw<'de>)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<Cow<'de, str>, Raw<'de>>()? {
            if members.iter().any(|(other, _)| *other == name) {
                return Err(serde::de::Error::custom(alloc::format!("duplicate field `{name}`")));
            }
            members.push((name.into_owned().to_owned(), value));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &[u8] = br#"{ "direction":"both", "bundle":{"version":1}, "version":1 }"#;

    #[test]
    fn the_bundle_is_packed_and_all_else_stays() {
        let bytes = configuration(BARE, Form::Bytes).expect("packs");
        let text = br#"{"direction":"both","version":1}"#;
        let packed = bytes.strip_prefix(text).expect("the settings");
        let packed = Packed::from_bytes(packed.to_vec()).expect("a packed bundle");
        assert!(packed.digest().starts_with("sha256:"));
        let text = configuration(BARE, Form::Text).expect("packs");
        let encoded = BASE64_STANDARD.encode(packed.as_bytes());
        let want = alloc::format!(r#"{{"direction":"both","bundle":"{encoded}","version":1}}"#);
        assert_eq!(String::from_utf8_lossy(&text), want);
        assert_eq!(configuration(&text, Form::Text), Err(PackError::Packed));
    }

    #[test]
    fn what_cannot_be_packed_is_said() {
        for (text, want, why) in [
            ("[1]", "not a configuration: ", "no object"),
            (
                r#"{"a":1,"a":1}"#,
                "not a configuration: duplicate field `a`",
                "a member twice",
            ),
            (r#"{"version":1}"#, "the configuration has no `bundle`", "no bundle"),
            (
                r#"{"bundle":{"version":2}}"#,
                "bundle: bundle version 2",
                "another version",
            ),
            (
                r#"{"bundle":{"version":1,"endpoints":[{"name":"a/b","identity":7}]}}"#,
                "bundle: endpoints[0]: no identity number 7",
                "an index without its target",
            ),
        ] {
            let error = configuration(text.as_bytes(), Form::Bytes).expect_err(why).to_string();
            assert!(error.starts_with(want), "{why}: {error}");
        }
    }
}

//! The configuration of the plugin: how it reads its listeners, what it does with what it finds, and the policy.

#[cfg(test)]
mod schema;
mod settings;
mod telemetry;

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use policy_core::{Packed, json};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    claim::is_trust_domain,
    path::{Reading, Readings},
};
pub(crate) use settings::{
    CertificateSetting, DestinationSetting, DirectionSetting, IdentitySettings, Revocation, Settings, WorkloadSetting,
};
pub(crate) use telemetry::{ExplainDenials, ExplainSettings};

#[cfg(test)]
pub(crate) use settings::NodeMetadata;

/// The version that this plugin reads.
const VERSION: u32 = 1;

/// The most bytes of a configuration. Its policy must fit into a VM with the one before it, and Envoy gives a VM
/// 1 GiB; one that does not fit is refused here, before any VM, the same everywhere.
pub(crate) const MAX_SIZE: usize = 64 << 20;

/// What `on_configure` gets: JSON, as `StringValue` or `BytesValue`. An unknown field is an error. The policy stands in it
/// or, if it is not text, behind it.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Configuration<'a> {
    /// Which format this is.
    #[cfg_attr(test, schemars(extend("const" = VERSION)))]
    version: u32,
    /// Anything that differs from publication to publication. Envoy does not configure a configuration again while
    /// connections of its time live, so without it an earlier policy that returns is news to new streams only.
    #[serde(default, rename = "revision")]
    #[cfg_attr(test, schemars(with = "Option<serde_json::Value>"))]
    _revision: Option<IgnoredAny>,
    #[serde(default)]
    direction: DirectionSetting,
    #[serde(default)]
    destination: DestinationSetting,
    /// The workload that the proxy serves, if it serves but one.
    #[serde(default)]
    workload: Option<WorkloadSetting>,
    #[serde(default)]
    identity: IdentitySettings,
    /// How servers may read a path otherwise; absent, in every way that is on by default. An empty list: in none.
    #[serde(default)]
    ambiguous_paths: Option<Vec<Reading>>,
    #[serde(default)]
    revocation: Revocation,
    /// Whether every verdict is written as a flow for access logs.
    #[serde(default)]
    flow_log: bool,
    #[serde(default)]
    explain: ExplainSettings,
    /// The policy: a packed bundle in base64. Absent if it follows the JSON as it is. `portcullis pack` takes the bundle
    /// itself here, an object, and makes either of it.
    #[serde(default, borrow)]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    bundle: Option<Cow<'a, str>>,
}

impl Configuration<'_> {
    /// Reads a configuration. Whether it succeeds depends on the bytes and on nothing else.
    pub(crate) fn parse(mut bytes: Vec<u8>) -> Result<(Settings, Packed), String> {
        // No text of JSON has a zero byte, and every packed bundle begins with one. It stays where it is in memory, since
        // there may be no room for it twice.
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let json: Vec<u8> = bytes.drain(..end).collect();
        let (settings, inside) = Self::read(&json)?;
        let packed = match (inside, bytes.is_empty()) {
            (Some(packed), true) => packed,
            (None, false) => bytes,
            (None, true) => return Err("missing field `bundle`, and nothing follows the JSON".to_owned()),
            (Some(_), false) => return Err("a field `bundle`, and another bundle behind the JSON".to_owned()),
        };
        let packed = Packed::from_bytes(packed).map_err(|error| format!("bundle: {error}"))?;
        Ok((settings, packed))
    }

    /// The settings, and the bundle if it is there.
    fn read(bytes: &[u8]) -> Result<(Settings, Option<Vec<u8>>), String> {
        if bytes.is_empty() {
            return Err("the configuration is empty, expected JSON with `version`, and a bundle".to_owned());
        }
        let Configuration {
            version,
            _revision,
            direction,
            destination,
            workload,
            identity,
            ambiguous_paths,
            revocation,
            flow_log,
            explain,
            bundle,
        } = json::from_slice(bytes).map_err(|error| error.to_string())?;
        if version != VERSION {
            return Err(format!(
                "configuration version {version} is not supported, expected {VERSION}"
            ));
        }
        if workload.is_some() && direction == DirectionSetting::Both {
            return Err(
                "`workload`: the proxy of one workload has direction `ingress`, `egress` or `listener`".to_owned(),
            );
        }
        if let Some(domain) = identity.trust_domains.iter().find(|domain| !is_trust_domain(domain)) {
            return Err(format!(
                "`identity.trustDomains`: `{domain}` is no trust domain, expected lower-case letters, digits, `.`, `-` and `_`"
            ));
        }
        let bundle = bundle.map(|text| BASE64_STANDARD.decode(&*text));
        let bundle = bundle.transpose().map_err(|error| format!("`bundle`: {error}"))?;
        let settings = Settings {
            direction,
            destination,
            workload,
            identity,
            readings: ambiguous_paths.map(Readings::from_iter).unwrap_or_default(),
            revocation,
            flow_log,
            explain,
        };
        Ok((settings, bundle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_settings_have_their_defaults() {
        let (settings, _) = Configuration::parse(br#"{"version":1,"bundle":{"version":1}}"#).expect("minimal");
        let want = Settings {
            direction: DirectionSetting::Listener,
            destination: DestinationSetting::Address,
            workload: None,
            identity: IdentitySettings {
                certificate: CertificateSetting::Ignored,
                trust_domains: vec!["cluster.local".into()],
                filter_state: None,
                proxy_protocol_tlv: None,
                peer_metadata: None,
                trust_peer_metadata: false,
            },
            readings: [Reading::Decoded, Reading::Parameters, Reading::Slashes]
                .into_iter()
                .collect(),
            revocation: Revocation::Close,
            flow_log: false,
            explain: ExplainSettings {
                denials: ExplainDenials::None,
            },
        };
        assert_eq!(settings, want);
    }

    #[test]
    fn a_revision_is_not_looked_at() {
        let plain = Configuration::parse(br#"{"version":1,"bundle":{"version":1}}"#).expect("minimal");
        for revision in [r#""7""#, "7", "null", r#"{"at":"noon"}"#] {
            let text = format!(r#"{{"revision":{revision},"version":1,"bundle":{{"version":1}}}}"#);
            let parsed = Configuration::parse(text.as_bytes()).expect(revision);
            assert_eq!(
                parsed, plain,
                "{revision}: the same settings, and a bundle with the same digest"
            );
        }
    }

    #[test]
    fn every_word_reads_the_same_in_json_and_in_metadata() {
        for word in ["listener", "ingress", "egress", "both", "sideways", "Ingress", ""] {
            let json: Option<DirectionSetting> = serde_json::from_value(word.into()).ok();
            assert_eq!(DirectionSetting::from_bytes(word.as_bytes()), json, "{word}");
        }
        for word in ["address", "authority", "upstream", "sni", ""] {
            let json: Option<DestinationSetting> = serde_json::from_value(word.into()).ok();
            assert_eq!(DestinationSetting::from_bytes(word.as_bytes()), json, "{word}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_reason() {
        for (text, want, why) in [
            ("", "empty", "nothing was pushed"),
            ("{", "unexpected end", "cut off"),
            ("\u{feff}{}", "expected an object", "a byte order mark is not JSON"),
            (r#"{"bundle":{"version":1}}"#, "missing field `version`", "no version"),
            (
                r#"{"version":1}"#,
                "missing field `bundle`",
                "no policy is not an empty policy",
            ),
            (
                r#"{"version":2,"bundle":{"version":1}}"#,
                "version 2",
                "from the future",
            ),
            (
                r#"{"version":1,"bundle":{"version":1},"mode":"audit"}"#,
                "unknown field `mode`",
                "a typo must not be ignored",
            ),
            (
                r#"{"version":1,"direction":"in","bundle":{"version":1}}"#,
                "unknown variant `in`",
                "no such direction",
            ),
            (
                r#"{"version":1,"identity":{"trustDomains":["a","spiffe://b"]},"bundle":{"version":1}}"#,
                "`spiffe://b` is no trust domain",
                "it would trust nobody",
            ),
            (
                r#"{"version":1,"version":1,"bundle":{"version":1}}"#,
                "duplicate field",
                "which one?",
            ),
            (
                r#"{"version":1,"bundle":{"version":1}} x"#,
                "trailing characters",
                "two documents",
            ),
            (
                r#"{"version":1,"bundle":{"version":2}}"#,
                "bundle version 2",
                "from the future",
            ),
            (
                r#"{"version":1,"bundle":{"version":1,"digest":"sha256:0"}}"#,
                "digest is sha256:0",
                "changed on its way",
            ),
            (
                r#"{"version":1,"bundle":{"version":1,"polices":[]}}"#,
                "unknown field `polices`",
                "strict inside, too",
            ),
        ] {
            let error = Configuration::parse(text.as_bytes()).expect_err(why);
            assert!(error.contains(want), "{why}: {error}");
        }
        assert!(Configuration::parse(b"\xff\xfe").is_err(), "not text");
    }
}

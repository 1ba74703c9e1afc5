//! The configuration of the plugin: how it reads its listeners, what it does with what it finds, and the policy.

#[cfg(test)]
mod schema;
mod settings;
mod telemetry;

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use policy_core::{
    Packed,
    json::{self, Raw},
};
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
    /// The policy: a packed bundle in base64, as a string. Absent if the packed bundle follows the JSON as it is. People
    /// write the bundle itself here, an object, of which `portcullis pack` makes either.
    #[serde(default, borrow)]
    #[cfg_attr(test, schemars(with = "serde_json::Value", extend("type" = ["object", "string"])))]
    bundle: Option<Raw<'a>>,
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
        let bundle = bundle.map(|value| Self::decode(&value)).transpose()?;
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

    /// A bundle that stands in the JSON.
    fn decode(value: &Raw<'_>) -> Result<Vec<u8>, String> {
        if value.get().starts_with('{') {
            return Err("`bundle` is not packed: `portcullis pack` makes of this what the plugin reads".to_owned());
        }
        let text: Cow<'_, str> =
            json::from_slice(value.get().as_bytes()).map_err(|error| format!("`bundle`: {error}"))?;
        BASE64_STANDARD
            .decode(&*text)
            .map_err(|error| format!("`bundle`: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use policy_core::packed::{self, Form};

    use super::*;
    use crate::fake;

    const MINIMAL: &str = r#"{"version":1,"bundle":{"version":1}}"#;

    fn parsed(configuration: &str) -> (Settings, Packed) {
        Configuration::parse(fake::packed(configuration)).expect(configuration)
    }

    #[test]
    fn absent_settings_have_their_defaults() {
        let (settings, _) = parsed(MINIMAL);
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
    fn a_bundle_comes_in_the_json_or_behind_it() {
        let [behind, inside] =
            [Form::Bytes, Form::Text].map(|form| packed::configuration(MINIMAL.as_bytes(), form).expect("it packs"));
        let found = Configuration::parse(behind.clone()).expect("behind");
        assert_eq!(found, Configuration::parse(inside.clone()).expect("inside"));
        // Some writers of JSON escape more than they must.
        let escaped = String::from_utf8(inside.clone()).expect("text");
        let escaped = escaped.replacen(r#""bundle":"A"#, r#""bundle":"\u0041"#, 1);
        assert_ne!(escaped.as_bytes(), inside);
        assert_eq!(found, Configuration::parse(escaped.into_bytes()).expect("escaped"));

        let start = behind.iter().position(|byte| *byte == 0).expect("a bundle");
        let both = [&inside, &behind[start..]].concat();
        let error = Configuration::parse(both).expect_err("which one?");
        assert!(error.contains("another bundle behind the JSON"), "{error}");
        for size in start + 1..behind.len() {
            let cut = Configuration::parse(behind[..size].to_vec());
            assert!(cut.is_err(), "{size} of {} bytes", behind.len());
        }
    }

    #[test]
    fn a_revision_is_not_looked_at() {
        let plain = parsed(MINIMAL);
        for revision in [r#""7""#, "7", "null", r#"{"at":"noon"}"#] {
            let text = format!(r#"{{"revision":{revision},"version":1,"bundle":{{"version":1}}}}"#);
            let parsed = parsed(&text);
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
                "`bundle` is not packed: `portcullis pack`",
                "what people write",
            ),
            (
                r#"{"version":1,"bundle":null}"#,
                "missing field `bundle`",
                "the same as none",
            ),
            (
                r#"{"version":1,"bundle":7}"#,
                "`bundle`: expected a string",
                "no bundle at all",
            ),
            (r#"{"version":1,"bundle":"?"}"#, "`bundle`: ", "not base64"),
            (
                r#"{"version":1,"bundle":"AAAA"}"#,
                "bundle: not a packed bundle",
                "base64 of something else",
            ),
            (
                "{\"version\":1}\0",
                "bundle: not a packed bundle",
                "not even a whole mark",
            ),
        ] {
            let error = Configuration::parse(fake::packed(text)).expect_err(why);
            assert!(error.contains(want), "{why}: {error}");
        }
        assert!(Configuration::parse(b"\xff\xfe".to_vec()).is_err(), "not text");
    }
}

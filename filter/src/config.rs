//! The configuration of the plugin: how it reads its listeners, and the policy.

use policy_core::{Bundle, Scope};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// The version that this plugin reads.
const VERSION: u32 = 1;

/// What `on_configure` gets: JSON, as `StringValue` or `BytesValue`. An unknown field is an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Configuration<'a> {
    version: u32,
    /// Anything that differs from publication to publication. Envoy does not configure a configuration again while
    /// connections of its time live, so without it an earlier policy that returns is news to new streams only.
    #[serde(default, rename = "revision")]
    _revision: Option<IgnoredAny>,
    #[serde(default)]
    direction: DirectionSetting,
    #[serde(default)]
    destination: DestinationSetting,
    /// Read by the core: its digest is over these very bytes.
    #[serde(borrow)]
    bundle: &'a RawValue,
}

/// How facts are read, as far as a listener does not say otherwise in its metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) direction: DirectionSetting,
    pub(crate) destination: DestinationSetting,
}

/// Whose policies are asked.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DirectionSetting {
    /// What the direction of the listener says; a listener without one denies.
    #[default]
    Listener,
    Ingress,
    Egress,
    Both,
}

impl DirectionSetting {
    /// `None` if only the listener knows.
    pub(crate) fn scope(self) -> Option<Scope> {
        match self {
            Self::Listener => None,
            Self::Ingress => Some(Scope::Ingress),
            Self::Egress => Some(Scope::Egress),
            Self::Both => Some(Scope::Both),
        }
    }

    pub(crate) fn from_bytes(text: &[u8]) -> Option<Self> {
        match text {
            b"listener" => Some(Self::Listener),
            b"ingress" => Some(Self::Ingress),
            b"egress" => Some(Self::Egress),
            b"both" => Some(Self::Both),
            _ => None,
        }
    }
}

/// What the destination of a connection is.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DestinationSetting {
    /// The address that the client connected to.
    #[default]
    Address,
    /// The name in `:authority`, because Envoy itself resolves it.
    Authority,
}

impl DestinationSetting {
    pub(crate) fn from_bytes(text: &[u8]) -> Option<Self> {
        match text {
            b"address" => Some(Self::Address),
            b"authority" => Some(Self::Authority),
            _ => None,
        }
    }
}

impl Configuration<'_> {
    /// Reads a configuration and checks the digest of its bundle. Whether it succeeds depends on the bytes and on
    /// nothing else.
    pub(crate) fn parse(bytes: &[u8]) -> Result<(Settings, Bundle), String> {
        if bytes.is_empty() {
            return Err("the configuration is empty, expected JSON with `version` and `bundle`".to_owned());
        }
        let Configuration {
            version,
            _revision,
            direction,
            destination,
            bundle,
        } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if version != VERSION {
            return Err(format!(
                "configuration version {version} is not supported, expected {VERSION}"
            ));
        }
        let bundle = Bundle::from_json(bundle.get().as_bytes()).map_err(|error| format!("bundle: {error}"))?;
        Ok((Settings { direction, destination }, bundle))
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
        for word in ["address", "authority", "sni", ""] {
            let json: Option<DestinationSetting> = serde_json::from_value(word.into()).ok();
            assert_eq!(DestinationSetting::from_bytes(word.as_bytes()), json, "{word}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_reason() {
        for (text, want, why) in [
            ("", "empty", "nothing was pushed"),
            ("{", "EOF", "cut off"),
            ("\u{feff}{}", "expected value", "a byte order mark is not JSON"),
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

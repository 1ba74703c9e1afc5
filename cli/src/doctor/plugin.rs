//! The plugin in a Wasm filter, and the configuration it has.

use std::rc::Rc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::Value;

use super::{
    envoy::{kind, message},
    json::Json as _,
};

/// How the plugin, its root context and its VM are called.
const NAME: &str = "portcullis";

/// The plugin.
#[derive(Debug)]
pub(super) struct Plugin<'a> {
    /// `envoy.extensions.wasm.v3.PluginConfig`.
    pub(super) config: &'a Value,
    /// What it is configured to do, or why nobody can tell.
    pub(super) settings: Result<Settings, String>,
    pub(super) delivery: Delivery<'a>,
}

/// How Envoy got the plugin. What it shows of a resource is what it received last, whether it accepted it or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Delivery<'a> {
    /// In the listener, which Envoy would not have without it.
    Inline,
    /// By this name, and it is in force.
    Accepted(&'a str),
    /// By this name, and it was refused: an earlier one, which nobody can see, is in force.
    Refused(&'a str),
    /// By this name, and it was refused as all others before it.
    NeverAccepted(&'a str),
}

/// What of the plugin's configuration matters for what stands around it. Fields that are not known here are not the
/// doctor's business: the plugin refuses what it does not know.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    pub(super) direction: Option<String>,
    pub(super) destination: Option<String>,
    pub(super) identity: Identity,
    pub(super) bundle: Bundle,
    /// Whether a rule asks for a TLS server name.
    #[serde(skip)]
    pub(super) server_names: bool,
}

/// Where identities come from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Identity {
    pub(super) certificate: Option<String>,
}

/// The policy, of which only matters which one it is, and whether it has an effect.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Bundle {
    pub(super) digest: Option<String>,
    options: Options,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
struct Options {
    audit: bool,
    enforcement: Option<String>,
}

impl Bundle {
    /// Why no policy of it has an effect, if so.
    pub(super) fn idle(&self) -> Option<&'static str> {
        match &self.options {
            Options { audit: true, .. } => Some("all policies are in audit mode"),
            Options { enforcement, .. } if enforcement.as_deref() == Some("never") => {
                Some("the enforcement mode is `never`")
            }
            Options { .. } => None,
        }
    }
}

/// The plugin, if the message is that of a Wasm filter with it.
pub(super) fn find<'a>(kind: &str, message: &'a Value, delivery: Delivery<'a>) -> Option<Rc<Plugin<'a>>> {
    let config = message.at("/config");
    let wasm = [kind::NETWORK_WASM, kind::HTTP_WASM].contains(&kind);
    let names = ["/root_id", "/name", "/vm_config/vm_id"];
    let ours = wasm && names.iter().any(|name| config.text(name) == NAME);
    ours.then(|| {
        Rc::new(Plugin {
            config,
            settings: settings(config.at("/configuration")),
            delivery,
        })
    })
}

impl Plugin<'_> {
    /// Whether it is what runs.
    pub(super) fn is_in_force(&self) -> bool {
        matches!(self.delivery, Delivery::Inline | Delivery::Accepted(_))
    }

    /// The name under which Envoy got it.
    pub(super) fn resource(&self) -> Option<&str> {
        match self.delivery {
            Delivery::Inline => None,
            Delivery::Accepted(name) | Delivery::Refused(name) | Delivery::NeverAccepted(name) => Some(name),
        }
    }

    /// Its own name, as in statistics.
    pub(super) fn name(&self) -> &str {
        self.config.text("/name")
    }

    /// What makes Envoy give it the same VM as another plugin, but for the code.
    pub(super) fn vm(&self) -> (&str, &Value) {
        (
            self.config.text("/vm_config/vm_id"),
            self.config.at("/vm_config/configuration"),
        )
    }

    /// The code that Envoy runs.
    pub(super) fn code(&self) -> &Value {
        self.config.at("/vm_config/code")
    }

    /// The digest of its policy.
    pub(super) fn digest(&self) -> Option<&str> {
        self.settings.as_ref().ok()?.bundle.digest.as_deref()
    }
}

fn settings(configuration: &Value) -> Result<Settings, String> {
    let text = match message(configuration) {
        ("google.protobuf.StringValue", wrapped) => wrapped.text("/value").as_bytes().to_vec(),
        ("google.protobuf.BytesValue", wrapped) => {
            let bytes = STANDARD.decode(wrapped.text("/value"));
            bytes.map_err(|error| format!("the bytes are not base64: {error}"))?
        }
        ("", _) => return Err("it has none".to_owned()),
        (kind, _) => {
            return Err(format!(
                "it is a `{kind}`, and the plugin reads StringValue and BytesValue"
            ));
        }
    };
    let settings: Settings =
        serde_json::from_slice(&text).map_err(|error| format!("it is not what the plugin reads: {error}"))?;
    Ok(Settings {
        // Looked for in the text: a label of this name would count, too, and no rule gets lost.
        server_names: str::from_utf8(&text).is_ok_and(|text| text.contains("\"serverNames\"")),
        ..settings
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = r#"{"version":1,"direction":"egress","identity":{"certificate":"verified"},
                           "bundle":{"digest":"sha256:7","policies":[{"serverNames":["a"]}]}}"#;

    #[test]
    fn both_encodings_are_read() {
        let url = |kind: &str| format!("type.googleapis.com/google.protobuf.{kind}");
        let string = settings(&json!({ "@type": url("StringValue"), "value": TEXT }));
        let bytes = settings(&json!({ "@type": url("BytesValue"), "value": STANDARD.encode(TEXT) }));
        assert_eq!(string, bytes);
        let settings = string.expect("readable");
        assert_eq!(settings.direction.as_deref(), Some("egress"));
        assert_eq!(settings.identity.certificate.as_deref(), Some("verified"));
        assert_eq!(
            (settings.bundle.digest.as_deref(), settings.server_names),
            (Some("sha256:7"), true)
        );
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (value, part) in [
            (json!(null), "none"),
            (
                json!({ "@type": "x/google.protobuf.Struct", "value": {} }),
                "`google.protobuf.Struct`",
            ),
            (
                json!({ "@type": "x/google.protobuf.StringValue", "value": "{" }),
                "not what the plugin reads",
            ),
            (
                json!({ "@type": "x/google.protobuf.BytesValue", "value": "?" }),
                "not base64",
            ),
        ] {
            let error = settings(&value).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn only_wasm_filters_with_its_name_are_the_plugin() {
        for (kind, config, ours, why) in [
            (kind::NETWORK_WASM, json!({ "root_id": "portcullis" }), true, "its root"),
            (
                kind::HTTP_WASM,
                json!({ "vm_config": { "vm_id": "portcullis" } }),
                true,
                "its VM",
            ),
            (
                kind::HTTP_WASM,
                json!({ "name": "stats", "root_id": "stats" }),
                false,
                "somebody else's",
            ),
            (kind::HTTP_RBAC, json!({ "name": "portcullis" }), false, "no Wasm"),
        ] {
            assert_eq!(
                find(kind, &json!({ "config": config }), Delivery::Inline).is_some(),
                ours,
                "{why}"
            );
        }
    }
}

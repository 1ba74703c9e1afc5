//! What the plugin is configured to do, of which matters here only what must fit what stands around it. Fields that are
//! not known here are not the doctor's business: the plugin refuses what it does not know.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use policy_core::{
    Packed,
    bundle::{Enforcement, Options, Policy},
};
use serde::Deserialize;
use serde_json::Value;

use super::super::{envoy::message, json::Json as _};

/// The settings of a plugin, and its policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Settings {
    pub(in super::super) direction: Option<String>,
    pub(in super::super) destination: Option<String>,
    pub(in super::super) identity: Identity,
    pub(in super::super) bundle: Bundle,
}

/// Where identities come from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Identity {
    pub(in super::super) certificate: Option<String>,
}

/// The policy, of which only matters which one it is, whether it has an effect, and what it has to see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Bundle {
    pub(in super::super) digest: String,
    /// Why no policy of it has an effect, if so.
    pub(in super::super) idle: Option<&'static str>,
    /// Whether a rule asks for a TLS server name.
    pub(in super::super) server_names: bool,
}

/// The configuration as it is written.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    direction: Option<String>,
    destination: Option<String>,
    identity: Identity,
    bundle: Value,
}

impl Settings {
    /// Of this protobuf message; an error says why nobody can tell.
    pub(super) fn read(configuration: &Value) -> Result<Self, String> {
        let mut bytes = match message(configuration) {
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
        // A packed bundle begins with a zero byte, which JSON does not have.
        let behind = bytes.iter().position(|byte| *byte == 0);
        let behind = behind.map(|start| bytes.split_off(start));
        let Written {
            direction,
            destination,
            identity,
            bundle,
        } = serde_json::from_slice(&bytes).map_err(|error| format!("it is not what the plugin reads: {error}"))?;
        Ok(Self {
            direction,
            destination,
            identity,
            bundle: Bundle::unpack(packed(&bundle, behind)?)?,
        })
    }
}

/// The packed bundle, which is in the JSON or behind it.
fn packed(inside: &Value, behind: Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    match (inside, behind) {
        (Value::Null, Some(packed)) => Ok(packed),
        (Value::String(text), None) => {
            let packed = STANDARD.decode(text);
            packed.map_err(|error| format!("its bundle is not base64: {error}"))
        }
        (Value::Object(_), None) => Err("its bundle is not packed: `portcullis pack` does that".to_owned()),
        (Value::Null, None) => Err("it has no bundle".to_owned()),
        (_, Some(_)) => Err("it has one bundle in its JSON and another one behind it".to_owned()),
        (_, None) => Err("its bundle is neither text nor bytes".to_owned()),
    }
}

impl Bundle {
    fn unpack(packed: Vec<u8>) -> Result<Self, String> {
        let unreadable = |error| format!("its bundle cannot be read: {error}");
        let packed = Packed::from_bytes(packed).map_err(unreadable)?;
        Ok(Self {
            digest: packed.digest().to_owned(),
            idle: idle(packed.options()),
            server_names: packed
                .policies()
                .map_err(unreadable)?
                .iter()
                .any(asks_for_a_server_name),
        })
    }
}

fn idle(options: &Options) -> Option<&'static str> {
    match options {
        Options { audit: true, .. } => Some("all policies are in audit mode"),
        Options {
            enforcement: Enforcement::Never,
            ..
        } => Some("the enforcement mode is `never`"),
        Options { .. } => None,
    }
}

fn asks_for_a_server_name(policy: &Policy) -> bool {
    let elements = policy
        .rules
        .iter()
        .flat_map(|rule| [&rule.ingress, &rule.ingress_deny, &rule.egress, &rule.egress_deny])
        .flatten();
    let mut ports = elements.flat_map(|element| element.ports.iter().flatten());
    ports.any(|port| !port.server_names.is_empty())
}

#[cfg(test)]
mod tests {
    use policy_core::packed::{self, Form};
    use serde_json::json;

    use super::*;

    const TEXT: &str = r#"{"version":1,"direction":"egress","identity":{"certificate":"verified"},
        "bundle":{"version":1,"selectors":[[]],"policies":[{"kind":"CiliumNetworkPolicy","namespace":"a","name":"b","rules":[
            {"path":"spec","subject":0,"defaultDeny":{"ingress":false,"egress":true},"egress":[
                {"peers":"any","ports":[{"ports":[{"port":{"protocol":"TCP","numbers":{"range":[443,443]}}}],"serverNames":["c"]}]}]}]}]}}"#;

    fn wrapped(kind: &str, value: &str) -> Value {
        json!({ "@type": format!("type.googleapis.com/google.protobuf.{kind}"), "value": value })
    }

    #[test]
    fn both_forms_are_read_in_both_wrappers() {
        let [text, bytes] =
            [Form::Text, Form::Bytes].map(|form| packed::configuration(TEXT.as_bytes(), form).expect("it packs"));
        let text = String::from_utf8(text).expect("text");
        let all = [
            wrapped("StringValue", &text),
            wrapped("BytesValue", &STANDARD.encode(&text)),
            wrapped("BytesValue", &STANDARD.encode(&bytes)),
        ]
        .map(|value| Settings::read(&value).expect("readable"));
        assert_eq!((&all[0], &all[0]), (&all[1], &all[2]));
        let Settings {
            direction,
            destination,
            identity,
            bundle,
        } = &all[0];
        assert_eq!((direction.as_deref(), destination), (Some("egress"), &None));
        assert_eq!(identity.certificate.as_deref(), Some("verified"));
        assert!(bundle.digest.starts_with("sha256:"), "{bundle:?}");
        assert_eq!((bundle.idle, bundle.server_names), (None, true));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let bare = r#"{"version":1,"bundle":{"version":1}}"#;
        let packed = packed::configuration(bare.as_bytes(), Form::Bytes).expect("it packs");
        let start = packed.iter().position(|byte| *byte == 0).expect("a bundle");
        let twice = [br#"{"version":1,"bundle":"AAAA"}"#, &packed[start..]].concat();
        for (value, part) in [
            (json!(null), "none"),
            (
                json!({ "@type": "x/google.protobuf.Struct", "value": {} }),
                "`google.protobuf.Struct`",
            ),
            (wrapped("StringValue", "{"), "not what the plugin reads"),
            (wrapped("BytesValue", "?"), "the bytes are not base64"),
            (wrapped("StringValue", bare), "not packed: `portcullis pack`"),
            (wrapped("StringValue", r#"{"version":1}"#), "no bundle"),
            (
                wrapped("StringValue", r#"{"version":1,"bundle":"?"}"#),
                "its bundle is not base64",
            ),
            (
                wrapped("StringValue", r#"{"version":1,"bundle":"AAAA"}"#),
                "its bundle cannot be read",
            ),
            (
                wrapped("StringValue", r#"{"version":1,"bundle":7}"#),
                "neither text nor",
            ),
            (wrapped("BytesValue", &STANDARD.encode(&twice)), "another one behind it"),
            (
                wrapped("BytesValue", &STANDARD.encode(&packed[..packed.len() - 1])),
                "its bundle cannot be read",
            ),
        ] {
            let error = Settings::read(&value).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    }
}

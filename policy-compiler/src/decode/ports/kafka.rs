//! Kafka rules.

use policy_core::{
    bundle::KafkaRule,
    kafka::{api_key, role},
};

use crate::{
    decode::{Context, Cursor},
    diagnostic::Code,
};

const MAX_TOPIC: usize = 255;

/// Reads one item of `rules.kafka`.
pub(super) fn kafka(cx: &mut Context<'_>, at: &Cursor<'_>) -> KafkaRule {
    at.fields(cx, &["role", "apiKey", "apiVersion", "clientID", "topic"]);
    if is_written(at, "role") && is_written(at, "apiKey") {
        cx.error(at, Code::C17, "has both `role` and `apiKey`")
            .help("write an item for each");
    }
    let role = keys_of_role(cx, at);
    let keys = key_of_name(cx, at);
    KafkaRule {
        api_keys: role.or(keys).unwrap_or_default(),
        api_version: api_version(cx, at),
        client_id: at
            .text_of(cx, "clientID")
            .filter(|text| !text.is_empty())
            .map(Into::into),
        topic: topic(cx, at),
    }
}

/// Whether a field has a text. Empty is the same as missing.
fn is_written(at: &Cursor<'_>, key: &'static str) -> bool {
    at.get(key)
        .and_then(|value| value.node().as_str())
        .is_some_and(|text| !text.is_empty())
}

fn keys_of_role(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<Vec<i16>> {
    let value = at.get("role")?;
    let text = value.text(cx)?;
    let lower = text.to_ascii_lowercase();
    let keys = role(&lower);
    if keys.is_none() && !text.is_empty() {
        cx.error(&value, Code::C17, format!("unknown role `{text}`"))
            .help("the roles are produce and consume");
    } else if keys.is_none() && cx.at_cluster() {
        cx.error(&value, Code::D9, "the API server does not admit an empty role")
            .help("remove `role` to allow every kind of request");
    } else if lower != text && cx.at_cluster() {
        cx.error(
            &value,
            Code::D9,
            format!("the API server does not admit the role `{text}`"),
        )
        .help(format!("write `{lower}`"));
    }
    keys.map(<[i16]>::to_vec)
}

fn key_of_name(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<Vec<i16>> {
    let value = at.get("apiKey")?;
    let text = value.text(cx)?;
    let key = api_key(text);
    if key.is_none() && !text.is_empty() {
        cx.error(&value, Code::C17, format!("unknown API key `{text}`"))
            .help("API keys are names in lower case, such as `produce`, `fetch` or `metadata`");
    }
    key.map(|key| vec![key])
}

fn api_version(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<i16> {
    let value = at.get("apiVersion")?;
    let text = value.text(cx).filter(|text| !text.is_empty())?;
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let version = if digits { text.parse().ok() } else { None };
    if version.is_none() {
        cx.error(&value, Code::C17, format!("`{text}` is not an API version"))
            .help(format!("versions are numbers from 0 to {}", i16::MAX));
    }
    version
}

fn topic(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<Box<str>> {
    let value = at.get("topic")?;
    let text = value.text(cx).filter(|text| !text.is_empty())?;
    // Cilium lets a backslash through.
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '\\');
    if text.len() > MAX_TOPIC {
        cx.error(&value, Code::C17, format!("a topic has at most {MAX_TOPIC} characters"))
            .help("write the name of one topic");
    } else if let Some(other) = text.chars().find(|c| !fits(*c)) {
        cx.error(
            &value,
            Code::C17,
            format!("`{text}` is not a topic: it has a {other:?}"),
        )
        .help("topics have letters, digits, `.`, `_` and `-`; there are no wildcards");
    }
    Some(text.into())
}

//! `terminatingTLS` and `originatingTLS`: the secrets that the proxy speaks TLS with.

use std::fmt::Write as _;

use super::{missing, named};
use crate::decode::{Context, Cursor};

/// Reads the TLS context that an item has under `key`, as a text. Two contexts are the same if and only if their texts
/// are.
pub(super) fn context(cx: &mut Context<'_>, item: &Cursor<'_>, key: &'static str) -> Option<Box<str>> {
    let at = item.get(key)?;
    at.fields(cx, &["secret", "trustedCA", "certificate", "privateKey"]);
    let mut text = format!("secret {}", secret(cx, &at));
    for part in ["trustedCA", "certificate", "privateKey"] {
        if let Some(value) = at.text_of(cx, part).filter(|value| !value.is_empty()) {
            // Writing to a string cannot fail.
            let _ = write!(text, ", {part} {value}");
        }
    }
    Some(text.into())
}

/// The full name of the secret, which by default is in the namespace of the policy.
fn secret(cx: &mut Context<'_>, context: &Cursor<'_>) -> String {
    let Some(at) = context.get("secret") else {
        missing(cx, context, "secret", "write `secret:` and the name of a Secret");
        return String::new();
    };
    at.fields(cx, &["namespace", "name"]);
    let name = named(cx, &at, "name", "write the name of a Secret");
    match at.text_of(cx, "namespace") {
        Some(namespace) if !namespace.is_empty() => format!("{namespace}/{name}"),
        _ => format!("{}/{name}", cx.object().namespace),
    }
}

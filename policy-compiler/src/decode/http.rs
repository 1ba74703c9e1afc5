//! HTTP rules.

use policy_core::{
    bundle::{HeaderRule, HttpRule},
    re2::Pattern,
};

use super::{Context, Cursor};
use crate::diagnostic::Code;

/// Reads one item of `rules.http`.
pub(super) fn http(cx: &mut Context<'_>, at: &Cursor<'_>) -> HttpRule {
    at.fields(cx, &["path", "method", "host", "headers", "headerMatches"]);
    if let Some(matches) = at.get("headerMatches") {
        cx.unsupported(&matches, "`headerMatches`");
        check_header_matches(cx, &matches);
    }
    let method = pattern(cx, at, "method");
    let path = pattern(cx, at, "path");
    warn_about_literals(cx, at);
    let host = pattern(cx, at, "host");
    let items = at.items_of(cx, "headers");
    let headers = items.iter().filter_map(|item| header(cx, item)).collect();
    HttpRule {
        method,
        path,
        host,
        headers,
    }
}

/// An RE2 pattern. Empty is the same as missing.
fn pattern(cx: &mut Context<'_>, at: &Cursor<'_>, key: &'static str) -> Option<Box<str>> {
    let value = at.get(key)?;
    let text = value.text(cx)?;
    if text.is_empty() {
        return None;
    }
    if let Err(problem) = Pattern::parse(text) {
        cx.error(&value, Code::C14, format!("invalid {key} pattern: {problem}"));
    }
    Some(text.into())
}

/// Patterns that are plain text and can never match.
fn warn_about_literals(cx: &mut Context<'_>, at: &Cursor<'_>) {
    if let Some(value) = at.get("method")
        && let Some(text) = value.node().as_str()
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase())
    {
        cx.warning(
            &value,
            Code::MATCHES_NOTHING,
            format!("methods are upper case, `{text}` matches none"),
        )
        .help(format!("write `{}`", text.to_ascii_uppercase()));
    }
    if let Some(value) = at.get("path")
        && let Some(text) = value.node().as_str()
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_'))
    {
        cx.warning(
            &value,
            Code::MATCHES_NOTHING,
            format!("paths start with `/`, `{text}` matches none"),
        )
        .help(format!("write `/{text}`"));
    }
}

/// A header condition in its text form: split at the first blank. Without one, the whole text is the name of a header
/// that must be there; with one, the name ends before it, less its colons, and the rest is the exact value.
fn header(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<HeaderRule> {
    let text = at.text(cx)?;
    let Some((name, value)) = text.split_once(' ') else {
        if text.contains(':') {
            let fixed = text.replacen(':', ": ", 1);
            cx.warning(
                at,
                Code::MATCHES_NOTHING,
                format!("requires a header that is literally named `{text}`"),
            )
            .help(format!("write `{}`, with a blank after the colon", fixed.trim_end()));
        }
        return Some(HeaderRule {
            name: text.to_ascii_lowercase().into(),
            value: None,
        });
    };
    if value.starts_with(' ') || value.ends_with(' ') {
        cx.warning(
            at,
            Code::MATCHES_NOTHING,
            "the value starts or ends with a blank, which no request carries",
        );
    }
    let name = name.trim_end_matches(':').to_ascii_lowercase().into();
    Some(HeaderRule {
        name,
        value: Some(value.into()),
    })
}

fn check_header_matches(cx: &mut Context<'_>, at: &Cursor<'_>) {
    for item in at.items(cx) {
        item.fields(cx, &["name", "value", "secret", "mismatch"]);
        if item.text_of(cx, "name").is_none_or(str::is_empty) {
            cx.error(&item, Code::C14, "a header needs a name");
        }
        if let Some(mismatch) = item.get("mismatch")
            && let Some(text) = mismatch.text(cx)
            && !matches!(text, "" | "LOG" | "ADD" | "DELETE" | "REPLACE")
        {
            cx.error(&mismatch, Code::C14, format!("unknown mismatch `{text}`"))
                .help("leave it out to require the header; else LOG, ADD, DELETE or REPLACE");
        }
        if let Some(secret) = item.get("secret")
            && secret.text_of(cx, "name").is_none_or(str::is_empty)
        {
            cx.error(&secret, Code::C14, "a secret needs a name");
        }
    }
}

//! HTTP rules.

mod header_match;

use policy_core::{
    bundle::{HeaderRule, HttpRule},
    re2::Pattern,
};

use super::{Context, Cursor};
use crate::diagnostic::Code;

/// Reads one item of `rules.http`.
pub(super) fn http(cx: &mut Context<'_>, at: &Cursor<'_>) -> HttpRule {
    at.fields(cx, &["path", "method", "host", "headers", "headerMatches"]);
    let method = pattern(cx, at, "method");
    let path = pattern(cx, at, "path");
    warn_about_literals(cx, at);
    let host = pattern(cx, at, "host");
    let headers = at.items_of(cx, "headers");
    let matches = at.items_of(cx, "headerMatches");
    HttpRule {
        method,
        path,
        host,
        headers: headers.iter().filter_map(|item| header(cx, item)).collect(),
        header_matches: matches
            .iter()
            .filter_map(|item| header_match::header_match(cx, item))
            .collect(),
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
        if text.is_empty() {
            warn_about_empty_name(cx, at);
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
        )
        .help("write one blank between name and value, and none at the end");
    }
    let name = name.trim_end_matches(':').to_ascii_lowercase();
    if name.is_empty() {
        warn_about_empty_name(cx, at);
    }
    Some(HeaderRule {
        name: name.into(),
        value: Some(value.into()),
    })
}

fn warn_about_empty_name(cx: &mut Context<'_>, at: &Cursor<'_>) {
    cx.warning(
        at,
        Code::MATCHES_NOTHING,
        "requires a header without name, which no request carries",
    )
    .help("write `Name: value`, or only the name if any value will do");
}

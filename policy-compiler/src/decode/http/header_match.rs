//! `headerMatches`: expectations about headers, and what to do if they are not met.

use policy_core::bundle::{ExpectedHeader, HeaderMatch, MismatchAction};

use crate::{
    decode::{Context, Cursor, cursor::closest},
    diagnostic::Code,
};

const ACTIONS: [(&str, MismatchAction); 4] = [
    ("LOG", MismatchAction::Log),
    ("ADD", MismatchAction::Add),
    ("DELETE", MismatchAction::Delete),
    ("REPLACE", MismatchAction::Replace),
];

/// Reads one item of `headerMatches`.
pub(super) fn header_match(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<HeaderMatch> {
    at.fields(cx, &["name", "value", "secret", "mismatch"]);
    let name = name(cx, at);
    let mismatch = mismatch(cx, at);
    let expected = expected(cx, at);
    let name = name?;
    warn_about_header(cx, at, name, &expected);
    Some(HeaderMatch {
        name: name.to_ascii_lowercase().into(),
        expected,
        mismatch,
        secret: at.get("secret").is_some(),
    })
}

fn name<'a>(cx: &mut Context<'_>, at: &Cursor<'a>) -> Option<&'a str> {
    let name = at.text_of(cx, "name");
    if name.is_some_and(str::is_empty) || at.get("name").is_none() {
        cx.error(at, Code::C14, "a header needs a name")
            .help("write `name: X-Name`");
    }
    name.filter(|name| !name.is_empty())
}

fn mismatch(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<MismatchAction> {
    const HELP: &str = "leave it out to require the header; else LOG, ADD, DELETE or REPLACE";
    let value = at.get("mismatch")?;
    let text = value.text(cx)?;
    let found = ACTIONS.iter().find(|(name, _)| *name == text);
    if found.is_none() && !text.is_empty() {
        let diagnostic = cx.error(&value, Code::C14, format!("unknown mismatch `{text}`"));
        diagnostic.help(match closest(text, &ACTIONS.map(|(name, _)| name)) {
            Some(close) => format!("did you mean `{close}`?"),
            None => HELP.to_owned(),
        });
    } else if found.is_none() && cx.at_cluster() {
        cx.error(&value, Code::D9, "the API server does not admit an empty mismatch")
            .help(HELP);
    }
    found.map(|(_, action)| *action)
}

/// What the header should be. Secrets are never read, so only the value beside one can take its place.
fn expected(cx: &mut Context<'_>, at: &Cursor<'_>) -> ExpectedHeader {
    let value = at.text_of(cx, "value").filter(|value| !value.is_empty());
    let secret = at.get("secret");
    if let Some(secret) = &secret {
        secret.fields(cx, &["namespace", "name"]);
        secret.text_of(cx, "namespace");
        if secret.text_of(cx, "name").is_none_or(str::is_empty) {
            cx.error(secret, Code::C14, "a secret needs a name")
                .help("write `name:` and the name of a Secret");
        }
    }
    match (value, secret) {
        (Some(value), Some(secret)) => {
            cx.warning(
                &secret,
                Code::NO_EFFECT,
                "secrets are not read: the header must have the `value` beside it",
            )
            .help("remove `secret` if that is meant");
            ExpectedHeader::Value(value.into())
        }
        (Some(value), None) => ExpectedHeader::Value(value.into()),
        (None, Some(secret)) => {
            cx.warning(
                &secret,
                Code::MATCHES_NOTHING,
                "secrets are not read: this rule matches no request",
            )
            .help("write the expected `value`");
            ExpectedHeader::Unobtainable
        }
        (None, None) => ExpectedHeader::Present,
    }
}

/// Names and values that no request carries.
fn warn_about_header(cx: &mut Context<'_>, at: &Cursor<'_>, name: &str, expected: &ExpectedHeader) {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let stem = name.strip_prefix(':').unwrap_or(name);
    if let Some(found) = at.get("name").filter(|_| stem.is_empty() || !stem.chars().all(token)) {
        let diagnostic = cx.warning(
            &found,
            Code::MATCHES_NOTHING,
            format!("no request carries a header named `{name}`"),
        );
        if name.contains([':', ' ']) {
            diagnostic.help("write the name alone, and its value as `value`");
        }
    }
    if let ExpectedHeader::Value(value) = expected
        && let Some(found) = at.get("value")
        && (value.trim() != &**value || value.contains(char::is_control))
    {
        cx.warning(
            &found,
            Code::MATCHES_NOTHING,
            "no request carries a value with blanks around it or control characters in it",
        )
        .help("write the value as it is sent");
    }
}

//! Label selectors.

use policy_core::{Requirement, SelectorKey};

use super::{Context, Cursor, cursor::closest};
use crate::{diagnostic::Code, identity, resource::LabelSelector};

const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];
/// Sources of labels that identities get from rules, not from objects.
const UNSUPPORTED_SOURCES: [&str; 3] = ["cidr", "cidrgroup", "fqdn"];

/// Whose labels a selector is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Endpoints,
    Nodes,
    CidrGroups,
}

/// Reads a selector over endpoints.
pub(super) fn selector(cx: &mut Context<'_>, at: &Cursor<'_>) -> LabelSelector {
    read(cx, at, Over::Endpoints)
}

/// Only checks a selector that belongs to something that is not supported yet.
pub(super) fn check(cx: &mut Context<'_>, at: &Cursor<'_>, over: Over) {
    read(cx, at, over);
}

fn read(cx: &mut Context<'_>, at: &Cursor<'_>, over: Over) -> LabelSelector {
    at.fields(cx, &["matchLabels", "matchExpressions"]);
    let mut equals = Vec::new();
    for (text, value) in at
        .get("matchLabels")
        .map(|labels| labels.entries(cx))
        .unwrap_or_default()
    {
        let key = key(cx, &value, text, over);
        let value = value_text(cx, &value);
        equals.extend(key.zip(value).map(|(key, value)| (key, value.into())));
    }
    let items = at.items_of(cx, "matchExpressions");
    let expressions = items.iter().filter_map(|item| expression(cx, item, over)).collect();
    LabelSelector { equals, expressions }
}

fn expression(cx: &mut Context<'_>, at: &Cursor<'_>, over: Over) -> Option<Requirement> {
    at.fields(cx, &["key", "operator", "values"]);
    let key_at = at.require(cx, "key", Code::A6);
    let operator_at = at.require(cx, "operator", Code::A6);
    let key = key_at.and_then(|key_at| {
        let text = key_at.text(cx)?;
        key(cx, &key_at, text, over)
    });
    let values: Vec<Box<str>> = at
        .items_of(cx, "values")
        .iter()
        .filter_map(|v| value_text(cx, v))
        .map(Box::from)
        .collect();
    let operator_at = operator_at?;
    let operator = operator_at.text(cx)?;
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            cx.error(at, Code::A6, format!("`{operator}` needs at least one value"));
            None
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            cx.error(at, Code::A6, format!("`{operator}` takes no values"))
                .help("use `In` or `NotIn` with values");
            None
        }
        "In" => Some(Requirement::In { key: key?, values }),
        "NotIn" => Some(Requirement::NotIn { key: key?, values }),
        "Exists" => Some(Requirement::Exists { key: key? }),
        "DoesNotExist" => Some(Requirement::DoesNotExist { key: key? }),
        _ => {
            let diagnostic = cx.error(&operator_at, Code::A6, format!("unknown operator `{operator}`"));
            match closest(operator, &OPERATORS) {
                Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
                None => diagnostic.help("the operators are In, NotIn, Exists and DoesNotExist"),
            };
            None
        }
    }
}

fn value_text<'a>(cx: &mut Context<'_>, at: &Cursor<'a>) -> Option<&'a str> {
    let text = at.text(cx)?;
    if let Err(problem) = check_value(text) {
        cx.error(at, Code::A6, format!("label value `{text}` {problem}"));
    }
    Some(text)
}

fn key(cx: &mut Context<'_>, at: &Cursor<'_>, text: &str, over: Over) -> Option<SelectorKey> {
    // Cilium overwrites the source of a key over CIDR groups before it looks at it.
    let checked = if over == Over::CidrGroups {
        text.strip_prefix(':').unwrap_or(text)
    } else {
        text
    };
    if let Err(problem) = check_key(checked) {
        cx.error(at, Code::A6, format!("label key `{text}` {problem}"));
        return None;
    }
    let key = SelectorKey::parse(checked)?;
    if over == Over::Endpoints {
        check_source(cx, at, &key);
    }
    Some(key)
}

fn check_source(cx: &mut Context<'_>, at: &Cursor<'_>, key: &SelectorKey) {
    match key.source() {
        Some(source) if UNSUPPORTED_SOURCES.contains(&source) => {
            cx.unsupported(at, &format!("a selector over labels of source `{source}`"));
        }
        None | Some("k8s") if !identity::is_identity_label(key.key()) => {
            let message = format!(
                "no endpoint has the label `{}`: it is not part of identities",
                key.key()
            );
            cx.warning(at, Code::MATCHES_NOTHING, message);
        }
        _ => {}
    }
}

/// `[source:][prefix/]name`. The message continues "label key `x` …".
fn check_key(text: &str) -> Result<(), String> {
    let (source, key) = text
        .split_once(':')
        .map_or((None, text), |(source, key)| (Some(source), key));
    if key.contains(':') {
        return Err("has more than one `:`".into());
    }
    if source.is_some_and(|source| source.is_empty() || !source.bytes().all(|b| b.is_ascii_alphanumeric())) {
        return Err("needs letters or digits before the `:`".into());
    }
    let (prefix, name) = key
        .split_once('/')
        .map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if prefix.is_some_and(|prefix| !is_dns_subdomain(prefix)) {
        return Err("needs a lower-case DNS name before the `/`".into());
    }
    check_name(name)
}

fn check_value(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { check_name(text) }
}

fn check_name(name: &str) -> Result<(), String> {
    let ends_fit =
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.ends_with(|c: char| c.is_ascii_alphanumeric());
    if name.is_empty() {
        Err("has no name".into())
    } else if name.len() > 63 {
        Err(format!("is longer than 63 characters ({})", name.len()))
    } else if let Some(c) = name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
    {
        Err(format!(
            "contains {c:?}, only letters, digits, `-`, `_` and `.` may be there"
        ))
    } else if !ends_fit {
        Err("must start and end with a letter or digit".into())
    } else {
        Ok(())
    }
}

fn is_dns_subdomain(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_label =
        |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(fits);
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_those_of_kubernetes() {
        let name_of = |length: usize| "n".repeat(length);
        for (key, valid, why) in [
            ("app".to_owned(), true, "a plain name"),
            ("k8s:app.kubernetes.io/name".to_owned(), true, "source, prefix and name"),
            ("reserved:host".to_owned(), true, "a source of its own"),
            (name_of(63), true, "as long as allowed"),
            (name_of(64), false, "one too long"),
            (String::new(), false, "nothing"),
            (":app".to_owned(), false, "an empty source"),
            ("k-8:app".to_owned(), false, "a source with a dash"),
            ("a:b:c".to_owned(), false, "two colons"),
            ("a/b/c".to_owned(), false, "two slashes"),
            ("Example.com/x".to_owned(), false, "an upper-case prefix"),
            ("example.com/".to_owned(), false, "a prefix without name"),
            ("-a".to_owned(), false, "a dash in front"),
            ("a b".to_owned(), false, "a blank"),
        ] {
            assert_eq!(check_key(&key).is_ok(), valid, "{key}: {why}");
        }
        for (value, valid) in [
            ("", true),
            ("v1.2_x", true),
            ("bad value", false),
            ("a/b", false),
            ("-", false),
        ] {
            assert_eq!(check_value(value).is_ok(), valid, "{value}");
        }
    }
}

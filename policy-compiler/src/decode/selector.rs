//! Label selectors.

use policy_core::{Requirement, SelectorKey};

use super::{Context, Cursor, cursor::closest};
use crate::{
    diagnostic::Code,
    identity::{self, CIDR_GROUP_SOURCE},
    resource::LabelSelector,
    scope::NAMESPACE_LABELS_PREFIX,
};

pub(super) const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

/// Whose labels a selector is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Identities, by keys that may name a source.
    Endpoints,
    /// The nodes of the cluster.
    Nodes,
    /// The groups that an address outside the cluster is in.
    CidrGroups,
    /// Pods, by keys of Kubernetes.
    Pods,
    /// Pods, by the labels of their namespace.
    Namespaces,
}

impl Over {
    /// The rule that an invalid selector breaks.
    fn code(self) -> Code {
        match self {
            Self::Endpoints | Self::Nodes | Self::CidrGroups => Code::A6,
            Self::Pods | Self::Namespaces => Code::K1,
        }
    }
}

/// Reads a selector over endpoints.
pub(super) fn selector(cx: &mut Context<'_>, at: &Cursor<'_>) -> LabelSelector {
    selector_over(cx, at, Over::Endpoints)
}

/// Reads a selector.
pub(super) fn selector_over(cx: &mut Context<'_>, at: &Cursor<'_>, over: Over) -> LabelSelector {
    at.fields(cx, &["matchLabels", "matchExpressions"]);
    let mut equals = Vec::new();
    for (text, value) in at
        .get("matchLabels")
        .map(|labels| labels.entries(cx))
        .unwrap_or_default()
    {
        let key = key(cx, &value, text, over);
        let value = value_text(cx, &value, over);
        equals.extend(key.zip(value).map(|(key, value)| (key, value.into())));
    }
    let items = at.items_of(cx, "matchExpressions");
    let expressions = items.iter().filter_map(|item| expression(cx, item, over)).collect();
    LabelSelector { equals, expressions }
}

fn expression(cx: &mut Context<'_>, at: &Cursor<'_>, over: Over) -> Option<Requirement> {
    at.fields(cx, &["key", "operator", "values"]);
    let key_at = at.require(cx, "key", over.code());
    let operator_at = at.require(cx, "operator", over.code());
    let key = key_at.and_then(|key_at| {
        let text = key_at.text(cx)?;
        key(cx, &key_at, text, over)
    });
    let values: Vec<Box<str>> = at
        .items_of(cx, "values")
        .iter()
        .filter_map(|v| value_text(cx, v, over))
        .map(Box::from)
        .collect();
    let operator_at = operator_at?;
    let operator = operator_at.text(cx)?;
    match operator {
        "In" | "NotIn" if values.is_empty() => {
            cx.error(at, over.code(), format!("`{operator}` needs at least one value"));
            None
        }
        "Exists" | "DoesNotExist" if !values.is_empty() => {
            cx.error(at, over.code(), format!("`{operator}` takes no values"))
                .help("use `In` or `NotIn` with values");
            None
        }
        "In" => Some(Requirement::In { key: key?, values }),
        "NotIn" => Some(Requirement::NotIn { key: key?, values }),
        "Exists" => Some(Requirement::Exists { key: key? }),
        "DoesNotExist" => Some(Requirement::DoesNotExist { key: key? }),
        _ => {
            let diagnostic = cx.error(&operator_at, over.code(), format!("unknown operator `{operator}`"));
            match closest(operator, &OPERATORS) {
                Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
                None => diagnostic.help("the operators are In, NotIn, Exists and DoesNotExist"),
            };
            None
        }
    }
}

fn value_text<'a>(cx: &mut Context<'_>, at: &Cursor<'a>, over: Over) -> Option<&'a str> {
    let text = at.text(cx)?;
    if let Err(problem) = check_value(text) {
        cx.error(at, over.code(), format!("label value `{text}` {problem}"));
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
    let checks = match over {
        Over::Endpoints | Over::Nodes | Over::CidrGroups => check_key,
        Over::Pods | Over::Namespaces => check_qualified_name,
    };
    if let Err(problem) = checks(checked) {
        cx.error(at, over.code(), format!("label key `{text}` {problem}"));
        return None;
    }
    let key = match over {
        Over::Endpoints | Over::Nodes => SelectorKey::parse(checked),
        Over::CidrGroups if checked.contains(':') => SelectorKey::parse(checked),
        Over::CidrGroups => SelectorKey::parse(&format!("{CIDR_GROUP_SOURCE}:{checked}")),
        Over::Pods => SelectorKey::parse(&format!("k8s:{checked}")),
        Over::Namespaces => SelectorKey::parse(&format!("k8s:{NAMESPACE_LABELS_PREFIX}{checked}")),
    }?;
    if matches!(over, Over::Endpoints | Over::Pods) {
        warn_if_filtered(cx, at, &key);
    }
    Some(key)
}

fn warn_if_filtered(cx: &mut Context<'_>, at: &Cursor<'_>, key: &SelectorKey) {
    if matches!(key.source(), None | Some("k8s")) && !identity::is_identity_label(key.key()) {
        let message = format!(
            "no endpoint has the label `{}`: it is not part of identities",
            key.key()
        );
        cx.warning(at, Code::MATCHES_NOTHING, message);
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
    check_qualified_name(key)
}

/// `[prefix/]name`, as Kubernetes has it.
fn check_qualified_name(key: &str) -> Result<(), String> {
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

/// Whether this is the name of an object: a lower-case DNS name.
pub(super) fn is_dns_subdomain(text: &str) -> bool {
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

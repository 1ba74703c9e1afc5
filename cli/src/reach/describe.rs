//! Rules on messages in a few words.

use std::collections::BTreeMap;

use policy_core::{
    Bundle,
    bundle::{DnsRule, ExpectedHeader, HttpRule, KafkaRule, L7Rules},
};

use super::patterns;

/// `GET /metrics host a.example x-key: 1`; patterns stay as written.
pub(super) fn http(rule: &HttpRule) -> String {
    let given = |field: &Option<Box<str>>| field.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
    let mut words = vec![given(&rule.method).unwrap_or_else(|| "any method".into())];
    words.push(given(&rule.path).unwrap_or_else(|| "any path".into()));
    words.extend(given(&rule.host).map(|host| format!("host {host}")));
    for header in &rule.headers {
        words.push(match &header.value {
            Some(value) => format!("{}: {value}", header.name),
            None => format!("with {}", header.name),
        });
    }
    for header in &rule.header_matches {
        words.push(match &header.expected {
            ExpectedHeader::Value(value) if !header.secret => format!("{}: {value}", header.name),
            ExpectedHeader::Present | ExpectedHeader::Value(_) | ExpectedHeader::Unobtainable => {
                format!("with {}", header.name)
            }
        });
    }
    match words.as_slice() {
        [method, path] if method == "any method" && path == "any path" => "any request".into(),
        _ => words.join(" "),
    }
}

/// `Kafka kinds 0,3 topic orders client me`.
pub(super) fn kafka(rule: &KafkaRule) -> String {
    let mut words = vec!["Kafka".to_owned()];
    if !rule.api_keys.is_empty() {
        let keys: Vec<String> = rule.api_keys.iter().map(ToString::to_string).collect();
        words.push(format!("kinds {}", keys.join(",")));
    }
    words.extend(rule.api_version.map(|version| format!("version {version}")));
    words.extend(rule.topic.as_deref().map(|topic| format!("topic {topic}")));
    words.extend(rule.client_id.as_deref().map(|client| format!("client {client}")));
    match words.len() {
        1 => "any Kafka request".into(),
        _ => words.join(" "),
    }
}

/// A rule on messages or server names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MessageRule {
    /// What it says.
    pub(crate) words: String,
    /// The rule itself, if it is one on HTTP requests.
    pub(crate) http: Option<HttpRule>,
}

/// Every rule on messages and server names, by its place.
pub(crate) fn rules_on_messages(bundle: &Bundle) -> BTreeMap<String, MessageRule> {
    let mut rules = BTreeMap::new();
    let other = |words| MessageRule { words, http: None };
    for (at, rule) in patterns::port_rules(bundle) {
        if !rule.server_names.is_empty() {
            rules.insert(at.clone(), other(format!("TLS {}", rule.server_names.join(", "))));
        }
        let of_rule: Vec<(&str, MessageRule)> = match &rule.rules {
            None => Vec::new(),
            Some(L7Rules::Http(rules)) => rules.iter().map(|rule| ("http", http_rule(rule))).collect(),
            Some(L7Rules::Kafka(rules)) => rules.iter().map(|rule| ("kafka", other(kafka(rule)))).collect(),
            Some(L7Rules::Dns(rules)) => rules
                .iter()
                .map(|rule| match rule {
                    DnsRule::MatchName(name) | DnsRule::MatchPattern(name) => ("dns", other(format!("DNS {name}"))),
                })
                .collect(),
        };
        for (i, (list, rule)) in of_rule.into_iter().enumerate() {
            rules.insert(format!("{at}.rules.{list}[{i}]"), rule);
        }
    }
    rules
}

fn http_rule(rule: &HttpRule) -> MessageRule {
    MessageRule {
        words: http(rule),
        http: Some(rule.clone()),
    }
}

#[cfg(test)]
mod tests {
    use policy_core::bundle::HeaderRule;

    use super::*;

    #[test]
    fn rules_in_words() {
        let header = |value: Option<&str>| HeaderRule {
            name: "x-key".into(),
            value: value.map(Into::into),
        };
        let rule = |method: Option<&str>, path: Option<&str>, headers| HttpRule {
            method: method.map(Into::into),
            path: path.map(Into::into),
            headers,
            ..HttpRule::default()
        };
        for (rule, want) in [
            (rule(None, None, vec![]), "any request"),
            (rule(Some("GET"), Some("/a.*"), vec![]), "GET /a.*"),
            (rule(Some("GET"), None, vec![header(None)]), "GET any path with x-key"),
            (
                rule(None, Some("/a"), vec![header(Some("1"))]),
                "any method /a x-key: 1",
            ),
        ] {
            assert_eq!(http(&rule), want);
        }
        let of = |topic: Option<&str>| KafkaRule {
            topic: topic.map(Into::into),
            ..KafkaRule::default()
        };
        assert_eq!(kafka(&of(None)), "any Kafka request");
        assert_eq!(kafka(&of(Some("orders"))), "Kafka topic orders");
    }
}

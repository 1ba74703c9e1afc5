//! What a connection may show: a finite set of handshakes and messages by which rules can be told apart.

mod http;

use std::collections::BTreeSet;

use policy_core::{
    Bundle, HttpRequest,
    bundle::{DnsRule, KafkaRule, L7Rules, PortRule},
    kafka,
};

use super::{describe, outside::example_of, patterns};
use crate::judge::{Content, Handshake, KafkaMessage, Message};

/// A server name, DNS name, topic and client that no rule is about.
const NOBODY: &str = "other.example";
/// The kinds of Kafka requests that have a topic.
const KAFKA_KINDS: [&str; 2] = ["produce", "fetch"];

/// What rules look into.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Kind {
    /// Nothing but addresses and ports.
    Connection,
    Tls,
    Http,
    Dns,
    Kafka,
}

/// One thing that a connection may show.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) kind: Kind,
    pub(crate) content: Content,
    pub(crate) authenticated: bool,
    /// The rule whose example this is, in its own words.
    pub(crate) rule: Option<String>,
    /// The kind of a Kafka request, as the command line takes it.
    kafka_kind: Option<&'static str>,
}

impl Probe {
    fn new(kind: Kind, content: Content) -> Self {
        Self {
            kind,
            content,
            authenticated: true,
            rule: None,
            kafka_kind: None,
        }
    }

    fn of_rule(self, rule: String) -> Self {
        Self {
            rule: Some(rule),
            ..self
        }
    }

    /// The options by which `trace` asks the same.
    pub(crate) fn trace_options(&self) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut options = Vec::new();
        if let Some(handshake) = &self.content.handshake {
            options.extend(["--sni".into(), handshake.server_name.clone().unwrap_or_default()]);
        }
        match &self.content.message {
            Some(Message::Http(request)) => {
                options.extend(["--http".into(), request_line(request)]);
                if let Some(host) = &request.authority {
                    options.extend(["--host".into(), text(host)]);
                }
                for (name, value) in &request.headers {
                    options.extend(["--header".into(), format!("{}: {}", text(name), text(value))]);
                }
            }
            Some(Message::Dns(name)) => options.extend(["--dns".into(), text(name)]),
            Some(Message::Kafka(message)) => {
                let kind = self.kafka_kind.unwrap_or(KAFKA_KINDS[0]).to_owned();
                let topics: Vec<String> = message.topics.iter().map(|topic| text(topic)).collect();
                let words = [kind, topics.join(","), text(&message.client_id)];
                options.extend(["--kafka".into(), words.join(" ").trim_end().to_owned()]);
            }
            None => {}
        }
        if !self.authenticated {
            options.push("--unauthenticated".into());
        }
        options
    }

    /// `HTTP GET /metrics`, for people.
    pub(crate) fn describe(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut words = Vec::new();
        if let Some(handshake) = &self.content.handshake {
            words.push(match &handshake.server_name {
                Some(name) => format!("TLS {name}"),
                None => "TLS without a server name".into(),
            });
        }
        match &self.content.message {
            Some(Message::Http(request)) => {
                words.push(request_line(request));
                words.extend(request.authority.iter().map(|host| format!("host {}", text(host))));
                let headers = request.headers.iter();
                words.extend(headers.map(|(name, value)| format!("{}: {}", text(name), text(value))));
            }
            Some(Message::Dns(name)) => words.push(format!("DNS {}", text(name))),
            Some(Message::Kafka(message)) => {
                let topics = message
                    .topics
                    .iter()
                    .map(|topic| text(topic))
                    .collect::<Vec<_>>()
                    .join(",");
                words.push(format!(
                    "Kafka {} {topics} {}",
                    self.kafka_kind.unwrap_or_default(),
                    text(&message.client_id)
                ));
            }
            None => {}
        }
        if !self.authenticated {
            words.push("without proof of identity".into());
        }
        words.join(" ").trim_end().to_owned()
    }
}

fn request_line(request: &HttpRequest) -> String {
    let text = |bytes: &Option<Vec<u8>>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
    format!("{} {}", text(&request.method), text(&request.path))
}

/// Everything worth showing to the rules of these bundles. The first is nothing, by somebody who has proven who it
/// is.
pub(super) fn probes(bundles: &[Bundle]) -> Vec<Probe> {
    let rules: Vec<&PortRule> = bundles
        .iter()
        .flat_map(|bundle| patterns::port_rules(bundle).map(|(_, rule)| rule))
        .collect();
    let mut probes = vec![Probe::new(Kind::Connection, Content::default())];
    probes.extend(tls(&rules));
    probes.extend(http::probes(&rules));
    probes.extend(dns(&rules));
    probes.extend(kafka_messages(&rules));
    if bundles.iter().any(patterns::mention_authentication) {
        let unproven = probes.iter().map(|probe| Probe {
            authenticated: false,
            ..probe.clone()
        });
        probes.extend(unproven.collect::<Vec<Probe>>());
    }
    let mut known = BTreeSet::new();
    probes.retain(|probe| known.insert((probe.kind, probe.trace_options())));
    probes
}

fn handshake(name: Option<String>) -> Option<Handshake> {
    Some(Handshake { server_name: name })
}

fn tls(rules: &[&PortRule]) -> Vec<Probe> {
    let show = |name| {
        Probe::new(
            Kind::Tls,
            Content {
                handshake: handshake(name),
                message: None,
            },
        )
    };
    let names: BTreeSet<&str> = rules
        .iter()
        .flat_map(|rule| &rule.server_names)
        .map(|name| &**name)
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let of_names = names
        .into_iter()
        .map(|name| show(Some(example_of(name))).of_rule(format!("TLS {name}")));
    of_names.chain([show(Some(NOBODY.into())), show(None)]).collect()
}

fn dns(rules: &[&PortRule]) -> Vec<Probe> {
    let show = |name: String| {
        let message = Some(Message::Dns(name.into_bytes()));
        Probe::new(
            Kind::Dns,
            Content {
                handshake: None,
                message,
            },
        )
    };
    let mut names = BTreeSet::new();
    for rule in rules {
        if let Some(L7Rules::Dns(rules)) = &rule.rules {
            names.extend(rules.iter().map(|rule| match rule {
                DnsRule::MatchName(name) | DnsRule::MatchPattern(name) => &**name,
            }));
        }
    }
    if names.is_empty() {
        return Vec::new();
    }
    let of_names = names
        .into_iter()
        .map(|name| show(example_of(name)).of_rule(format!("DNS {name}")));
    of_names.chain([show(NOBODY.into())]).collect()
}

fn kafka_messages(rules: &[&PortRule]) -> Vec<Probe> {
    let mut wanted: Vec<&KafkaRule> = Vec::new();
    for rule in rules {
        if let Some(L7Rules::Kafka(rules)) = &rule.rules {
            wanted.extend(rules.iter().filter(|rule| !wanted.contains(rule)).collect::<Vec<_>>());
        }
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    let show = |kind: &'static str, topic: &str, client: &str| {
        let message = KafkaMessage {
            api_key: kafka::api_key(kind)?,
            api_version: KafkaMessage::UNKNOWN_VERSION,
            client_id: client.as_bytes().to_vec(),
            topics: vec![topic.as_bytes().to_vec()],
        };
        let content = Content {
            handshake: None,
            message: Some(Message::Kafka(message)),
        };
        Some(Probe {
            kafka_kind: Some(kind),
            ..Probe::new(Kind::Kafka, content)
        })
    };
    let mut probes = Vec::new();
    for rule in wanted {
        let topic = rule.topic.as_deref().unwrap_or("topic");
        let client = rule.client_id.as_deref().unwrap_or("client");
        let allowed = |kind: &&str| {
            rule.api_keys.is_empty() || kafka::api_key(kind).is_some_and(|key| rule.api_keys.contains(&key))
        };
        let first = KAFKA_KINDS.into_iter().find(allowed);
        probes.extend(
            first
                .and_then(|kind| show(kind, topic, client))
                .map(|probe| probe.of_rule(describe::kafka(rule))),
        );
        probes.extend(KAFKA_KINDS.into_iter().filter_map(|kind| show(kind, topic, client)));
    }
    probes.extend(show(KAFKA_KINDS[0], NOBODY, NOBODY));
    probes.sort_by_key(|probe| probe.rule.is_none());
    probes
}

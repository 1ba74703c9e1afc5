//! One flow of a line.

use std::collections::BTreeMap;

use policy_core::{Direction, HttpRequest, Protocol, kafka};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    args::Peer,
    judge::{Content, Handshake, KafkaMessage, Message},
};

/// A flow to ask about.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Whose policy is asked; `None` for both sides.
    pub(crate) direction: Option<Direction>,
    pub(crate) from: Peer,
    pub(crate) to: Peer,
    pub(crate) protocol: Protocol,
    /// The destination port; the message type for ICMP.
    pub(crate) port: u16,
    /// `None` if it is not told what the message is, so that no answer would be right.
    pub(crate) content: Option<Content>,
}

#[derive(Deserialize)]
struct Wire {
    direction: Option<WireDirection>,
    from: String,
    to: String,
    protocol: String,
    port: Option<u16>,
    icmp_type: Option<u8>,
    http: Option<WireHttp>,
    sni: Option<String>,
    kafka: Option<WireKafka>,
    dns: Option<WireDns>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireDirection {
    Ingress,
    Egress,
}

#[derive(Deserialize)]
struct WireHttp {
    method: String,
    path: String,
    host: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, WireHeader>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "the value of a header is a string or a list of strings")]
enum WireHeader {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct WireDns {
    name: String,
}

#[derive(Deserialize)]
struct WireKafka {
    api_key: Option<WireApiKey>,
    api_version: Option<i16>,
    client_id: Option<String>,
    topics: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an API key is a name or a number")]
enum WireApiKey {
    Name(String),
    Number(i16),
}

impl Flow {
    /// Reads a flow; the error says which key is wrong.
    pub(super) fn read(json: &Value) -> Result<Self, String> {
        let wire = Wire::deserialize(json).map_err(|error| error.to_string())?;
        let Wire {
            direction,
            from,
            to,
            protocol,
            port,
            icmp_type,
            http,
            sni,
            kafka,
            dns,
        } = wire;
        let peer = |key, text: &str| text.parse::<Peer>().map_err(|error| format!("{key}: {error}"));
        let unknown = |()| format!("protocol: `{protocol}` is not one of TCP, UDP, SCTP, ICMP and ICMPv6");
        let protocol = protocol.parse().map_err(unknown)?;
        let number = match protocol {
            Protocol::Icmp | Protocol::IcmpV6 => icmp_type.map(u16::from).ok_or("icmp_type: missing")?,
            Protocol::Tcp | Protocol::Udp | Protocol::Sctp => port.ok_or("port: missing")?,
        };
        let direction = direction.map(|direction| match direction {
            WireDirection::Ingress => Direction::Ingress,
            WireDirection::Egress => Direction::Egress,
        });
        let (from, to) = (peer("from", &from)?, peer("to", &to)?);
        Ok(Self {
            direction,
            from,
            to,
            protocol,
            port: number,
            content: content(sni, http, dns, kafka)?,
        })
    }
}

/// An empty server name is a handshake without one. `None` if a Kafka request does not say what it is.
fn content(
    sni: Option<String>,
    http: Option<WireHttp>,
    dns: Option<WireDns>,
    kafka: Option<WireKafka>,
) -> Result<Option<Content>, String> {
    let handshake = sni.map(|name| Handshake {
        server_name: Some(name).filter(|name| !name.is_empty()),
    });
    let message = match (http, dns, kafka) {
        (None, None, None) => None,
        (Some(http), None, None) => Some(Message::Http(request(http))),
        (None, Some(WireDns { name }), None) => Some(Message::Dns(name.into_bytes())),
        (None, None, Some(kafka)) => match kafka_message(kafka)? {
            Some(message) => Some(Message::Kafka(message)),
            None => return Ok(None),
        },
        _ => return Err("a message is one of `http`, `dns` and `kafka`".into()),
    };
    Ok(Some(Content { handshake, message }))
}

fn kafka_message(
    WireKafka {
        api_key,
        api_version,
        client_id,
        topics,
    }: WireKafka,
) -> Result<Option<KafkaMessage>, String> {
    let api_key = match api_key {
        None => return Ok(None),
        Some(WireApiKey::Number(number)) => number,
        Some(WireApiKey::Name(name)) => {
            kafka::api_key(&name).ok_or_else(|| format!("kafka.api_key: no request is named `{name}`"))?
        }
    };
    Ok(Some(KafkaMessage {
        api_key,
        api_version: api_version.unwrap_or(KafkaMessage::UNKNOWN_VERSION),
        client_id: client_id.unwrap_or_default().into_bytes(),
        topics: topics.unwrap_or_default().into_iter().map(String::into_bytes).collect(),
    }))
}

fn request(
    WireHttp {
        method,
        path,
        host,
        headers,
    }: WireHttp,
) -> HttpRequest {
    let mut pairs = Vec::new();
    for (name, values) in headers {
        let values = match values {
            WireHeader::One(value) => vec![value],
            WireHeader::Many(values) => values,
        };
        pairs.extend(
            values
                .into_iter()
                .map(|value| (name.clone().into_bytes(), value.into_bytes())),
        );
    }
    HttpRequest {
        method: Some(method.into_bytes()),
        path: Some(path.into_bytes()),
        authority: host.map(String::into_bytes),
        headers: pairs,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flow_reads_what_it_needs() {
        let flow = Flow::read(&json!({
            "direction": "egress", "from": "shop/web", "to": "8.8.8.8", "protocol": "tcp", "port": 443, "expect": "allow",
            "http": {"method": "GET", "path": "/", "headers": {"x-a": "1", "x-b": ["2", "3"]}}, "sni": null,
        }));
        let flow = flow.expect("a flow");
        assert_eq!((flow.direction, flow.port), (Some(Direction::Egress), 443));
        let content = flow.content.expect("it is told");
        assert_eq!(content.handshake, None, "null is absent");
        let http = content.http().expect("a request");
        assert_eq!((&http.authority, http.headers.len()), (&None, 3));
    }

    #[test]
    fn a_wrong_flow_says_which_key() {
        let flow = |change: Value| {
            let mut flow = json!({"from": "a/b", "to": "a/c", "protocol": "TCP", "port": 80});
            for (key, value) in change.as_object().expect("a map") {
                flow[key] = value.clone();
            }
            Flow::read(&flow)
        };
        assert!(flow(json!({})).is_ok());
        for (change, part, why) in [
            (
                json!({"from": "a"}),
                "from: `a` is not a peer",
                "a peer without a namespace",
            ),
            (json!({"protocol": "GRE"}), "protocol: `GRE`", "an unknown protocol"),
            (json!({"port": null}), "port: missing", "no port"),
            (json!({"port": 65536}), "65536", "no such port"),
            (json!({"port": "80"}), "expected u16", "a port that is text"),
            (
                json!({"protocol": "ICMP"}),
                "icmp_type: missing",
                "ICMP has a type, no port",
            ),
            (
                json!({"direction": "in"}),
                "unknown variant `in`",
                "an unknown direction",
            ),
            (
                json!({"http": {"method": "GET"}}),
                "missing field `path`",
                "a request without a path",
            ),
            (
                json!({"http": {"method": "", "path": "", "headers": {"a": 1}}}),
                "value of a header",
                "a number",
            ),
            (json!({"sni": 1}), "expected a string", "a name that is no text"),
            (json!({"dns": {}}), "missing field `name`", "a query for nothing"),
            (
                json!({"kafka": {"api_key": "grab"}}),
                "kafka.api_key: no request is named `grab`",
                "an unknown request",
            ),
            (json!({"kafka": {"api_key": 1.5}}), "a name or a number", "half a key"),
            (
                json!({"dns": {"name": "a."}, "kafka": {"api_key": 0}}),
                "a message is one of",
                "two messages at once",
            ),
        ] {
            let error = flow(change).expect_err(why);
            assert!(error.contains(part), "{why}: {error}");
        }
    }

    #[test]
    fn a_connection_shows_a_handshake_and_a_message() {
        let content = |change: Value| {
            let mut flow = json!({"from": "a/b", "to": "a/c", "protocol": "TCP", "port": 80});
            for (key, value) in change.as_object().expect("a map") {
                flow[key] = value.clone();
            }
            Flow::read(&flow).expect("a flow").content
        };
        let known = |change| content(change).expect("it is told");
        assert_eq!(known(json!({})), Content::default(), "only addresses");
        let name = |change| known(change).handshake.map(|handshake| handshake.server_name);
        assert_eq!(name(json!({"sni": "a.example"})), Some(Some("a.example".into())));
        assert_eq!(
            name(json!({"sni": ""})),
            Some(None),
            "a handshake that asks for no name"
        );
        let message = |change| known(change).message;
        assert_eq!(
            message(json!({"dns": {"name": "a.example"}})),
            Some(Message::Dns(b"a.example".to_vec()))
        );
        let kafka = |api_key, api_version, topics: &[&str]| {
            let topics = topics.iter().map(|topic| topic.as_bytes().to_vec()).collect();
            Some(Message::Kafka(KafkaMessage {
                api_key,
                api_version,
                client_id: Vec::new(),
                topics,
            }))
        };
        assert_eq!(
            message(json!({"kafka": {"api_key": "fetch", "api_version": 3, "topics": ["a", "b"]}})),
            kafka(1, 3, &["a", "b"])
        );
        assert_eq!(
            message(json!({"kafka": {"api_key": 18, "topics": null}})),
            kafka(18, KafkaMessage::UNKNOWN_VERSION, &[]),
            "no rule names a version that is not told"
        );
        assert_eq!(
            content(json!({"kafka": {"topics": ["a"]}})),
            None,
            "to do what with the topic?"
        );
    }
}

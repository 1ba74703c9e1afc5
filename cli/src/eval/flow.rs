//! One flow of a line.

use std::collections::BTreeMap;

use policy_core::{Direction, HttpRequest, Protocol};
use serde::Deserialize;
use serde_json::Value;

use crate::args::Peer;

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
    pub(crate) http: Option<HttpRequest>,
    /// The key of something in it that no engine can answer yet.
    pub(crate) unsupported: Option<&'static str>,
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
    sni: Option<Value>,
    kafka: Option<Value>,
    dns: Option<Value>,
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
        let unsupported = [("sni", sni), ("kafka", kafka), ("dns", dns)];
        let unsupported = unsupported.into_iter().find_map(|(key, value)| value.map(|_| key));
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
            http: http.map(request),
            unsupported,
        })
    }
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
        assert_eq!(
            (flow.direction, flow.port, flow.unsupported),
            (Some(Direction::Egress), 443, None)
        );
        let http = flow.http.expect("a request");
        assert_eq!((http.authority, http.headers.len()), (None, 3));
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
        ] {
            let error = flow(change).expect_err(why);
            assert!(error.contains(part), "{why}: {error}");
        }
    }

    #[test]
    fn what_no_engine_answers_is_marked() {
        for key in ["sni", "kafka", "dns"] {
            let mut flow = json!({"from": "a/b", "to": "a/c", "protocol": "TCP", "port": 80});
            flow[key] = json!({});
            assert_eq!(Flow::read(&flow).expect(key).unsupported, Some(key));
        }
    }
}

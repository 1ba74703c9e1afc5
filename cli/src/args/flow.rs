//! The parts of a flow as people type them: port and protocol, request line, header, Kafka request.

use std::str::FromStr;

use policy_core::{Protocol, kafka};

/// A destination port with its protocol, TCP if none is given; for ICMP the message type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    pub(crate) protocol: Protocol,
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, protocol) = match text.split_once('/') {
            None => (text, Protocol::Tcp),
            Some((number, protocol)) => {
                let unknown = |()| format!("`{protocol}` is not one of TCP, UDP, SCTP, ICMP and ICMPv6");
                (number, protocol.parse().map_err(unknown)?)
            }
        };
        let (what, last) = match protocol {
            Protocol::Icmp | Protocol::IcmpV6 => ("an ICMP type", u16::from(u8::MAX)),
            Protocol::Tcp | Protocol::Udp | Protocol::Sctp => ("a port number", u16::MAX),
        };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits
            .then(|| number.parse().ok())
            .flatten()
            .filter(|number| *number <= last);
        let number = number.ok_or_else(|| format!("`{text}` does not start with {what} from 0 to {last}"))?;
        Ok(Self { number, protocol })
    }
}

/// A method and a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RequestLine {
    pub(crate) method: String,
    pub(crate) path: String,
}

impl FromStr for RequestLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(' ') {
            Some((method, path)) if !method.is_empty() && path.starts_with(['/', '*']) && !path.contains(' ') => {
                Ok(Self {
                    method: method.into(),
                    path: path.into(),
                })
            }
            _ => Err(format!("`{text}` is not a method and a path, such as `GET /metrics`")),
        }
    }
}

/// A header of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((name, value)) if !name.is_empty() && name.bytes().all(is_token) => Ok(Self {
                name: name.into(),
                value: value.trim().into(),
            }),
            _ => Err(format!("`{text}` is not of the form NAME: VALUE")),
        }
    }
}

/// A Kafka request: what it does, to which topics, and who the client says it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KafkaLine {
    /// As written.
    pub(crate) kind: String,
    pub(crate) api_key: i16,
    pub(crate) topics: Vec<String>,
    pub(crate) client_id: String,
}

impl FromStr for KafkaLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split(' ');
        let (kind, topics, client_id) = (words.next().unwrap_or_default(), words.next(), words.next());
        if words.next().is_some() {
            return Err(format!("`{text}` is more than a kind, topics and a client id"));
        }
        let unknown = || format!("`{kind}` is no Kafka request, such as `produce` or `fetch`");
        Ok(Self {
            kind: kind.into(),
            api_key: kafka::api_key(kind).ok_or_else(unknown)?,
            topics: topics.map(read_topics).transpose()?.unwrap_or_default(),
            client_id: client_id.unwrap_or_default().into(),
        })
    }
}

fn read_topics(text: &str) -> Result<Vec<String>, String> {
    let topics: Vec<String> = text.split(',').map(str::to_owned).collect();
    match topics.iter().any(String::is_empty) {
        true => Err(format!("`{text}` has a topic without a name")),
        false => Ok(topics),
    }
}

/// The characters of a header name.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_a_protocol() {
        for (text, want, why) in [
            ("8080", Some((8080, Protocol::Tcp)), "TCP unless said otherwise"),
            ("53/udp", Some((53, Protocol::Udp)), "in any case"),
            ("0", Some((0, Protocol::Tcp)), "the lowest"),
            ("65535/SCTP", Some((65535, Protocol::Sctp)), "the highest"),
            ("65536", None, "one more"),
            ("255/ICMP", Some((255, Protocol::Icmp)), "the highest type"),
            ("256/ICMPv6", None, "one more"),
            ("80/HTTP", None, "not a transport protocol"),
            ("+80", None, "a sign"),
            ("", None, "nothing"),
            ("http", None, "a flow has a number, only policies have names"),
        ] {
            let got = text.parse::<Port>().ok().map(|port| (port.number, port.protocol));
            assert_eq!(got, want, "{text}: {why}");
        }
    }

    #[test]
    fn requests_and_headers_have_two_parts() {
        for (text, valid, why) in [
            ("GET /metrics?x=1", true, "a path with a query"),
            ("OPTIONS *", true, "the server as such"),
            ("GET", false, "no path"),
            ("GET metrics", false, "a path starts with a slash"),
            ("GET /a b", false, "a blank in the path"),
            (" /a", false, "no method"),
        ] {
            assert_eq!(text.parse::<RequestLine>().is_ok(), valid, "{text}: {why}");
        }
        for (text, want, why) in [
            ("X-Key: true", Some(("X-Key", "true")), "a blank after the colon"),
            ("X-Key:a: b ", Some(("X-Key", "a: b")), "only the first colon separates"),
            ("X-Key:", Some(("X-Key", "")), "an empty value"),
            ("X-Key", None, "no colon"),
            (":path: /", None, "a pseudo-header"),
            ("X Key: a", None, "a blank in the name"),
        ] {
            let got = text.parse::<Header>().ok();
            assert_eq!(
                got.as_ref().map(|h| (h.name.as_str(), h.value.as_str())),
                want,
                "{text}: {why}"
            );
        }
    }

    #[test]
    fn a_kafka_request_has_topics_and_a_client() {
        let read = |text: &str| {
            let line: KafkaLine = text.parse().ok()?;
            Some((line.api_key, line.topics.join("+"), line.client_id))
        };
        for (text, want, why) in [
            ("produce a,b me", Some((0, "a+b", "me")), "all of it"),
            ("fetch a", Some((1, "a", "")), "no client"),
            ("metadata", Some((3, "", "")), "no topics"),
            ("produce a, b", None, "a blank between topics"),
            ("produce ,a", None, "a topic without a name"),
            ("produce a me too", None, "a word too many"),
            ("grab a", None, "an unknown request"),
            ("", None, "nothing"),
        ] {
            let want = want.map(|(key, topics, client)| (key, topics.to_owned(), client.to_owned()));
            assert_eq!(read(text), want, "{text}: {why}");
        }
    }
}

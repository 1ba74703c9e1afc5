//! The parts of a flow as people type them: port and protocol, request line, header.

use std::str::FromStr;

use policy_core::Protocol;

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
}

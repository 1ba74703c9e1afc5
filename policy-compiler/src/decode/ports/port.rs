//! One port of a `toPorts` item.

use policy_core::{
    Direction, Protocol,
    bundle::{PortNumbers, PortPattern},
};

use super::super::{Context, Cursor};
use crate::{diagnostic::Code, document::Value};

/// Protocols without ports. No proxy sees them.
const EXTENDED: [&str; 7] = ["VRRP", "IGMP", "GRE", "IPIP", "IPV6", "ESP", "AH"];

/// Whether a port can have this protocol, in upper case.
pub(super) fn is_protocol(upper: &str) -> bool {
    matches!(upper, "TCP" | "UDP" | "SCTP" | "ANY") || EXTENDED.contains(&upper)
}

/// Reads one port. Protocol `ANY`, or none, means TCP, UDP and SCTP, but never ICMP.
pub(super) fn port(cx: &mut Context<'_>, at: &Cursor<'_>, direction: Direction) -> Vec<PortPattern> {
    at.fields(cx, &["port", "protocol", "endPort"]);
    let protocols = protocols(cx, at);
    let end = end_port(cx, at);
    let Some(numbers) = numbers(cx, at, end, direction) else {
        return Vec::new();
    };
    protocols
        .iter()
        .map(|protocol| PortPattern::Port {
            protocol: *protocol,
            numbers: numbers.clone(),
        })
        .collect()
}

/// None for a protocol without ports. An unknown protocol is an error, and its port is still checked.
fn protocols(cx: &mut Context<'_>, at: &Cursor<'_>) -> &'static [Protocol] {
    const ANY: &[Protocol] = &[Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
    let Some(value) = at.get("protocol") else {
        return ANY;
    };
    let Some(text) = value.text(cx) else { return &[] };
    let upper = text.to_ascii_uppercase();
    let known: &[Protocol] = match upper.as_str() {
        "TCP" => &[Protocol::Tcp],
        "UDP" => &[Protocol::Udp],
        "SCTP" => &[Protocol::Sctp],
        "ANY" | "" => ANY,
        extended if EXTENDED.contains(&extended) => {
            check_without_ports(cx, at, &value, extended);
            &[]
        }
        _ => {
            let diagnostic = cx.error(&value, Code::C4, format!("unknown protocol `{text}`"));
            if upper.starts_with("ICMP") {
                diagnostic.help("write ICMP types under `icmps`, beside `toPorts`");
            } else {
                diagnostic.help("the protocols are TCP, UDP, SCTP and ANY");
            }
            return &[];
        }
    };
    if cx.at_cluster() && (text != upper || text.is_empty()) {
        cx.error(
            &value,
            Code::D7,
            format!("the API server does not admit the protocol `{text}`"),
        )
        .help(if upper.is_empty() {
            "write `ANY`".to_owned()
        } else {
            format!("write `{upper}`")
        });
    }
    known
}

fn check_without_ports(cx: &mut Context<'_>, at: &Cursor<'_>, protocol: &Cursor<'_>, name: &str) {
    let port = at.get("port");
    match port.as_ref().and_then(|port| port.node().as_str()) {
        Some("0") => {
            cx.warning(
                protocol,
                Code::MATCHES_NOTHING,
                format!("traffic of the protocol {name} does not come through a proxy: nothing matches"),
            )
            .help("remove this port: the rule is about the others");
        }
        // What is missing or no text is reported as that.
        None | Some("") => {}
        Some(_) => {
            cx.error(protocol, Code::C5, format!("{name} has no ports"))
                .help("write `port: \"0\"`");
        }
    }
}

/// The end of the range, if the number is one.
fn end_port(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<u16> {
    let value = at.get("endPort")?;
    let number = value.integer(cx)?;
    let end = u16::try_from(number).ok();
    if end.is_none() {
        cx.error(&value, Code::D7, format!("{number} is not a port"))
            .help("ports are numbers from 0 to 65535");
    }
    end
}

fn numbers(cx: &mut Context<'_>, at: &Cursor<'_>, end: Option<u16>, direction: Direction) -> Option<PortNumbers> {
    let Some(value) = at.get("port") else {
        if matches!(at.node().value, Value::Map(_)) {
            cx.error(at, Code::C3, "`port` is missing")
                .help("write `port: \"0\"` for all ports of the protocol");
        }
        return None;
    };
    if let Value::Int(number) = value.node().value {
        cx.error(&value, Code::TYPE, "expected a string, found a number")
            .help(format!("write `port: \"{number}\"`"));
        return None;
    }
    let text = value.text(cx)?;
    if is_service_name(text) {
        let name = text.to_ascii_lowercase().into();
        if end.is_some() && direction == Direction::Egress {
            cx.warning(
                &value,
                Code::NO_EFFECT,
                "`endPort` is ignored beside a named port on egress",
            )
            .help("remove it, or write the first port as a number");
        }
        return Some(PortNumbers::Named {
            name,
            end: end.filter(|end| *end > 0 && direction == Direction::Ingress),
        });
    }
    let first = match number(text) {
        Ok(first) => first,
        Err(problem) => {
            cx.error(&value, Code::C3, format!("`{text}` is not a port: {problem}"))
                .help("write a number from 1 to 65535, `\"0\"` for all ports, or the name of a port");
            return None;
        }
    };
    match (first, end) {
        (0, None | Some(0 | u16::MAX)) => Some(PortNumbers::All),
        (first, Some(end)) if end > first => Some(PortNumbers::Range(first, end)),
        (first, end) => {
            if end.is_some_and(|end| end != 0 && end < first) {
                cx.warning(
                    at,
                    Code::NO_EFFECT,
                    format!("`endPort` is below the port and ignored: only port {first} matches"),
                )
                .help("exchange the two, or remove `endPort`");
            }
            Some(PortNumbers::Range(first, first))
        }
    }
}

/// The number of a port, as strictly as the API server reads it.
pub(in crate::decode) fn number(text: &str) -> Result<u16, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        _ if text.is_empty() => Err("it is empty"),
        Ok(_) if digits && text.len() > 1 && text.starts_with('0') => {
            Err("a leading zero makes it octal, write it without")
        }
        Ok(number) if digits => Ok(number),
        _ if digits => Err("the largest port is 65535"),
        _ => {
            Err("neither a number nor a name of at most 15 letters, digits and single dashes with a letter among them")
        }
    }
}

/// An IANA service name.
pub(in crate::decode) fn is_service_name(text: &str) -> bool {
    let fits = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let letter = text.bytes().any(|b| b.is_ascii_alphabetic());
    let dashes_fit = !text.starts_with('-') && !text.ends_with('-') && !text.contains("--");
    (1..=15).contains(&text.len()) && fits && letter && dashes_fit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_names_or_numbers() {
        for (text, name, valid, why) in [
            ("80", false, true, "a number"),
            ("0", false, true, "all ports"),
            ("65535", false, true, "the largest"),
            ("65536", false, false, "one too large"),
            ("010", false, false, "octal for Cilium: refused"),
            ("00", false, false, "a leading zero"),
            ("-1", false, false, "a sign"),
            ("+80", false, false, "a sign"),
            ("8_0", false, false, "an underscore"),
            ("80 ", false, false, "a blank"),
            ("", false, false, "nothing"),
            ("http", true, true, "a name"),
            ("0x50", true, true, "a letter makes it a name"),
            ("1a", true, true, "a digit may come first"),
            ("a-b-c", true, true, "single dashes"),
            ("a--b", false, false, "two dashes"),
            ("-a", false, false, "a dash in front"),
            ("fifteen-letters", true, true, "as long as allowed"),
            ("sixteen-letters-", false, false, "one too long"),
        ] {
            assert_eq!(is_service_name(text), name, "{text}: {why}");
            assert_eq!(is_service_name(text) || number(text).is_ok(), valid, "{text}: {why}");
        }
    }
}

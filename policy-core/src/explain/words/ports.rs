//! Ports in words.

use alloc::{boxed::Box, format, string::String, string::ToString, vec::Vec};

use super::{
    super::{Missed, PortOwner},
    either,
};
use crate::{
    bundle::{NamedPort, PortNumbers, PortPattern},
    flow::{IcmpFamily, Protocol},
};

/// `port 8081 is outside 80-90`, `port 8081 is not 80 or 443`, `protocol UDP is not TCP`.
pub(super) fn port(missed: &Missed) -> String {
    let Missed::Port {
        wanted,
        protocol,
        port,
        owner,
        named,
    } = missed
    else {
        return String::new();
    };
    let of_protocol: Vec<&PortPattern> = wanted.iter().filter(|pattern| is_of(pattern, *protocol)).collect();
    match of_protocol.as_slice() {
        [] => other_protocol(wanted, *protocol, *port),
        [
            PortPattern::Port {
                numbers: PortNumbers::Range(first, last),
                ..
            },
        ] if first != last => format!("port {port} is outside {first}-{last}"),
        [
            PortPattern::Port {
                numbers: PortNumbers::Named { name, .. },
                ..
            },
        ] => named_port(*port, name, *owner, named),
        patterns => {
            let what = if is_icmp(*protocol) { "type" } else { "port" };
            let wanted: Vec<String> = patterns.iter().map(|pattern| numbers(pattern)).collect();
            format!("{what} {port} is not {}", either(&wanted, "or"))
        }
    }
}

fn is_of(pattern: &PortPattern, protocol: Protocol) -> bool {
    protocol_of(pattern) == protocol
}

fn protocol_of(pattern: &PortPattern) -> Protocol {
    match pattern {
        PortPattern::Port { protocol, .. } => *protocol,
        PortPattern::Icmp { family, .. } => match family {
            IcmpFamily::V4 => Protocol::Icmp,
            IcmpFamily::V6 => Protocol::IcmpV6,
        },
    }
}

fn is_icmp(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Icmp | Protocol::IcmpV6)
}

fn other_protocol(wanted: &[PortPattern], protocol: Protocol, port: u16) -> String {
    let mut protocols: Vec<&str> = wanted.iter().map(|pattern| protocol_of(pattern).as_str()).collect();
    protocols.dedup();
    match wanted {
        [
            pattern @ PortPattern::Port {
                numbers: PortNumbers::All,
                ..
            },
        ] => format!("protocol {protocol} is not {}", protocol_of(pattern)),
        [pattern] => format!("{port}/{protocol} is not {}/{}", numbers(pattern), protocol_of(pattern)),
        _ => format!("protocol {protocol} is not {}", either(&protocols, "or")),
    }
}

fn numbers(pattern: &PortPattern) -> String {
    match pattern {
        PortPattern::Icmp { message_type, .. } => {
            message_type.map_or_else(|| "any type".into(), |wanted| wanted.to_string())
        }
        PortPattern::Port { numbers, .. } => match numbers {
            PortNumbers::All => "any port".into(),
            PortNumbers::Range(first, last) if first == last => first.to_string(),
            PortNumbers::Range(first, last) => format!("{first}-{last}"),
            PortNumbers::Named { name, .. } => format!("the one named {name}"),
        },
    }
}

fn named_port(port: u16, name: &str, owner: PortOwner, named: &[NamedPort]) -> String {
    let owner = match owner {
        PortOwner::Subject => "the endpoint",
        PortOwner::Peer => "the destination",
        PortOwner::Unknown => {
            return format!("the ports of the destination are not known, wanted the one named {name}");
        }
    };
    let numbers: Vec<Box<str>> = named.iter().map(|named| named.port.to_string().into()).collect();
    match numbers.is_empty() {
        true => format!("{owner} names no port {name}"),
        false => format!(
            "port {port} is not {name}, which {owner} says is {}",
            either(&numbers, "or")
        ),
    }
}

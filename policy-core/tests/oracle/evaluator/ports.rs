//! §5: which ports a pattern means, and how many more.

use policy_core::{
    Direction, IcmpFamily, Protocol,
    bundle::{PortNumbers, PortPattern},
};

use super::{Question, entries::PortKey, parties::Party};

/// Whether a port pattern means the port of a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    No,
    /// A name that nobody can look up.
    Unknown,
    /// It does, and this many other ports. Smaller is more specific.
    Within(u32),
}

/// More than any range.
const PROTOCOL: u32 = 1 << 16;
/// More than any protocol.
const EVERYTHING: u32 = PROTOCOL + 1;

/// `destination` has the names of the ports; `None` if it is not known.
pub(super) fn reach(key: &PortKey, question: &Question, destination: Option<&Party<'_>>) -> Reach {
    match key {
        None => Reach::Within(EVERYTHING),
        Some(PortPattern::Icmp { family, message_type }) => {
            let protocol = match family {
                IcmpFamily::V4 => Protocol::Icmp,
                IcmpFamily::V6 => Protocol::IcmpV6,
            };
            match message_type {
                _ if protocol != question.protocol => Reach::No,
                None => Reach::Within(PROTOCOL),
                Some(wanted) if u16::from(*wanted) == question.port => Reach::Within(0),
                Some(_) => Reach::No,
            }
        }
        Some(PortPattern::Port { protocol, .. }) if *protocol != question.protocol => Reach::No,
        Some(PortPattern::Port { numbers, .. }) => match numbers {
            PortNumbers::All => Reach::Within(PROTOCOL),
            PortNumbers::Range(first, last) => within(*first, *last, question.port),
            PortNumbers::Named { name, end } => {
                let end = end.filter(|_| question.direction == Direction::Ingress);
                named(name, end, question, destination)
            }
        },
    }
}

fn within(first: u16, last: u16, port: u16) -> Reach {
    if first <= port && port <= last {
        Reach::Within(u32::from(last - first))
    } else {
        Reach::No
    }
}

/// A range that ends before it starts is a single port.
fn named(name: &str, end: Option<u16>, question: &Question, destination: Option<&Party<'_>>) -> Reach {
    let Some(destination) = destination else {
        return Reach::Unknown;
    };
    let ports = destination.ports.iter();
    let numbers = ports.filter(|named| &*named.name == name && named.protocol == question.protocol);
    let reaches = numbers.map(|named| within(named.port, end.unwrap_or(0).max(named.port), question.port));
    let widths = reaches.filter_map(|reach| match reach {
        Reach::Within(width) => Some(width),
        Reach::No | Reach::Unknown => None,
    });
    widths.min().map_or(Reach::No, Reach::Within)
}

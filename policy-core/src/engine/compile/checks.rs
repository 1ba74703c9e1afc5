//! What no compiler writes, and no engine takes.

use crate::{
    bundle::{PortNumbers, PortPattern, PortRule},
    flow::Protocol,
};

/// The list of the policy that the rule stands in: an element has either ports or ICMP messages.
pub(super) fn list_of(rule: &PortRule) -> &'static str {
    match rule.ports.first() {
        Some(PortPattern::Icmp { .. }) => "icmps",
        Some(PortPattern::Port { .. }) | None => "toPorts",
    }
}

pub(super) fn is_tcp(pattern: &PortPattern) -> bool {
    matches!(
        pattern,
        PortPattern::Port {
            protocol: Protocol::Tcp,
            ..
        }
    )
}

/// What DNS rules can be for: a port, not all of them and not a range.
pub(super) fn is_single_port(pattern: &PortPattern) -> bool {
    match pattern {
        PortPattern::Port {
            protocol: Protocol::Tcp | Protocol::Udp | Protocol::Sctp,
            numbers,
        } => match numbers {
            PortNumbers::All => false,
            PortNumbers::Range(first, last) => first == last,
            PortNumbers::Named { end, .. } => end.is_none(),
        },
        PortPattern::Port { .. } | PortPattern::Icmp { .. } => false,
    }
}

pub(super) fn wrong_ports(pattern: &PortPattern) -> Option<&'static str> {
    match pattern {
        PortPattern::Port {
            protocol: Protocol::Icmp | Protocol::IcmpV6,
            ..
        } => Some("ICMP has types, not ports"),
        PortPattern::Port {
            numbers: PortNumbers::Range(first, last),
            ..
        } if first > last => Some("a port range must not end before it starts"),
        PortPattern::Port { .. } | PortPattern::Icmp { .. } => None,
    }
}

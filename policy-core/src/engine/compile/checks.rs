//! What no compiler writes, and no engine takes.

use alloc::format;

use crate::{
    bundle::{BundleError, PortNumbers, PortPattern, PortRule},
    flow::Protocol,
    selector::Selector,
};

/// The list of the policy that the rule stands in: an element has either ports or ICMP messages.
pub(super) fn list_of(rule: &PortRule) -> &'static str {
    match rule.ports.first() {
        Some(PortPattern::Icmp { .. }) => "icmps",
        Some(PortPattern::Port { .. }) | None => "toPorts",
    }
}

/// Labels of these sources are those of prefixes and names, which peers are named by in ways of their own.
pub(super) fn wrong_source(index: usize, selector: &Selector) -> Option<BundleError> {
    let mut sources = selector
        .requirements()
        .iter()
        .filter_map(|requirement| requirement.key().source());
    let at = format!("selectors[{index}]");
    let reason = "a selector cannot ask for labels of source cidr, cidrgroup or fqdn";
    sources
        .any(|source| matches!(source, "cidr" | "cidrgroup" | "fqdn"))
        .then_some(BundleError::Invalid { at, reason })
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

//! DNS rules.

use policy_core::{
    Direction,
    bundle::{DnsRule, PortNumbers, PortPattern},
};

use super::Item;
use crate::{
    decode::{Context, Cursor, peers},
    diagnostic::Code,
};

/// Checks that DNS rules can work where they are.
pub(super) fn check_place(cx: &mut Context<'_>, item: &Item<'_>, rules: &Cursor<'_>) {
    if item.section.direction == Direction::Ingress {
        cx.error(rules, Code::C9, "DNS rules are for egress only")
            .help("write them where the clients send their queries");
    }
    if item.ports.is_empty() {
        cx.error(rules, Code::C9, "DNS rules need ports")
            .help("add `ports: [{port: \"53\", protocol: ANY}]`");
    }
    for port in &item.ports {
        if let Some(PortPattern::Port {
            numbers: PortNumbers::Range(first, last),
            ..
        }) = port.patterns.first()
            && first < last
        {
            let at = port.at.get("endPort").unwrap_or_else(|| port.at.clone());
            cx.error(&at, Code::C9, "DNS rules do not work on a range of ports")
                .help("write an item of `ports` for each");
        }
    }
}

/// Reads one item of `rules.dns`. To the agent a name and a pattern in one item are two rules, and neither is the root
/// of DNS.
pub(super) fn dns(cx: &mut Context<'_>, at: &Cursor<'_>) -> Vec<DnsRule> {
    let (name, pattern) = peers::dns_names(cx, at, Code::C9);
    let rules = [name.map(DnsRule::MatchName), pattern.map(DnsRule::MatchPattern)];
    let mut rules: Vec<DnsRule> = rules.into_iter().flatten().collect();
    if rules.is_empty() {
        if !cx.at_cluster() {
            cx.warning(
                at,
                Code::MATCHES_NOTHING,
                "an item without name matches only the root of DNS",
            )
            .help("`matchPattern: \"*\"` matches every name");
        }
        rules.push(DnsRule::MatchName(".".into()));
    }
    rules
}

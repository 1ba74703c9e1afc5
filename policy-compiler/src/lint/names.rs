//! Peers by DNS name, and how their addresses become known.

use std::collections::HashMap;

use policy_core::{
    Bundle, Direction, FqdnPattern, Protocol, Requirement, Selector,
    bundle::{DnsRule, L7Rules, PeerPattern, Peers, PortNumbers, PortPattern, PortRule},
};

use super::{findings::Findings, site::Site};
use crate::diagnostic::Code;

const DNS_PORT: u16 = 53;

pub(super) fn check(bundle: &Bundle, findings: &mut Findings<'_>) {
    let mut dns = Dns::new(bundle);
    let egress = Site::all(bundle).filter(|site| site.section.direction == Direction::Egress);
    for site in egress.filter(Site::isolates) {
        if let Peers::OneOf(patterns) = &site.element.peers {
            check_names(&site, patterns, &mut dns, findings);
        }
    }
}

fn may_be_dns(port: &PortPattern) -> bool {
    match port {
        PortPattern::Port {
            protocol: Protocol::Tcp | Protocol::Udp,
            numbers,
        } => match numbers {
            PortNumbers::Range(first, last) => (*first..=*last).contains(&DNS_PORT),
            PortNumbers::All | PortNumbers::Named { .. } => true,
        },
        PortPattern::Port { .. } | PortPattern::Icmp { .. } => false,
    }
}

fn check_names(site: &Site<'_>, patterns: &[PeerPattern], dns: &mut Dns<'_>, findings: &mut Findings<'_>) {
    let mut is_said = false;
    for (item, pattern) in patterns.iter().enumerate() {
        let Some(wanted) = Wanted::new(pattern) else { continue };
        if dns.names.keys().any(|name| wanted.pattern.matches(name.as_bytes())) {
            continue;
        }
        let ways = dns.ways(site.rule.subject);
        let path = findings.peer_path(site, item, patterns.len());
        match (&ways, wanted.name) {
            (Ways::Rules(rules), Some(name)) => {
                let is_allowed = |pattern: &FqdnPattern| pattern.matches(name.as_bytes());
                if !rules.iter().any(|index| dns.rule(*index).iter().any(is_allowed)) {
                    findings
                        .warn(
                            site.policy,
                            path,
                            Code::UNLEARNED_NAME,
                            format!("no DNS rule lets the pods ask for `{name}`, so its addresses stay unknown"),
                        )
                        .help(format!("add `matchName: \"{name}\"` to the `rules.dns` of these pods"));
                }
            }
            (Ways::Rules(_), None) => {}
            (Ways::Unseen, _) if dns.names.is_empty() => {}
            _ if is_said => {}
            (Ways::Unwatched | Ways::Unseen, _) => {
                is_said = true;
                warn_unlearned(site, path, "nothing watches the DNS queries of these pods", findings);
            }
            (Ways::None, _) => {
                is_said = true;
                warn_unlearned(site, path, "these pods may not ask DNS", findings);
            }
        }
    }
}

fn warn_unlearned(site: &Site<'_>, path: String, why: &str, findings: &mut Findings<'_>) {
    findings
        .warn(
            site.policy,
            path,
            Code::UNLEARNED_NAME,
            format!("matches no address: {why}, so the addresses of the name stay unknown"),
        )
        .help("allow port 53 of the DNS server with `rules: {dns: [{matchPattern: \"*\"}]}`");
}

/// A peer by name.
struct Wanted {
    pattern: FqdnPattern,
    /// Lower case, with the trailing dot; absent for a pattern.
    name: Option<String>,
}

impl Wanted {
    fn new(peer: &PeerPattern) -> Option<Self> {
        let (pattern, name) = match peer {
            PeerPattern::MatchName(name) => {
                let canonical = format!("{}.", name.trim_end_matches('.').to_ascii_lowercase());
                (FqdnPattern::name(name).ok()?, Some(canonical))
            }
            PeerPattern::MatchPattern(pattern) => (FqdnPattern::pattern(pattern).ok()?, None),
            _ => return None,
        };
        Some(Self { pattern, name })
    }
}

/// How the pods of a subject may come to know a name.
#[derive(Clone)]
enum Ways {
    /// By these lists of DNS rules.
    Rules(Vec<usize>),
    /// They may use port 53, by a rule for it without DNS rules: nobody sees the answers.
    Unwatched,
    /// They may use port 53 by a rule for more than that. The answers may be known from elsewhere.
    Unseen,
    /// Not at all.
    None,
}

/// The rules about DNS.
struct Dns<'b> {
    names: &'b std::collections::BTreeMap<String, Vec<std::net::IpAddr>>,
    selectors: &'b [Selector],
    /// Subjects with the queries they may send.
    rules: Vec<(u32, Vec<FqdnPattern>)>,
    /// Subjects that may use port 53, and whether a rule says so explicitly.
    open: Vec<(u32, bool)>,
    known: HashMap<u32, Ways>,
}

impl<'b> Dns<'b> {
    fn new(bundle: &'b Bundle) -> Self {
        let mut rules = Vec::new();
        let mut open = Vec::new();
        for site in Site::all(bundle) {
            if site.section.direction != Direction::Egress || site.section.is_deny {
                continue;
            }
            let subject = site.rule.subject;
            match &site.element.ports {
                // Names are no way to reach the server that tells them.
                None if is_by_name(&site.element.peers) || site.element.peers == Peers::None => {}
                None => open.push((subject, false)),
                Some(items) => {
                    for item in items {
                        match &item.rules {
                            // Wherever the server listens.
                            Some(L7Rules::Dns(queries)) => rules.push((subject, queries_of(queries))),
                            _ if item.ports.iter().any(may_be_dns) => open.push((subject, is_for_dns(item))),
                            _ => {}
                        }
                    }
                }
            }
        }
        Self {
            names: &bundle.names,
            selectors: &bundle.selectors,
            rules,
            open,
            known: HashMap::new(),
        }
    }

    fn rule(&self, index: usize) -> &[FqdnPattern] {
        self.rules.get(index).map_or(&[], |(_, patterns)| patterns)
    }

    fn ways(&mut self, subject: u32) -> Ways {
        if let Some(known) = self.known.get(&subject) {
            return known.clone();
        }
        let rules = self.rules.iter().zip(0..);
        let rules = rules.filter(|((other, _), _)| self.may_overlap(subject, *other));
        let rules: Vec<usize> = rules.map(|(_, index)| index).collect();
        let mut open = self
            .open
            .iter()
            .filter(|(other, _)| self.may_overlap(subject, *other))
            .peekable();
        let ways = if !rules.is_empty() {
            Ways::Rules(rules)
        } else if open.peek().is_none() {
            Ways::None
        } else if open.any(|(_, is_explicit)| *is_explicit) {
            Ways::Unwatched
        } else {
            Ways::Unseen
        };
        self.known.insert(subject, ways.clone());
        ways
    }

    /// Whether an endpoint may be a subject of both: false only if they ask for two values of one label.
    fn may_overlap(&self, one: u32, other: u32) -> bool {
        if one == other {
            return true;
        }
        let requirements = |position: u32| {
            let selector = usize::try_from(position).ok().and_then(|at| self.selectors.get(at));
            selector.map_or(&[][..], Selector::requirements)
        };
        !requirements(one).iter().any(|condition| {
            let Some((key, value)) = equality(condition) else {
                return false;
            };
            let mut others = requirements(other).iter().filter_map(equality);
            others.any(|(other_key, other_value)| key == other_key && value != other_value)
        })
    }
}

fn equality(requirement: &Requirement) -> Option<(&str, &str)> {
    match requirement {
        Requirement::Equals { key, value } => Some((key.key(), value)),
        _ => None,
    }
}

fn is_by_name(peers: &Peers) -> bool {
    let by_name = |pattern: &PeerPattern| matches!(pattern, PeerPattern::MatchName(_) | PeerPattern::MatchPattern(_));
    matches!(peers, Peers::OneOf(patterns) if patterns.iter().all(by_name))
}

/// Whether the item names the port of DNS, and not only a range that holds it.
fn is_for_dns(item: &PortRule) -> bool {
    let is_dns = |port: &PortPattern| matches!(port, PortPattern::Port { numbers: PortNumbers::Range(first, last), .. } if *first == DNS_PORT && first == last);
    item.ports.iter().any(is_dns)
}

fn queries_of(queries: &[DnsRule]) -> Vec<FqdnPattern> {
    let pattern = |query: &DnsRule| match query {
        DnsRule::MatchName(name) => FqdnPattern::name(name).ok(),
        DnsRule::MatchPattern(pattern) => FqdnPattern::pattern(pattern).ok(),
    };
    queries.iter().filter_map(pattern).collect()
}

//! `toPorts`: ports, and what a connection on them must show.

mod port;

use policy_core::{
    Direction, Protocol,
    bundle::{PortNumbers, PortPattern, PortRule},
};

use super::{Context, Cursor, http, icmp, peers, policy::Section};
use crate::{diagnostic::Code, document::Value};

/// How many ports one item may have.
pub(super) const MAX_PORTS: usize = 40;

/// Reads the ports of an element; `None` when it names none.
pub(super) fn ports(cx: &mut Context<'_>, element: &Cursor<'_>, section: Section) -> Option<Vec<PortRule>> {
    let items = element.items_of(cx, "toPorts");
    let icmps = element.items_of(cx, "icmps");
    if !items.is_empty()
        && let Some(first) = icmps.first()
    {
        cx.error(
            first,
            Code::C1,
            "`icmps` and `toPorts` cannot be combined in one element",
        )
        .help("write an element of its own for each");
    }
    let mut rules: Vec<PortRule> = items.iter().map(|item| port_rule(cx, item, section)).collect();
    rules.extend(icmps.iter().map(|item| icmp::icmp(cx, item)));
    (!rules.is_empty()).then_some(rules)
}

fn port_rule(cx: &mut Context<'_>, at: &Cursor<'_>, section: Section) -> PortRule {
    const ALLOW: [&str; 6] = [
        "ports",
        "rules",
        "serverNames",
        "listener",
        "terminatingTLS",
        "originatingTLS",
    ];
    at.fields(cx, if section.deny { &ALLOW[..1] } else { &ALLOW });
    let items = at.items_of(cx, "ports");
    if items.len() > MAX_PORTS {
        cx.error(
            at,
            Code::C2,
            format!("has {} ports, more than {MAX_PORTS}", items.len()),
        )
        .help("split it into several items of `toPorts`");
    }
    let ports: Vec<PortPattern> = items
        .iter()
        .flat_map(|item| port::port(cx, item, section.direction))
        .collect();
    if items.is_empty() {
        cx.warning(
            at,
            Code::MATCHES_NOTHING,
            "an item of `toPorts` without ports matches no traffic",
        )
        .help("remove `toPorts` if every port should match");
    }
    if section.deny {
        return PortRule { ports, http: None };
    }
    for name in &ALLOW[2..] {
        if let Some(value) = at.get(name) {
            cx.unsupported(&value, &format!("`{name}`"));
        }
    }
    let http = at.get("rules").and_then(|rules| {
        let rules_of = Rules {
            at: &rules,
            ports: &items,
            patterns: &ports,
            section,
        };
        rules_of.read(cx)
    });
    PortRule { ports, http }
}

/// The `rules` of an item, with the ports they are for.
struct Rules<'r, 'a> {
    at: &'r Cursor<'a>,
    ports: &'r [Cursor<'a>],
    patterns: &'r [PortPattern],
    section: Section,
}

const KINDS: [&str; 4] = ["http", "dns", "kafka", "l7proto"];

impl Rules<'_, '_> {
    /// The HTTP rules. None when no request is restricted.
    fn read(&self, cx: &mut Context<'_>) -> Option<Vec<policy_core::bundle::HttpRule>> {
        self.at.fields(cx, &["http", "dns", "kafka", "l7proto", "l7"]);
        self.check_kinds(cx);
        for name in ["kafka", "dns", "l7proto", "l7"] {
            if let Some(value) = self.at.get(name) {
                cx.unsupported(&value, &format!("`rules.{name}`"));
            }
        }
        let dns = self.at.items_of(cx, "dns");
        self.check_dns(cx, &dns);

        let list = self.at.get("http")?;
        let items = list.items(cx);
        if items.is_empty() {
            cx.warning(&list, Code::MATCHES_MORE, "an empty `http` restricts no request")
                .help("remove `rules`, or list the requests to allow");
            return None;
        }
        self.check_proxy(cx);
        self.check_tcp(cx);
        Some(items.iter().map(|item| http::http(cx, item)).collect())
    }

    fn check_kinds(&self, cx: &mut Context<'_>) {
        let present: Vec<Cursor<'_>> = KINDS.into_iter().filter_map(|kind| self.at.get(kind)).collect();
        let is_empty = |list: &Cursor<'_>| matches!(&list.node().value, Value::Seq(items) if items.is_empty());
        if present.iter().filter(|list| !is_empty(list)).count() > 1 {
            cx.error(
                self.at,
                Code::C10,
                format!("only one of {} can be in one item", KINDS.join(", ")),
            )
            .help("write an item of `toPorts` for each");
        } else if cx.at_cluster() && present.len() != 1 {
            cx.error(self.at, Code::D8, format!("needs exactly one of {}", KINDS.join(", ")))
                .help("remove `rules` if no request should be restricted");
        }
    }

    fn check_proxy(&self, cx: &mut Context<'_>) {
        if !cx.options.l7_proxy {
            cx.error(
                self.at,
                Code::C15,
                "rules on requests need the L7 proxy, which is disabled",
            );
        }
    }

    /// HTTP needs TCP, said explicitly, and a port.
    fn check_tcp(&self, cx: &mut Context<'_>) {
        for port in self.ports {
            let protocol = port.get("protocol");
            let name = protocol
                .as_ref()
                .and_then(|value| value.node().as_str())
                .unwrap_or("ANY");
            // Whatever else it says is an error of its own.
            if let other @ ("ANY" | "" | "UDP" | "SCTP") = name.to_ascii_uppercase().as_str() {
                let other = if other.is_empty() { "ANY" } else { other };
                let at = protocol.as_ref().unwrap_or(port);
                cx.error(
                    at,
                    Code::C7,
                    format!("HTTP rules need the protocol TCP, this port has {other}"),
                )
                .help("write `protocol: TCP`");
            }
        }
        self.check_zero(cx);
    }

    fn check_zero(&self, cx: &mut Context<'_>) {
        let all = |pattern: &PortPattern| {
            matches!(
                pattern,
                PortPattern::Port {
                    numbers: PortNumbers::All,
                    ..
                }
            )
        };
        if self.patterns.iter().any(all) {
            cx.error(self.at, Code::C8, "rules on requests need a port, not all of them")
                .help("name the ports that carry such requests");
        }
    }

    fn check_dns(&self, cx: &mut Context<'_>, items: &[Cursor<'_>]) {
        if items.is_empty() {
            return;
        }
        self.check_proxy(cx);
        self.check_zero(cx);
        if self.section.direction == Direction::Ingress {
            cx.error(self.at, Code::C9, "DNS rules are for egress only");
        }
        if self.ports.is_empty() {
            cx.error(self.at, Code::C9, "DNS rules need ports");
        }
        let range = |pattern: &PortPattern| matches!(pattern, PortPattern::Port { numbers: PortNumbers::Range(first, last), .. } if first < last);
        if self.patterns.iter().any(range) {
            cx.error(self.at, Code::C9, "DNS rules do not work on a range of ports");
        }
        let sctp = |pattern: &PortPattern| {
            matches!(
                pattern,
                PortPattern::Port {
                    protocol: Protocol::Sctp,
                    ..
                }
            )
        };
        if !self.patterns.is_empty() && self.patterns.iter().all(sctp) {
            cx.error(self.at, Code::C7, "DNS rules need TCP or UDP");
        }
        items.iter().for_each(|item| peers::check_dns_item(cx, item));
    }
}

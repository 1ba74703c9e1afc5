//! `toPorts`: ports, and what a connection on them must show.

mod dns;
mod kafka;
mod listener;
pub(super) mod port;
mod rules;
mod server_names;
mod tls;

use policy_core::bundle::{PortPattern, PortRule};

use super::{Context, Cursor, icmp, policy::Section};
use crate::diagnostic::Code;

/// How many ports one item may have.
pub(super) const MAX_PORTS: usize = 40;

const DENY_FIELDS: [&str; 1] = ["ports"];
const ALLOW_FIELDS: [&str; 6] = [
    "ports",
    "rules",
    "serverNames",
    "listener",
    "terminatingTLS",
    "originatingTLS",
];

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

/// An item of `toPorts` whose ports have been read.
struct Item<'a> {
    at: Cursor<'a>,
    ports: Vec<Port<'a>>,
    section: Section,
}

/// A port as written, and what it stands for.
struct Port<'a> {
    at: Cursor<'a>,
    patterns: Vec<PortPattern>,
}

fn port_rule(cx: &mut Context<'_>, at: &Cursor<'_>, section: Section) -> PortRule {
    at.fields(cx, if section.deny { &DENY_FIELDS } else { &ALLOW_FIELDS });
    let item = Item {
        at: at.clone(),
        ports: read_ports(cx, at, section),
        section,
    };
    let ports = item.ports.iter().flat_map(|port| port.patterns.clone()).collect();
    if section.deny {
        return PortRule {
            ports,
            ..PortRule::default()
        };
    }
    let restricted = rules::restricted(at);
    PortRule {
        ports,
        rules: rules::rules(cx, &item),
        server_names: server_names::server_names(cx, &item, restricted),
        terminating_tls: tls::context(cx, at, "terminatingTLS"),
        originating_tls: tls::context(cx, at, "originatingTLS"),
        listener: listener::listener(cx, &item, restricted),
    }
}

fn read_ports<'a>(cx: &mut Context<'_>, at: &Cursor<'a>, section: Section) -> Vec<Port<'a>> {
    let items = at.items_of(cx, "ports");
    if items.len() > MAX_PORTS {
        cx.error(
            at,
            Code::C2,
            format!("has {} ports, more than {MAX_PORTS}", items.len()),
        )
        .help("split it into several items of `toPorts`");
    }
    if items.is_empty() {
        cx.warning(
            at,
            Code::MATCHES_NOTHING,
            "an item of `toPorts` without ports matches no traffic",
        )
        .help("remove `toPorts` if every port should match");
    }
    let mut read = |at: Cursor<'a>| Port {
        patterns: port::port(cx, &at, section.direction),
        at,
    };
    items.into_iter().map(&mut read).collect()
}

/// The text of a field that the API server requires and the agent does not look at; empty if there is none.
fn named<'a>(cx: &mut Context<'_>, at: &Cursor<'a>, key: &'a str, help: &str) -> &'a str {
    let text = at.text_of(cx, key);
    match text {
        Some(text) if !text.is_empty() => return text,
        // The type is wrong, which is an error already.
        None if at.get(key).is_some() => {}
        _ => missing(cx, at, key, help),
    }
    ""
}

/// Reports a field that the API server requires and the agent does not look at.
fn missing(cx: &mut Context<'_>, at: &Cursor<'_>, key: &str, help: &str) {
    let message = format!("`{key}` is missing");
    let diagnostic = if cx.at_cluster() {
        cx.error(at, Code::D11, message)
    } else {
        cx.warning(at, Code::D11, message + ", which the API server does not admit")
    };
    diagnostic.help(help);
}

//! The flow log: what was decided about a connection or a request, as one object of JSON in filter state, which an
//! access log of Envoy writes.
//!
//! The names of its fields and of its words are those of the flows of Hubble, and what Hubble does not know is in the
//! object `portcullis`. No header is in it but those that say where a request goes.

use core::net::IpAddr;

use policy_core::{Direction, HttpFacts, Labels, Protocol, Reason, Scope};

use crate::{
    case::Case, headers::Headers, host::Host, json::Json, metrics::Layer, report::Outcome, time::rfc3339, vm::Vm,
    who::Who,
};

const FLOW: &str = "portcullis_flow";
const REQUEST_PROTOCOL: &str = "request\0protocol";

const ALLOWED_BY_RULE: &str = Reason::AllowedByRule.as_str();
const DENIED_BY_RULE: &str = Reason::DeniedByRule.as_str();
const NOT_AUTHENTICATED: &str = Reason::NotAuthenticated.as_str();

/// The longest text in a flow, in bytes; what is longer is cut off.
const MAX_TEXT: usize = 512;
/// The longest URL.
const MAX_URL: usize = 2048;
/// How many labels of an identity are told.
const MAX_LABELS: usize = 64;

/// Writes the flow of this case.
pub(crate) fn log<H: Host>(vm: &Vm<H>, case: &Case<'_>, outcome: &Outcome) {
    let mut flow = Json::object();
    if let Some(now) = vm.host.now() {
        flow.key("time").show(&rfc3339(now), MAX_TEXT);
    }
    verdict(&mut flow, outcome);
    if case.policy.is_some() {
        flow.key("node_name").text(vm.node(), MAX_TEXT);
    }
    if let (Some(policy), Some(facts)) = (case.policy, case.facts) {
        let source = Who::source(&policy.engine, facts);
        let destination = case.destination.map(|(destination, _)| destination);
        let destination = destination.map(|to| Who::destination(&policy.engine, facts, to));
        let destination = destination.unwrap_or_default();
        addresses(&mut flow, source.address, destination.address);
        ports(
            &mut flow,
            facts.transport,
            facts.source_port,
            case.destination.map(|(_, port)| port),
        );
        party(&mut flow, "source", &source);
        party(&mut flow, "destination", &destination);
        if let Some(name) = destination.name {
            flow.key("destination_names").open('[');
            flow.text(name, MAX_TEXT);
            flow.close(']');
        }
    }
    match case.layer {
        Layer::L4 => text(&mut flow, "Type", "L3_L4"),
        Layer::L7 => {
            text(&mut flow, "Type", "L7");
            request(&mut flow, &vm.host, case.request);
        }
    }
    flow.key("is_reply").word("false");
    let scope = case.facts.map(|facts| facts.scope);
    if let Some(direction) = outcome.direction().or_else(|| scope.and_then(only_direction)) {
        decided_by(&mut flow, direction, outcome);
    }
    own(&mut flow, case, outcome);
    let _ = vm.host.set_state(FLOW, flow.finish().as_bytes());
}

#[inline(never)]
fn text(flow: &mut Json, key: &str, value: &str) {
    flow.key(key).text(value.as_bytes(), MAX_TEXT);
}

fn verdict(flow: &mut Json, outcome: &Outcome) {
    if outcome.allows() {
        let word = if outcome.is_spared() { "AUDIT" } else { "FORWARDED" };
        return text(flow, "verdict", word);
    }
    text(flow, "verdict", "DROPPED");
    let reason = match outcome.reason() {
        DENIED_BY_RULE => "POLICY_DENY",
        NOT_AUTHENTICATED => "AUTH_REQUIRED",
        _ => "POLICY_DENIED",
    };
    text(flow, "drop_reason_desc", reason);
}

fn addresses(flow: &mut Json, source: Option<IpAddr>, destination: Option<IpAddr>) {
    flow.key("IP").open('{');
    let version = |address: IpAddr| if address.is_ipv4() { "IPv4" } else { "IPv6" };
    for (key, address) in [("source", source), ("destination", destination)] {
        if let Some(address) = address {
            flow.key(key).show(&address, MAX_TEXT);
        }
    }
    if let Some(address) = source.or(destination) {
        text(flow, "ipVersion", version(address));
    }
    flow.close('}');
}

fn ports(flow: &mut Json, protocol: Protocol, source: Option<u16>, destination: Option<u16>) {
    let (name, destination_is) = match protocol {
        Protocol::Tcp | Protocol::Udp | Protocol::Sctp => (protocol.as_str(), "destination_port"),
        Protocol::Icmp => ("ICMPv4", "type"),
        Protocol::IcmpV6 => ("ICMPv6", "type"),
    };
    flow.key("l4").open('{');
    flow.key(name).open('{');
    for (key, port) in [("source_port", source), (destination_is, destination)] {
        if let Some(port) = port {
            flow.key(key).word(&port.to_string());
        }
    }
    flow.close('}');
    flow.close('}');
}

fn party(flow: &mut Json, key: &str, who: &Who<'_>) {
    flow.key(key).open('{');
    let (namespace, name) = match (who.endpoint, who.claim) {
        (Some(endpoint), _) => endpoint.split_once('/').unzip(),
        (None, Some(claim)) => (claim.namespace.as_deref(), claim.pod.as_deref()),
        (None, None) => (None, None),
    };
    for (key, value) in [("namespace", namespace), ("pod_name", name)] {
        if let Some(value) = value {
            text(flow, key, value);
        }
    }
    flow.key("labels").open('[');
    for label in who.labels.into_iter().flat_map(Labels::iter).take(MAX_LABELS) {
        flow.show(label, MAX_TEXT);
    }
    for (key, value) in who.claim.iter().flat_map(|claim| &claim.labels).take(MAX_LABELS) {
        flow.text(["k8s:", key, "=", value].concat().as_bytes(), MAX_TEXT);
    }
    flow.close(']');
    flow.close('}');
}

fn request<H: Host>(flow: &mut Json, host: &H, headers: Option<&Headers>) {
    flow.key("l7").open('{');
    text(flow, "type", "REQUEST");
    if let Some(headers) = headers {
        flow.key("http").open('{');
        flow.key("method").text(headers.method().unwrap_or_default(), MAX_TEXT);
        flow.key("url").text(&url(headers), MAX_URL);
        if let Ok(Some(protocol)) = host.property(REQUEST_PROTOCOL) {
            flow.key("protocol").text(&protocol, MAX_TEXT);
        }
        flow.close('}');
    }
    flow.close('}');
}

/// As it would be written down; that of a `CONNECT` has no path.
fn url(headers: &Headers) -> Vec<u8> {
    let scheme = headers.scheme().unwrap_or(b"http");
    let (authority, path) = (headers.authority(), headers.path());
    [scheme, b"://", authority.unwrap_or_default(), path.unwrap_or_default()].concat()
}

fn only_direction(scope: Scope) -> Option<Direction> {
    match scope {
        Scope::Ingress => Some(Direction::Ingress),
        Scope::Egress => Some(Direction::Egress),
        Scope::Both => None,
    }
}

/// Whose policy decided and, if one of its rules did, of which object.
fn decided_by(flow: &mut Json, direction: Direction, outcome: &Outcome) {
    let (word, allowed_by, denied_by) = match direction {
        Direction::Ingress => ("INGRESS", "ingress_allowed_by", "ingress_denied_by"),
        Direction::Egress => ("EGRESS", "egress_allowed_by", "egress_denied_by"),
    };
    text(flow, "traffic_direction", word);
    let key = match outcome.reason() {
        ALLOWED_BY_RULE => allowed_by,
        DENIED_BY_RULE => denied_by,
        _ => return,
    };
    if let Some(rule) = outcome.rule() {
        flow.key(key).open('[');
        flow.open('{');
        object(flow, rule.object());
        flow.close('}');
        flow.close(']');
    }
}

/// The object of a rule, `kind/namespace/name` or `kind/name`.
fn object(flow: &mut Json, object: &str) {
    let (kind, name) = object.split_once('/').unwrap_or(("", object));
    let (namespace, name) = match name.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, name),
    };
    text(flow, "name", name);
    if let Some(namespace) = namespace {
        text(flow, "namespace", namespace);
    }
    text(flow, "kind", kind);
}

/// What Hubble has no words for.
fn own(flow: &mut Json, case: &Case<'_>, outcome: &Outcome) {
    flow.key("portcullis").open('{');
    text(flow, "reason", outcome.reason());
    let rules = outcome.rules();
    if !rules.is_empty() {
        text(flow, "rule", &rules);
    }
    if let Some(claim) = case.facts.and_then(|facts| facts.claim.as_ref()) {
        flow.key("peer").show(claim, MAX_TEXT);
    }
    if let Some(policy) = case.policy {
        text(flow, "bundle", policy.engine.digest());
        if policy.has_audit() {
            would(flow, outcome.as_if_enforced());
        }
    }
    flow.close('}');
}

/// What would be decided if audit were off.
fn would(flow: &mut Json, outcome: &Outcome) {
    flow.key("would").open('{');
    text(flow, "verdict", outcome.decision());
    text(flow, "reason", outcome.reason());
    let rules = outcome.rules();
    if !rules.is_empty() {
        text(flow, "rule", &rules);
    }
    flow.close('}');
}

#[cfg(test)]
mod tests;

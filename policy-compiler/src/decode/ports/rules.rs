//! `rules`: what is allowed on a connection.

use policy_core::bundle::L7Rules;

use super::{Item, dns, kafka};
use crate::{
    decode::{Context, Cursor, http},
    diagnostic::Code,
    document::Value,
};

/// A kind of rules, its name for people, and what its rules are about.
struct Kind {
    field: &'static str,
    name: &'static str,
    object: &'static str,
}

const HTTP: Kind = Kind {
    field: "http",
    name: "HTTP",
    object: "request",
};
const DNS: Kind = Kind {
    field: "dns",
    name: "DNS",
    object: "query",
};
const KAFKA: Kind = Kind {
    field: "kafka",
    name: "Kafka",
    object: "request",
};
const KINDS: [Kind; 3] = [HTTP, DNS, KAFKA];

/// The protocol of a port without one.
const ANY: &str = "ANY";

/// Whether `rules` of an item has any, of whatever kind. An empty list of rules is the same as none.
pub(super) fn restricted(item: &Cursor<'_>) -> bool {
    let has_items = |list: Cursor<'_>| matches!(&list.node().value, Value::Seq(items) if !items.is_empty());
    item.get("rules").is_some_and(|rules| {
        ["http", "dns", "kafka", "l7"]
            .iter()
            .any(|kind| rules.get(kind).is_some_and(has_items))
    })
}

/// Reads `rules` of an item. `None` when nothing is restricted.
pub(super) fn rules(cx: &mut Context<'_>, item: &Item<'_>) -> Option<L7Rules> {
    let at = item.at.get("rules")?;
    at.fields(cx, &["http", "dns", "kafka", "l7proto", "l7"]);
    let lists = Lists {
        http: at.items_of(cx, HTTP.field),
        dns: at.items_of(cx, DNS.field),
        kafka: at.items_of(cx, KAFKA.field),
    };
    check_kinds(cx, &at, &lists);
    refuse_custom(cx, &at);
    if restricted(&item.at) {
        check_proxy(cx, &at);
    } else {
        warn_about_empty(cx, &at);
    }
    // Rules of several kinds are checked all, and then rejected.
    let mut found = None;
    if !lists.kafka.is_empty() {
        check_ports(cx, item, &KAFKA);
        found = Some(L7Rules::Kafka(
            lists.kafka.iter().map(|rule| kafka::kafka(cx, rule)).collect(),
        ));
    }
    if !lists.dns.is_empty() {
        check_ports(cx, item, &DNS);
        dns::check_place(cx, item, &at);
        found = Some(L7Rules::Dns(
            lists.dns.iter().flat_map(|rule| dns::dns(cx, rule)).collect(),
        ));
    }
    if !lists.http.is_empty() {
        check_ports(cx, item, &HTTP);
        found = Some(L7Rules::Http(
            lists.http.iter().map(|rule| http::http(cx, rule)).collect(),
        ));
    }
    found
}

struct Lists<'a> {
    http: Vec<Cursor<'a>>,
    dns: Vec<Cursor<'a>>,
    kafka: Vec<Cursor<'a>>,
}

fn check_kinds(cx: &mut Context<'_>, at: &Cursor<'_>, lists: &Lists<'_>) {
    const FIELDS: [&str; 4] = ["http", "dns", "kafka", "l7proto"];
    let custom = usize::from(at.get("l7proto").is_some());
    let lists = [&lists.http, &lists.dns, &lists.kafka];
    let in_use = lists.iter().filter(|list| !list.is_empty()).count() + custom;
    let present = FIELDS.iter().filter(|kind| at.get(kind).is_some()).count();
    if in_use > 1 {
        cx.error(
            at,
            Code::C10,
            format!("only one of {} can be in one item", FIELDS.join(", ")),
        )
        .help("write an item of `toPorts` for each");
    } else if cx.at_cluster() && present != 1 {
        cx.error(at, Code::D8, format!("needs exactly one of {}", FIELDS.join(", ")))
            .help("remove `rules` if no request should be restricted");
    }
}

/// Rules of protocols that proxies once learned by plugin. Cilium accepts them and enforces nothing, which would allow
/// what they forbid.
fn refuse_custom(cx: &mut Context<'_>, at: &Cursor<'_>) {
    let protocol = at.get("l7proto");
    if let Some(protocol) = &protocol {
        cx.error(protocol, Code::L7PROTO, "rules of custom protocols cannot be enforced")
            .help("remove `rules` to allow everything on the connection, or write rules of http, dns or kafka");
    }
    let Some(list) = at.get("l7") else { return };
    let items = list.items(cx);
    if protocol.is_none() && !items.is_empty() {
        cx.error(&list, Code::C11, "`l7` needs `l7proto`, which says what its rules mean")
            .help("remove it, or write rules of http, dns or kafka");
    }
    for item in &items {
        if item.entries(cx).iter().any(|(key, _)| key.is_empty()) {
            cx.error(item, Code::C11, "a key of an `l7` rule is empty")
                .help("name the field that the value is for");
        }
    }
}

fn warn_about_empty(cx: &mut Context<'_>, at: &Cursor<'_>) {
    let empty = KINDS
        .iter()
        .find_map(|kind| at.get(kind.field).map(|list| (kind, list)));
    if let Some((kind, list)) = empty {
        let (field, object) = (kind.field, kind.object);
        let plural = if object == DNS.object { "queries" } else { "requests" };
        cx.warning(
            &list,
            Code::MATCHES_MORE,
            format!("an empty `{field}` restricts no {object}"),
        )
        .help(format!("remove `rules`, or list the {plural} to allow"));
    } else if at.get("l7proto").is_none() && !cx.at_cluster() {
        cx.warning(at, Code::MATCHES_MORE, "empty `rules` restrict nothing")
            .help("remove `rules`, or list what to allow");
    }
}

fn check_proxy(cx: &mut Context<'_>, at: &Cursor<'_>) {
    if !cx.options.l7_proxy {
        cx.error(at, Code::C15, "rules on requests need the L7 proxy, which is disabled")
            .help("enable it with the option `l7_proxy`, or remove `rules`");
    }
}

/// Rules need ports, and a protocol that carries what they are about.
fn check_ports(cx: &mut Context<'_>, item: &Item<'_>, kind: &Kind) {
    let name = kind.name;
    let is_dns = kind.field == DNS.field;
    for port in &item.ports {
        let written = port.at.get("protocol");
        let protocol = written.as_ref().and_then(|value| value.node().as_str()).unwrap_or(ANY);
        let protocol = if protocol.is_empty() { ANY } else { protocol };
        let at = written.as_ref().unwrap_or(&port.at);
        match protocol.to_ascii_uppercase().as_str() {
            "TCP" => {}
            "UDP" | ANY if is_dns => {}
            other if !super::port::is_protocol(other) => {} // An error already.
            other if is_dns => {
                cx.error(
                    at,
                    Code::C7,
                    format!("DNS rules need the protocol TCP or UDP, this port has {other}"),
                )
                .help("write `protocol: ANY` for both");
            }
            other => {
                cx.error(
                    at,
                    Code::C7,
                    format!("{name} rules need the protocol TCP, this port has {other}"),
                )
                .help("write `protocol: TCP`");
            }
        }
        if let Some(number) = port.at.get("port").filter(|number| number.node().as_str() == Some("0")) {
            cx.error(
                &number,
                Code::C8,
                format!("{name} rules need a port, `0` means all of them"),
            )
            .help(format!(
                "name the ports that carry such {}",
                if is_dns { "queries" } else { "requests" }
            ));
        }
    }
}

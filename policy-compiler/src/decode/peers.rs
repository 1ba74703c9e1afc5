//! The peer fields of one element.

mod cidr;
mod entity;
mod fqdn;
mod service;

use policy_core::{Direction, Requirement};

use super::{Context, Cursor, policy::Section, selector};
use crate::{
    diagnostic::Code,
    resource::{LabelSelector, Peer, Peers},
};

pub(super) use cidr::{parse_prefix, prefix};
pub(super) use fqdn::dns_names;

/// The names of the peer fields of one direction, in the order of the schema.
struct Names {
    endpoints: &'static str,
    requires: &'static str,
    cidr: &'static str,
    cidr_set: &'static str,
    entities: &'static str,
    groups: &'static str,
    nodes: &'static str,
}

const FROM: Names = Names {
    endpoints: "fromEndpoints",
    requires: "fromRequires",
    cidr: "fromCIDR",
    cidr_set: "fromCIDRSet",
    entities: "fromEntities",
    groups: "fromGroups",
    nodes: "fromNodes",
};
const TO: Names = Names {
    endpoints: "toEndpoints",
    requires: "toRequires",
    cidr: "toCIDR",
    cidr_set: "toCIDRSet",
    entities: "toEntities",
    groups: "toGroups",
    nodes: "toNodes",
};
const SERVICES: &str = "toServices";
const FQDNS: &str = "toFQDNs";

fn names(direction: Direction) -> &'static Names {
    match direction {
        Direction::Ingress => &FROM,
        Direction::Egress => &TO,
    }
}

/// The peer fields that a section knows.
pub(super) fn fields(section: Section) -> Vec<&'static str> {
    let n = names(section.direction);
    let mut fields = vec![
        n.endpoints,
        n.requires,
        n.cidr,
        n.cidr_set,
        n.entities,
        n.groups,
        n.nodes,
    ];
    if section.direction == Direction::Egress {
        fields.push(SERVICES);
        if !section.deny {
            fields.push(FQDNS);
        }
    }
    fields
}

/// Reads who the peers are. An explicit empty list selects nobody, except for FQDNs, services and groups, where it
/// is the same as no list.
pub(super) fn peers(cx: &mut Context<'_>, element: &Cursor<'_>, section: Section) -> Peers {
    let n = names(section.direction);
    let lists: Vec<Field<'_>> = fields(section)
        .into_iter()
        .filter_map(|name| Field::read(cx, element, name))
        .collect();
    check_removed(cx, &lists, n);
    check_single(cx, &lists, n);

    let mut peers = Peers::Unspecified;
    for field in &lists {
        let found = field_peers(cx, field, section);
        peers = match (peers, found) {
            (Peers::Nothing, _) | (_, Peers::Nothing) => Peers::Nothing,
            (known, Peers::Unspecified) => known,
            (_, found) => found,
        };
    }
    peers
}

/// A peer field that is there.
struct Field<'a> {
    name: &'static str,
    at: Cursor<'a>,
    items: Vec<Cursor<'a>>,
}

impl<'a> Field<'a> {
    fn read(cx: &mut Context<'_>, element: &Cursor<'a>, name: &'static str) -> Option<Self> {
        let at = element.get(name)?;
        let items = at.items(cx);
        Some(Self { name, at, items })
    }
}

fn field_peers(cx: &mut Context<'_>, field: &Field<'_>, section: Section) -> Peers {
    let n = names(section.direction);
    let Field { name, at, items } = field;
    let name = *name;
    if name == n.requires {
        return Peers::Unspecified;
    }
    if items.is_empty() {
        return empty(cx, at, name);
    }
    if name == n.endpoints {
        Peers::OneOf(items.iter().map(|item| Peer::Endpoints(endpoints(cx, item))).collect())
    } else if name == n.nodes {
        nodes(cx, at, items, name)
    } else if name == n.entities {
        entity::entities(cx, items)
    } else if name == n.cidr {
        let patterns = items.iter().filter_map(|item| cidr::cidr(cx, item));
        Peers::OneOf(patterns.map(Peer::Pattern).collect())
    } else if name == n.cidr_set {
        Peers::OneOf(items.iter().filter_map(|item| cidr::cidr_set(cx, item)).collect())
    } else if name == SERVICES {
        service::services(cx, at, items, section.deny)
    } else if name == FQDNS {
        let patterns = items.iter().filter_map(|item| fqdn::fqdn(cx, item));
        Peers::OneOf(patterns.map(Peer::Pattern).collect())
    } else {
        groups(cx, at, name)
    }
}

/// Selectors over the labels of nodes, behind an option as in Cilium.
fn nodes(cx: &mut Context<'_>, at: &Cursor<'_>, items: &[Cursor<'_>], name: &str) -> Peers {
    if !cx.options.enable_node_selector_labels {
        cx.error(
            at,
            Code::B2,
            format!("`{name}` needs the option enable-node-selector-labels"),
        )
        .help("the entity `remote-node` selects all other nodes");
    }
    let selector = |item| Peer::Nodes(selector::selector_over(cx, item, selector::Over::Nodes));
    Peers::OneOf(items.iter().map(selector).collect())
}

/// What a group stands for is in the cloud of the cluster, and changes there.
fn groups(cx: &mut Context<'_>, at: &Cursor<'_>, name: &str) -> Peers {
    cx.error(
        at,
        Code::GROUPS,
        format!("the addresses of `{name}` are known only to the cloud provider"),
    )
    .help("name the addresses in a `CiliumCIDRGroup`, and that one in a CIDR set");
    Peers::Nothing
}

/// A selector over endpoints. One that mentions reserved labels is not limited to the namespace and cluster of the
/// policy, so that without a positive condition it also matches what is no endpoint at all.
fn endpoints(cx: &mut Context<'_>, at: &Cursor<'_>) -> LabelSelector {
    let selector = selector::selector(cx, at);
    let is_reserved = selector.keys().any(|key| key.source() == Some("reserved"));
    let is_negative = |r: &Requirement| matches!(r, Requirement::NotIn { .. } | Requirement::DoesNotExist { .. });
    if is_reserved && selector.equals.is_empty() && selector.expressions.iter().all(is_negative) {
        cx.warning(
            at,
            Code::MATCHES_MORE,
            "also matches everything outside the cluster and in every namespace",
        )
        .help("add a positive condition, for example on `k8s:io.kubernetes.pod.namespace`");
    }
    selector
}

fn empty(cx: &mut Context<'_>, at: &Cursor<'_>, name: &str) -> Peers {
    if matches!(name, SERVICES | FQDNS | "toGroups" | "fromGroups") {
        cx.warning(
            at,
            Code::MATCHES_MORE,
            format!("an empty `{name}` is the same as none: with ports, any peer matches"),
        )
        .help("remove the element if it should match nothing");
        return Peers::Unspecified;
    }
    cx.warning(at, Code::MATCHES_NOTHING, format!("an empty `{name}` matches no peer"))
        .help(format!("remove `{name}` if any peer should match"));
    Peers::Nothing
}

fn check_single(cx: &mut Context<'_>, lists: &[Field<'_>], n: &Names) {
    let mut present = lists
        .iter()
        .filter(|field| !field.items.is_empty() && field.name != n.requires);
    let Some(first) = present.next() else { return };
    for other in present {
        cx.error(
            &other.at,
            Code::B1,
            format!(
                "`{}` and `{}` cannot be combined in one element",
                first.name, other.name
            ),
        )
        .help("write an element of its own for each: what any of them allows is allowed");
    }
}

fn check_removed(cx: &mut Context<'_>, lists: &[Field<'_>], n: &Names) {
    for field in lists
        .iter()
        .filter(|field| field.name == n.requires && !field.items.is_empty())
    {
        cx.error(&field.at, Code::D2, format!("`{}` no longer exists", field.name))
            .help(format!("add its conditions to every selector of `{}`", n.endpoints));
    }
}

//! The peer fields of one element.

mod cidr;
mod fqdn;

use policy_core::{
    Direction, Requirement,
    bundle::{PeerPattern, ReservedEntity},
};

use super::{Context, Cursor, cursor::closest, policy::Section, selector};
use crate::{
    diagnostic::Code,
    resource::{LabelSelector, Peers},
};

pub(super) use fqdn::check_dns_item;

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

const ENTITIES: [&str; 14] = [
    "all",
    "world",
    "world-ipv4",
    "world-ipv6",
    "cluster",
    "host",
    "init",
    "ingress",
    "unmanaged",
    "remote-node",
    "health",
    "none",
    "kube-apiserver",
    "cluster-mesh",
];

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
    check_unsupported(cx, &lists, n);
    check_single(cx, &lists, n);

    let mut peers = Peers::Unspecified;
    for field in &lists {
        let found = field_peers(cx, field, n);
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

fn field_peers(cx: &mut Context<'_>, field: &Field<'_>, n: &Names) -> Peers {
    let Field { name, at, items } = field;
    let name = *name;
    if name == n.requires {
        return Peers::Unspecified;
    }
    if items.is_empty() {
        return empty(cx, at, name);
    }
    if name == n.endpoints {
        Peers::Endpoints(items.iter().map(|item| endpoints(cx, item)).collect())
    } else if name == n.entities {
        entities(cx, items)
    } else if name == n.cidr {
        Peers::Patterns(items.iter().filter_map(|item| cidr::cidr(cx, item)).collect())
    } else if name == n.cidr_set {
        Peers::Patterns(items.iter().filter_map(|item| cidr::cidr_set(cx, item)).collect())
    } else if name == FQDNS {
        Peers::Patterns(items.iter().filter_map(|item| fqdn::fqdn(cx, item)).collect())
    } else {
        // Reported as unsupported: the object is rejected, so this is never read.
        Peers::Nothing
    }
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

fn check_unsupported(cx: &mut Context<'_>, lists: &[Field<'_>], n: &Names) {
    for field in lists.iter().filter(|field| !field.items.is_empty()) {
        let name = field.name;
        if name == n.requires {
            cx.error(&field.at, Code::D2, format!("`{name}` no longer exists"))
                .help(format!("add its conditions to every selector of `{}`", n.endpoints));
        } else if name == n.nodes {
            if !cx.options.enable_node_selector_labels {
                cx.error(
                    &field.at,
                    Code::B2,
                    format!("`{name}` needs the option enable-node-selector-labels"),
                );
            }
            cx.unsupported(&field.at, &format!("`{name}`"));
            field
                .items
                .iter()
                .for_each(|item| selector::check(cx, item, selector::Over::Nodes));
        } else if name == n.groups || name == SERVICES {
            cx.unsupported(&field.at, &format!("`{name}`"));
        }
    }
}

fn entities(cx: &mut Context<'_>, items: &[Cursor<'_>]) -> Peers {
    let mut patterns = Vec::new();
    let mut any = false;
    for item in items {
        let Some(name) = item.text(cx) else { continue };
        any |= name == "all";
        patterns.extend(entity(cx, item, name).map(PeerPattern::Entity));
    }
    if any { Peers::Any } else { Peers::Patterns(patterns) }
}

/// `None` for `all`, which is no group of identities, and for what is wrong.
fn entity(cx: &mut Context<'_>, at: &Cursor<'_>, name: &str) -> Option<ReservedEntity> {
    let entity = match name {
        "all" => return None,
        "world" => ReservedEntity::World,
        "world-ipv4" => ReservedEntity::WorldIpv4,
        "world-ipv6" => ReservedEntity::WorldIpv6,
        "cluster" => ReservedEntity::Cluster,
        "host" => ReservedEntity::Host,
        "init" => ReservedEntity::Init,
        "ingress" => ReservedEntity::Ingress,
        "unmanaged" => ReservedEntity::Unmanaged,
        "remote-node" => ReservedEntity::RemoteNode,
        "health" => ReservedEntity::Health,
        "none" => ReservedEntity::None,
        "kube-apiserver" => ReservedEntity::KubeApiserver,
        "cluster-mesh" => {
            cx.unsupported(at, "the entity `cluster-mesh`");
            return None;
        }
        _ => {
            let diagnostic = cx.error(at, Code::B3, format!("unknown entity `{name}`"));
            match closest(name, &ENTITIES) {
                Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
                None => diagnostic.help(format!("the entities are {}", ENTITIES.join(", "))),
            };
            return None;
        }
    };
    if cx.at_cluster() && matches!(entity, ReservedEntity::WorldIpv4 | ReservedEntity::WorldIpv6) {
        let all = if entity == ReservedEntity::WorldIpv4 {
            "0.0.0.0/0"
        } else {
            "::/0"
        };
        cx.error(
            at,
            Code::D3,
            format!("the API server does not admit the entity `{name}`"),
        )
        .help(format!("the CIDR `{all}` selects the same peers"));
    }
    Some(entity)
}

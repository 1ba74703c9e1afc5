//! `CiliumNetworkPolicy` and `CiliumClusterwideNetworkPolicy`.

mod default_deny;
mod subject;

use policy_core::{
    Direction,
    bundle::{DefaultDeny, Mode},
};

use super::{Context, Cursor, authentication, mode::mode, peers, ports};
use crate::{
    diagnostic::Code,
    resource::{Element, Policy, Rule},
};

const MAX_LOG_VALUE: usize = 32;

/// One of the four lists of a rule.
#[derive(Clone, Copy)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) direction: Direction,
    pub(super) deny: bool,
    /// Whether the rule is for nodes.
    pub(super) for_nodes: bool,
}

const INGRESS: Section = Section {
    name: "ingress",
    direction: Direction::Ingress,
    deny: false,
    for_nodes: false,
};
const INGRESS_DENY: Section = Section {
    name: "ingressDeny",
    direction: Direction::Ingress,
    deny: true,
    for_nodes: false,
};
const EGRESS: Section = Section {
    name: "egress",
    direction: Direction::Egress,
    deny: false,
    for_nodes: false,
};
const EGRESS_DENY: Section = Section {
    name: "egressDeny",
    direction: Direction::Egress,
    deny: true,
    for_nodes: false,
};

/// Reads a policy of either kind. One without namespace applies to all of them, whatever its kind.
pub(super) fn policy(cx: &mut Context<'_>, root: &Cursor<'_>, kind: &str) -> Option<Policy> {
    root.fields(cx, &["apiVersion", "kind", "metadata", "spec", "specs", "status"]);
    let (namespace, name, mode) = metadata(cx, root, kind)?;
    let rules = rules(cx, root, namespace.as_deref());
    Some(Policy {
        kind: kind.to_owned(),
        namespace,
        name,
        mode,
        rules,
    })
}

fn metadata(cx: &mut Context<'_>, root: &Cursor<'_>, kind: &str) -> Option<(Option<String>, String, Mode)> {
    let metadata = root.require(cx, "metadata", Code::A1)?;
    let name = metadata.text_of(cx, "name").unwrap_or_default();
    if name.is_empty() {
        cx.error(&metadata, Code::A1, "`metadata.name` is missing");
    }
    let mode = mode(cx, &metadata);
    metadata.text_of(cx, "namespace");
    let namespace = Some(cx.object().namespace.clone()).filter(|namespace| !namespace.is_empty());
    let is_cluster_wide = kind == "CiliumClusterwideNetworkPolicy";
    if is_cluster_wide && let Some(namespace) = metadata.get("namespace").filter(|_| namespace.is_some()) {
        cx.warning(
            &namespace,
            Code::NO_EFFECT,
            "has no effect: the policy applies to every namespace",
        )
        .help("a `CiliumNetworkPolicy` applies to one namespace");
    } else if !is_cluster_wide && namespace.is_none() {
        cx.warning(
            &metadata,
            Code::MATCHES_MORE,
            "without `namespace` the policy applies to every namespace",
        )
        .help("set `metadata.namespace`, or name a namespace with `-n` as for kubectl");
    }
    Some((namespace.filter(|_| !is_cluster_wide), name.to_owned(), mode))
}

fn rules(cx: &mut Context<'_>, root: &Cursor<'_>, namespace: Option<&str>) -> Vec<Rule> {
    let (spec, specs) = (root.get("spec"), root.get("specs"));
    if spec.is_none() && specs.is_none() {
        cx.error(root, Code::A2, "has neither `spec` nor `specs`");
    }
    let mut rules: Vec<Rule> = spec.iter().filter_map(|spec| rule(cx, spec, namespace)).collect();
    if let Some(specs) = specs {
        let items = specs.items(cx);
        if items.is_empty() && spec.is_none() && !cx.has_errors() {
            cx.warning(&specs, Code::NO_EFFECT, "a policy without rules has no effect");
        }
        rules.extend(items.iter().filter_map(|item| rule(cx, item, namespace)));
    }
    rules
}

/// One rule; `None` if it is for nodes, which have no part in what endpoints may do.
fn rule(cx: &mut Context<'_>, at: &Cursor<'_>, namespace: Option<&str>) -> Option<Rule> {
    at.fields(
        cx,
        &[
            "endpointSelector",
            "nodeSelector",
            "ingress",
            "ingressDeny",
            "egress",
            "egressDeny",
            "enableDefaultDeny",
            "labels",
            "description",
            "log",
        ],
    );
    let subject = subject::subject(cx, at, namespace);
    let for_nodes = at.get("nodeSelector").is_some();
    let [ingress, ingress_deny, egress, egress_deny] =
        [INGRESS, INGRESS_DENY, EGRESS, EGRESS_DENY].map(|section| elements(cx, at, Section { for_nodes, ..section }));
    if [&ingress, &ingress_deny, &egress, &egress_deny]
        .iter()
        .all(|list| list.is_empty())
    {
        cx.error(
            at,
            Code::A3,
            "a rule needs an element in `ingress`, `ingressDeny`, `egress` or `egressDeny`",
        )
        .help("an empty element, as in `ingress: [{}]`, isolates the subject without allowing anything");
    }
    check_text(cx, at);
    let isolates = |cx: &mut Context<'_>, direction, allow: &[Element], deny: &[Element]| {
        default_deny::default_deny(cx, at, direction, !allow.is_empty(), !deny.is_empty())
    };
    let default_deny = DefaultDeny {
        ingress: isolates(cx, Direction::Ingress, &ingress, &ingress_deny),
        egress: isolates(cx, Direction::Egress, &egress, &egress_deny),
    };
    if for_nodes {
        subject::check_for_nodes(cx, at);
        return None;
    }
    Some(Rule {
        path: at.path(),
        subject,
        default_deny,
        ingress,
        ingress_deny,
        egress,
        egress_deny,
    })
}

/// Fields that say nothing about traffic.
fn check_text(cx: &mut Context<'_>, at: &Cursor<'_>) {
    at.text_of(cx, "description");
    let Some(log) = at.get("log") else { return };
    log.fields(cx, &["value"]);
    let Some(value) = log.text_of(cx, "value") else { return };
    if cx.at_cluster() && (value.chars().count() > MAX_LOG_VALUE || value.contains(char::is_control)) {
        cx.error(
            &log,
            Code::D13,
            format!("a log value has at most {MAX_LOG_VALUE} printable characters"),
        );
    }
}

fn elements(cx: &mut Context<'_>, rule: &Cursor<'_>, section: Section) -> Vec<Element> {
    let items = rule.items_of(cx, section.name);
    items.iter().map(|item| element(cx, item, section)).collect()
}

fn element(cx: &mut Context<'_>, at: &Cursor<'_>, section: Section) -> Element {
    let mut known = peers::fields(section);
    known.extend(["toPorts", "icmps"]);
    if !section.deny {
        known.push("authentication");
    }
    at.fields(cx, &known);
    Element {
        peers: peers::peers(cx, at, section),
        ports: ports::ports(cx, at, section),
        authentication: if section.deny {
            None
        } else {
            authentication::authentication(cx, at)
        },
    }
}

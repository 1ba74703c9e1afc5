//! `CiliumNetworkPolicy`. A `CiliumClusterwideNetworkPolicy` is only checked: it is not supported yet.

use policy_core::{Direction, bundle::DefaultDeny};

use super::{Context, Cursor, peers, ports, selector};
use crate::{
    diagnostic::Code,
    resource::{Element, LabelSelector, Policy, Rule},
    scope,
};

const MODE_ANNOTATION: &str = "portcullis.io/mode";
const MAX_LOG_VALUE: usize = 32;

/// One of the four lists of a rule.
#[derive(Clone, Copy)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) direction: Direction,
    pub(super) deny: bool,
}

const INGRESS: Section = Section {
    name: "ingress",
    direction: Direction::Ingress,
    deny: false,
};
const INGRESS_DENY: Section = Section {
    name: "ingressDeny",
    direction: Direction::Ingress,
    deny: true,
};
const EGRESS: Section = Section {
    name: "egress",
    direction: Direction::Egress,
    deny: false,
};
const EGRESS_DENY: Section = Section {
    name: "egressDeny",
    direction: Direction::Egress,
    deny: true,
};

pub(super) fn policy(cx: &mut Context<'_>, root: &Cursor<'_>, kind: &str) -> Option<Policy> {
    root.fields(cx, &["apiVersion", "kind", "metadata", "spec", "specs", "status"]);
    let (namespace, name) = metadata(cx, root, kind);
    let rules = rules(cx, root, namespace.as_deref());
    Some(Policy {
        kind: kind.to_owned(),
        namespace: namespace?,
        name: name?.to_owned(),
        rules,
    })
}

/// Namespace and name. Without a namespace the policy applies to all of them, like the cluster-wide kind.
fn metadata<'a>(cx: &mut Context<'_>, root: &Cursor<'a>, kind: &str) -> (Option<String>, Option<&'a str>) {
    let Some(metadata) = root.require(cx, "metadata", Code::A1) else {
        return (None, None);
    };
    let name = metadata.text_of(cx, "name").filter(|name| !name.is_empty());
    if name.is_none() {
        cx.error(&metadata, Code::A1, "`metadata.name` is missing");
    }
    if let Some(annotations) = metadata.get("annotations")
        && let Some(mode) = annotations.get(MODE_ANNOTATION)
    {
        cx.unsupported(&mode, &format!("the annotation `{MODE_ANNOTATION}`"));
    }
    metadata.text_of(cx, "namespace");
    let namespace = Some(cx.object().namespace.clone()).filter(|namespace| !namespace.is_empty());
    if kind == "CiliumClusterwideNetworkPolicy" {
        cx.unsupported(root, &format!("the kind `{kind}`"));
        return (None, name);
    }
    if namespace.is_none() {
        cx.unsupported(
            &metadata,
            &format!("a `{kind}` without namespace, which applies to every namespace,"),
        )
        .help("set `metadata.namespace`, or name a namespace with `-n` as for kubectl");
    }
    (namespace, name)
}

fn rules(cx: &mut Context<'_>, root: &Cursor<'_>, namespace: Option<&str>) -> Vec<Rule> {
    let (spec, specs) = (root.get("spec"), root.get("specs"));
    if spec.is_none() && specs.is_none() {
        cx.error(root, Code::A2, "has neither `spec` nor `specs`");
    }
    let mut rules: Vec<Rule> = spec.iter().map(|spec| rule(cx, spec, namespace)).collect();
    if let Some(specs) = specs {
        let items = specs.items(cx);
        if items.is_empty() && spec.is_none() && !cx.has_errors() {
            cx.warning(&specs, Code::NO_EFFECT, "a policy without rules has no effect");
        }
        rules.extend(items.iter().map(|item| rule(cx, item, namespace)));
    }
    rules
}

fn rule(cx: &mut Context<'_>, at: &Cursor<'_>, namespace: Option<&str>) -> Rule {
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
    let subject = subject(cx, at, namespace);
    let [ingress, ingress_deny, egress, egress_deny] =
        [INGRESS, INGRESS_DENY, EGRESS, EGRESS_DENY].map(|section| elements(cx, at, section));
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
    let mut isolates = |direction, allow: &[Element], deny: &[Element]| {
        default_deny(cx, at, direction, !allow.is_empty(), !deny.is_empty())
    };
    let default_deny = DefaultDeny {
        ingress: isolates(Direction::Ingress, &ingress, &ingress_deny),
        egress: isolates(Direction::Egress, &egress, &egress_deny),
    };
    Rule {
        path: at.path(),
        subject,
        default_deny,
        ingress,
        ingress_deny,
        egress,
        egress_deny,
    }
}

fn subject(cx: &mut Context<'_>, at: &Cursor<'_>, namespace: Option<&str>) -> LabelSelector {
    let (endpoints, nodes) = (at.get("endpointSelector"), at.get("nodeSelector"));
    match (&endpoints, &nodes) {
        (Some(_), Some(nodes)) => {
            cx.error(
                nodes,
                Code::A4,
                "a rule has only one of `endpointSelector` and `nodeSelector`",
            );
        }
        (None, None) => {
            cx.error(at, Code::A4, "`endpointSelector` is missing")
                .help("`endpointSelector: {}` selects the whole namespace");
        }
        _ => {}
    }
    if let Some(nodes) = nodes {
        if namespace.is_some() {
            cx.error(
                &nodes,
                Code::A5,
                "`nodeSelector` belongs in a `CiliumClusterwideNetworkPolicy`",
            );
        } else {
            cx.unsupported(&nodes, "`nodeSelector`");
        }
        selector::check(cx, &nodes, selector::Over::Nodes);
    }
    let Some(endpoints) = endpoints else {
        return LabelSelector::default();
    };
    let selector = selector::selector(cx, &endpoints);
    if let Some(namespace) = namespace {
        warn_about_namespace(cx, &endpoints, &selector, namespace);
    }
    selector
}

/// A subject is always in the namespace of its policy, whatever its selector says.
fn warn_about_namespace(cx: &mut Context<'_>, at: &Cursor<'_>, selector: &LabelSelector, namespace: &str) {
    for (key, value) in selector
        .equals
        .iter()
        .filter(|(key, value)| key.key() == scope::NAMESPACE_KEY && **value != *namespace)
    {
        if key.source() == Some("k8s") {
            cx.warning(
                at,
                Code::NO_EFFECT,
                format!("the namespace `{value}` is replaced by that of the policy, `{namespace}`"),
            );
        } else {
            cx.warning(
                at,
                Code::MATCHES_NOTHING,
                format!("no endpoint is both in `{value}` and in the namespace of the policy, `{namespace}`"),
            );
        }
    }
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

/// Whether the rule isolates its subject in this direction: what `enableDefaultDeny` says, else whether it has an
/// element there. Without an element it never does.
fn default_deny(cx: &mut Context<'_>, at: &Cursor<'_>, direction: Direction, allows: bool, denies: bool) -> bool {
    let name = direction.as_str();
    let options = at.get("enableDefaultDeny");
    if let (Direction::Ingress, Some(options)) = (direction, &options) {
        options.fields(cx, &["ingress", "egress"]);
    }
    let written = options.and_then(|options| options.get(name));
    let wanted = written.as_ref().and_then(|value| value.boolean(cx));
    let has_elements = allows || denies;
    match wanted {
        Some(true) if !has_elements => {
            let at = written.unwrap_or_else(|| at.clone());
            cx.warning(
                &at,
                Code::NO_EFFECT,
                format!("has no effect: the rule has no element for {name}"),
            )
            .help(format!(
                "`{name}: [{{}}]` isolates the subject without allowing anything"
            ));
        }
        None if denies && !allows => {
            let list = if direction == Direction::Ingress {
                INGRESS_DENY
            } else {
                EGRESS_DENY
            };
            let at = at.get(list.name).unwrap_or_else(|| at.clone());
            cx.warning(
                &at,
                Code::ISOLATES,
                format!("also denies all other {name} that no rule allows"),
            )
            .help(format!(
                "`enableDefaultDeny: {{{name}: false}}` denies only what is listed"
            ));
        }
        _ => {}
    }
    wanted.unwrap_or(true) && has_elements
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
        if let Some(authentication) = at.get("authentication") {
            cx.unsupported(&authentication, "`authentication`");
        }
    }
    at.fields(cx, &known);
    Element {
        peers: peers::peers(cx, at, section),
        ports: ports::ports(cx, at, section),
    }
}

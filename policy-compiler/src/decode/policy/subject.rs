//! `endpointSelector` and `nodeSelector`.

use super::{EGRESS, INGRESS};
use crate::{
    decode::{Context, Cursor, selector},
    diagnostic::Code,
    document::Value,
    resource::LabelSelector,
    scope,
};

/// The endpoints that a rule of this namespace is for. For a rule that is for nodes, any will do.
pub(super) fn subject(cx: &mut Context<'_>, at: &Cursor<'_>, namespace: Option<&str>) -> LabelSelector {
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
            let all = match namespace {
                Some(_) => "the whole namespace",
                None => "every endpoint of the cluster",
            };
            cx.error(at, Code::A4, "`endpointSelector` is missing")
                .help(format!("`endpointSelector: {{}}` selects {all}"));
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
        }
        selector::selector_over(cx, &nodes, selector::Over::Nodes);
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

/// A rule for nodes has no requests to look at, except for the names that the node itself asks for.
pub(super) fn check_for_nodes(cx: &mut Context<'_>, at: &Cursor<'_>) {
    for (section, kinds) in [(INGRESS, &["http", "dns", "kafka"][..]), (EGRESS, &["http", "kafka"])] {
        for element in items(cx, at.get(section.name)) {
            for ports in items(cx, element.get("toPorts")) {
                let Some(rules) = ports.get("rules") else { continue };
                let found = kinds.iter().filter_map(|kind| rules.get(kind));
                for list in found.filter(|list| matches!(&list.node().value, Value::Seq(items) if !items.is_empty())) {
                    cx.error(&list, Code::C16, "a rule with `nodeSelector` cannot restrict requests")
                        .help("select the pods that take the requests, with `endpointSelector`");
                }
            }
        }
    }
    cx.note(
        at,
        Code::SKIPPED,
        "a rule with `nodeSelector` is for the traffic of nodes: it has no part in that of pods",
    );
}

/// The items of a list; what is no list was reported where it was read.
fn items<'a>(cx: &mut Context<'_>, list: Option<Cursor<'a>>) -> Vec<Cursor<'a>> {
    let list = list.filter(|list| matches!(list.node().value, Value::Seq(_)));
    list.map(|list| list.items(cx)).unwrap_or_default()
}

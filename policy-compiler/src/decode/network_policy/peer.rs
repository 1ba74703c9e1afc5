//! One item of `from` or `to`.

use policy_core::{Requirement, SelectorKey, bundle::PeerPattern};

use super::super::{Context, Cursor, peers as cilium, selector};
use crate::{
    diagnostic::Code,
    options::NetworkPolicyDialect,
    resource::{LabelSelector, Peer},
    scope,
};

/// Reads one item. `None` if there is an error. A selector names its namespaces itself.
pub(super) fn peer(cx: &mut Context<'_>, at: &Cursor<'_>, namespace: &str) -> Option<Peer> {
    at.fields(cx, &["podSelector", "namespaceSelector", "ipBlock"]);
    let [pods, namespaces, block] = ["podSelector", "namespaceSelector", "ipBlock"].map(|field| at.get(field));
    if let Some(block) = &block {
        if pods.is_some() || namespaces.is_some() {
            cx.error(
                block,
                Code::K3,
                "`ipBlock` cannot be combined with a selector in one item",
            )
            .help("write an item of its own for each: what any of them allows is allowed");
        }
        return ip_block(cx, block).map(Peer::Pattern);
    }
    if pods.is_none() && namespaces.is_none() {
        at.map(cx)?;
        if cx.at_cluster() {
            cx.error(at, Code::K3, "needs `podSelector`, `namespaceSelector` or `ipBlock`")
                .help("`podSelector: {}` selects every pod of the namespace");
            return None;
        }
    }
    let pods = pods.map(|pods| selector::selector_over(cx, &pods, selector::Over::Pods));
    let mut selector = pods.unwrap_or_default();
    match namespaces {
        None => only_namespace(&mut selector, namespace),
        Some(namespaces) => {
            let wanted = selector::selector_over(cx, &namespaces, selector::Over::Namespaces);
            within_namespaces(&mut selector, wanted, cx.options.network_policy);
        }
    }
    Some(Peer::Endpoints(selector))
}

/// Limits a selector to one namespace, whatever it says itself.
fn only_namespace(selector: &mut LabelSelector, namespace: &str) {
    selector.equals.retain(|(key, _)| key.key() != scope::NAMESPACE_KEY);
    selector
        .equals
        .extend(namespace_key().map(|key| (key, namespace.into())));
}

/// Limits a selector to namespaces with these labels.
///
/// Cilium evaluates it on every identity there is, so that a selector of negative conditions also matches what is no
/// pod; upstream only pods are in a namespace.
fn within_namespaces(selector: &mut LabelSelector, wanted: LabelSelector, dialect: NetworkPolicyDialect) {
    let is_any = wanted.equals.is_empty() && wanted.expressions.is_empty();
    let has_positive = !wanted.equals.is_empty() || wanted.expressions.iter().any(is_positive);
    let needs_namespace = match dialect {
        NetworkPolicyDialect::Cilium => is_any,
        NetworkPolicyDialect::Kubernetes => !has_positive,
    };
    selector.equals.extend(wanted.equals);
    let exists = namespace_key().map(|key| Requirement::Exists { key });
    let mut expressions = wanted.expressions;
    expressions.extend(exists.filter(|_| needs_namespace));
    expressions.append(&mut selector.expressions);
    selector.expressions = expressions;
}

fn is_positive(requirement: &Requirement) -> bool {
    matches!(
        requirement,
        Requirement::Equals { .. } | Requirement::In { .. } | Requirement::Exists { .. }
    )
}

fn namespace_key() -> Option<SelectorKey> {
    SelectorKey::parse(&format!("k8s:{}", scope::NAMESPACE_KEY))
}

fn ip_block(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<PeerPattern> {
    at.fields(cx, &["cidr", "except"]);
    let items = at.items_of(cx, "except");
    let prefix = at
        .require(cx, "cidr", Code::K4)
        .and_then(|cidr| cilium::prefix(cx, &cidr, Code::K4));
    let mut except = Vec::new();
    for item in &items {
        let Some(part) = cilium::prefix(cx, item, Code::K4) else {
            continue;
        };
        let Some(whole) = prefix else { continue };
        if !whole.contains(&part) || (cx.at_cluster() && whole == part) {
            let message = format!("`{part}` is not a part of `{whole}`");
            cx.error(item, Code::K4, message)
                .help("an exception must be a smaller prefix inside the `cidr` beside it");
        }
        except.push(part);
    }
    let prefix = prefix?;
    Some(match cx.options.network_policy {
        NetworkPolicyDialect::Cilium => PeerPattern::Cidr { prefix, except },
        NetworkPolicyDialect::Kubernetes => PeerPattern::Address { prefix, except },
    })
}

//! `toServices`.

use policy_core::{Requirement, SelectorKey};

use super::super::{Context, Cursor, cursor::closest, selector::OPERATORS};
use crate::{
    diagnostic::Code,
    options::UnresolvedServices,
    resource::{LabelSelector, Peers, ServicePattern, ServiceQuery, Services},
};

/// Reads a list that is not empty.
pub(super) fn services(cx: &mut Context<'_>, list: &Cursor<'_>, items: &[Cursor<'_>], deny: bool) -> Peers {
    let wanted = items.iter().filter_map(|item| query(cx, item)).collect();
    let as_cilium = cx.options.unresolved_services == UnresolvedServices::Cilium;
    if as_cilium && deny {
        cx.warning(
            list,
            Code::MATCHES_MORE,
            "services are not looked up for a deny: with ports, any peer matches",
        );
        return Peers::Unspecified;
    }
    let (code, outcome) = if as_cilium {
        (Code::MATCHES_MORE, "with ports, any peer matches")
    } else {
        (Code::MATCHES_NOTHING, "no peer matches")
    };
    let message = format!("none of these services is known with a selector or with backends: {outcome}");
    let mut unresolved = cx.later(list, code, message);
    unresolved.help("compile the policy together with its services, and with their endpoint slices");
    Peers::Services(Services {
        wanted,
        unresolved: Box::new(unresolved),
    })
}

fn query(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<ServiceQuery> {
    at.fields(cx, &["k8sService", "k8sServiceSelector"]);
    let (by_name, by_labels) = (at.get("k8sService"), at.get("k8sServiceSelector"));
    if let (Some(by_name), Some(_)) = (&by_name, &by_labels) {
        cx.warning(by_name, Code::NO_EFFECT, "has no effect beside `k8sServiceSelector`")
            .help("write an item of its own for each");
    }
    if let Some(by_labels) = by_labels {
        return Some(labelled(cx, &by_labels));
    }
    if let Some(by_name) = by_name {
        by_name.fields(cx, &["serviceName", "namespace"]);
        return Some(ServiceQuery {
            namespace: namespace(cx, &by_name),
            service: ServicePattern::Name(by_name.text_of(cx, "serviceName").unwrap_or_default().to_owned()),
        });
    }
    if at.map(cx).is_some() {
        cx.warning(at, Code::MATCHES_NOTHING, "an item without a service matches nothing")
            .help("name it in `k8sService`, or select it with `k8sServiceSelector`");
    }
    None
}

fn labelled(cx: &mut Context<'_>, at: &Cursor<'_>) -> ServiceQuery {
    at.fields(cx, &["selector", "namespace"]);
    let written = at.get("selector");
    if written.is_none() && cx.at_cluster() {
        cx.error(at, Code::D14, "`selector` is missing")
            .help("`selector: {}` selects every service");
    }
    let selector = written.map(|written| selector(cx, &written)).unwrap_or_default();
    ServiceQuery {
        namespace: namespace(cx, at),
        service: ServicePattern::Labels(selector),
    }
}

/// Absent or empty: any namespace, not that of the policy.
fn namespace(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<String> {
    let namespace = at.text_of(cx, "namespace")?;
    (!namespace.is_empty()).then(|| namespace.to_owned())
}

/// Nobody checks the keys and values of this selector; one that no label can have matches none. The source that a key
/// asks for is ignored.
fn selector(cx: &mut Context<'_>, at: &Cursor<'_>) -> LabelSelector {
    at.fields(cx, &["matchLabels", "matchExpressions"]);
    let mut equals = Vec::new();
    for (text, value) in at
        .get("matchLabels")
        .map(|labels| labels.entries(cx))
        .unwrap_or_default()
    {
        let value = value.text(cx).map(Box::from);
        equals.extend(key(text).zip(value));
    }
    let items = at.items_of(cx, "matchExpressions");
    let expressions = items.iter().filter_map(|item| expression(cx, item)).collect();
    LabelSelector { equals, expressions }
}

fn key(text: &str) -> Option<SelectorKey> {
    let (_, key) = text.split_once(':').unwrap_or(("", text));
    SelectorKey::parse(&format!("{}:{key}", SelectorKey::ANY))
}

fn expression(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<Requirement> {
    at.fields(cx, &["key", "operator", "values"]);
    let key = key(at.text_of(cx, "key").unwrap_or_default())?;
    let items = at.items_of(cx, "values");
    let values = items.iter().filter_map(|item| item.text(cx)).map(Box::from).collect();
    let operator_at = at.require(cx, "operator", Code::D4)?;
    match operator_at.text(cx)? {
        "In" => Some(Requirement::In { key, values }),
        "NotIn" => Some(Requirement::NotIn { key, values }),
        "Exists" => Some(Requirement::Exists { key }),
        "DoesNotExist" => Some(Requirement::DoesNotExist { key }),
        other => {
            unknown_operator(cx, &operator_at, other);
            // Matches nothing.
            Some(Requirement::In {
                key,
                values: Vec::new(),
            })
        }
    }
}

fn unknown_operator(cx: &mut Context<'_>, at: &Cursor<'_>, operator: &str) {
    let message = format!("unknown operator `{operator}`");
    let diagnostic = if cx.at_cluster() {
        cx.error(at, Code::D4, message)
    } else {
        cx.warning(at, Code::MATCHES_NOTHING, message)
    };
    match closest(operator, &OPERATORS) {
        Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
        None => diagnostic.help(format!("the operators are {}", OPERATORS.join(", "))),
    };
}

//! Labels in words.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{super::MissedLabel, either};
use crate::{
    engine::{CLUSTER_KEY, NAMESPACE_KEY, SERVICE_ACCOUNT_KEY},
    labels::{Label, Source},
    selector::{Requirement, SelectorKey},
};

/// What the labels of a namespace start with where its endpoints carry them.
const NAMESPACE_LABELS_PREFIX: &str = "io.cilium.k8s.namespace.labels.";

/// Every requirement that does not hold: `label team is blue, wanted red`.
pub(super) fn unmet(missed: &[MissedLabel]) -> String {
    let all: Vec<String> = missed.iter().map(one).collect();
    all.join("; ")
}

fn one(MissedLabel { wanted, found }: &MissedLabel) -> String {
    let key = name(wanted.key());
    let values: Vec<String> = found.iter().map(|label| value(label, wanted.key())).collect();
    let is = match values.as_slice() {
        [] => format!("{key} is missing"),
        values => format!("{key} is {}", either(values, "and")),
    };
    match wanted {
        Requirement::Equals { value, .. } => format!("{is}, wanted {}", shown(value)),
        Requirement::In { values, .. } => format!("{is}, wanted {}", either(values, "or")),
        Requirement::NotIn { values, .. } => format!("{is}, wanted anything but {}", either(values, "and")),
        Requirement::Exists { .. } if values.is_empty() => is,
        Requirement::Exists { key } => format!(
            "{is}, wanted one of source {}",
            key.source().unwrap_or(SelectorKey::ANY)
        ),
        Requirement::DoesNotExist { .. } => format!("{is}, wanted none"),
    }
}

/// What a requirement asks for: `label team red`, `namespace ops`.
pub(super) fn wanted(requirement: &Requirement) -> String {
    let key = name(requirement.key());
    match requirement {
        Requirement::Equals { value, .. } => format!("{key} {}", shown(value)),
        Requirement::In { values, .. } => format!("{key} {}", either(values, "or")),
        Requirement::NotIn { values, .. } => format!("{key} other than {}", either(values, "and")),
        Requirement::Exists { .. } => key,
        Requirement::DoesNotExist { .. } => format!("no {key}"),
    }
}

/// Keys that have a name of their own, and labels.
fn name(key: &SelectorKey) -> String {
    let is_kubernetes = key.source().is_none_or(|source| source == Source::K8S);
    match key.key() {
        NAMESPACE_KEY if is_kubernetes => "namespace".into(),
        CLUSTER_KEY if is_kubernetes => "cluster".into(),
        SERVICE_ACCOUNT_KEY if is_kubernetes => "service account".into(),
        of_namespace if is_kubernetes && of_namespace.starts_with(NAMESPACE_LABELS_PREFIX) => {
            format!(
                "namespace label {}",
                of_namespace.trim_start_matches(NAMESPACE_LABELS_PREFIX)
            )
        }
        plain if is_kubernetes => format!("label {plain}"),
        _ => format!("label {key}"),
    }
}

/// The value of a label; the whole label where its source is not the one that is asked for.
fn value(label: &Label, key: &SelectorKey) -> String {
    let is_asked_for = key.source().is_none_or(|source| source == label.source().as_str());
    if is_asked_for {
        shown(label.value()).to_string()
    } else {
        label.to_string()
    }
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "empty" } else { value }
}

//! Who somebody is, and where each of the labels comes from.

use policy_compiler::{Compiled, LabelOrigin, Location};
use policy_core::{Bundle, Engine, Label, Source};
use serde::Serialize;

use crate::trace::scene::Party;

/// An endpoint or a peer.
#[derive(Serialize)]
pub(in crate::trace) struct Described {
    pub(in crate::trace) name: String,
    pub(in crate::trace) kind: PartyKind,
    pub(in crate::trace) labels: Vec<String>,
    /// Where each of the labels comes from, in their order.
    pub(in crate::trace) origins: Vec<Origin>,
    /// The names that DNS gave the address for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::trace) names: Vec<String>,
}

/// What somebody is to the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::trace) enum PartyKind {
    /// A pod.
    Workload,
    /// A node, the API server or another part of the cluster that the address table knows.
    Reserved,
    /// Outside the cluster.
    Outside,
}

impl PartyKind {
    /// For people.
    pub(in crate::trace) fn words(self) -> &'static str {
        match self {
            Self::Workload => "workload of the cluster",
            Self::Reserved => "part of the cluster, by the address table",
            Self::Outside => "outside the cluster",
        }
    }
}

/// Where a label comes from.
#[derive(Serialize)]
pub(in crate::trace) struct Origin {
    /// A word for each kind of origin; they are listed in the documentation of `trace`.
    pub(in crate::trace) origin: &'static str,
    /// For people.
    #[serde(skip)]
    pub(in crate::trace) words: String,
    /// Where it was written, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::trace) at: Option<Location>,
}

impl Described {
    pub(in crate::trace) fn new(party: &Party, engine: &Engine, bundle: &Bundle, compiled: &Compiled) -> Self {
        let labels = engine.labels(party.identity);
        let is_reserved = labels.iter().any(|label| label.source().as_str() == Source::RESERVED);
        let kind = match (engine.is_endpoint(party.identity), is_reserved) {
            (false, _) => PartyKind::Outside,
            (true, true) => PartyKind::Reserved,
            (true, false) => PartyKind::Workload,
        };
        let names = bundle
            .names
            .iter()
            .filter(|(_, addresses)| party.address.is_some_and(|address| addresses.contains(&address)));
        Self {
            name: party.name.clone(),
            kind,
            labels: labels.iter().map(ToString::to_string).collect(),
            origins: labels.iter().map(|label| Origin::new(label, party, compiled)).collect(),
            names: names.map(|(name, _)| name.clone()).collect(),
        }
    }
}

impl Origin {
    fn new(label: &Label, party: &Party, compiled: &Compiled) -> Self {
        let endpoint = party.endpoint.as_deref().unwrap_or_default();
        let (namespace, _) = endpoint.split_once('/').unwrap_or_default();
        let (origin, words) = match LabelOrigin::of(label) {
            LabelOrigin::Pod if party.is_made_up() => ("command-line", "the command line".into()),
            LabelOrigin::Pod => ("pod", format!("pod {endpoint}")),
            LabelOrigin::NamespaceName => ("pod-namespace", "the namespace it is in".into()),
            LabelOrigin::Namespace(_) => ("namespace", format!("namespace {namespace}")),
            LabelOrigin::ServiceAccount => ("service-account", "its service account".into()),
            LabelOrigin::Cluster => ("cluster", "its cluster".into()),
            LabelOrigin::Node => ("node", "its node".into()),
            LabelOrigin::CidrGroup(Some(group)) => ("cidr-group", format!("CIDR group {group}")),
            LabelOrigin::CidrGroup(None) => ("cidr-group", "its CIDR group".into()),
            LabelOrigin::Address => ("address", "its address, as far as rules tell it apart".into()),
            LabelOrigin::Dns => ("dns", "a DNS answer".into()),
            LabelOrigin::Reserved => ("reserved", "what it is to the cluster".into()),
            LabelOrigin::Other => ("other", "elsewhere".into()),
        };
        Self {
            origin,
            words,
            at: compiled.locate_label(endpoint, label),
        }
    }
}

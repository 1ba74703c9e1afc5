//! Selectors and port names that no pod of the input has.
//!
//! Only a selector whose namespaces and clusters have pods in the input is judged: of the others nothing is known.

use std::collections::{HashMap, HashSet};

use policy_core::{
    Bundle, Direction, Protocol, Requirement, Selector,
    bundle::{Identity, PeerPattern, Peers, PortNumbers, PortPattern, PortRule},
};

use super::{findings::Findings, site::Site};
use crate::{
    diagnostic::Code,
    scope::{CLUSTER_KEY, NAMESPACE_KEY, NAMESPACE_LABELS_PREFIX},
};

pub(super) fn check(bundle: &Bundle, findings: &mut Findings<'_>) {
    let mut pods = Pods::new(bundle);
    if pods.all.is_empty() {
        return;
    }
    for policy in &bundle.policies {
        for rule in &policy.rules {
            let path = format!("{}.{}", rule.path, subject_field(&policy.kind));
            if let Some(missing) = pods.missing(rule.subject)
                && !findings.is_known(policy, &path)
            {
                findings
                    .warn(
                        policy,
                        path,
                        Code::MATCHES_NOTHING,
                        "selects no pod of the input".to_owned(),
                    )
                    .help(missing);
            }
        }
    }
    for site in Site::all(bundle) {
        check_peers(&site, &mut pods, findings);
        check_ports(&site, &pods, findings);
    }
}

fn subject_field(kind: &str) -> &'static str {
    match kind {
        "NetworkPolicy" => "podSelector",
        _ => "endpointSelector",
    }
}

fn check_peers(site: &Site<'_>, pods: &mut Pods<'_>, findings: &mut Findings<'_>) {
    let Peers::OneOf(patterns) = &site.element.peers else {
        return;
    };
    for (item, pattern) in patterns.iter().enumerate() {
        if let PeerPattern::Selector(selector) = pattern
            && let Some(missing) = pods.missing(*selector)
        {
            let path = findings.peer_path(site, item, patterns.len());
            if !findings.is_known(site.policy, &path) {
                findings
                    .warn(
                        site.policy,
                        path,
                        Code::MATCHES_NOTHING,
                        "matches no pod of the input".to_owned(),
                    )
                    .help(missing);
            }
        }
    }
}

fn check_ports(site: &Site<'_>, pods: &Pods<'_>, findings: &mut Findings<'_>) {
    for (item, rule) in site.element.ports.iter().flatten().enumerate() {
        for (name, protocol) in named(rule) {
            let (known, whose) = match site.section.direction {
                Direction::Ingress => (pods.selected_name(site.rule.subject, name, protocol), "selected pod"),
                Direction::Egress => (pods.names.contains(&(name, protocol)), "pod of the input"),
            };
            if !known {
                let message = format!("no {whose} has a {protocol} port named `{name}`");
                findings.warn(site.policy, site.ports_path(item), Code::MATCHES_NOTHING, message);
            }
        }
    }
}

fn named(rule: &PortRule) -> impl Iterator<Item = (&str, Protocol)> {
    rule.ports.iter().filter_map(|port| match port {
        PortPattern::Port {
            protocol,
            numbers: PortNumbers::Named { name, .. },
        } => Some((&**name, *protocol)),
        _ => None,
    })
}

/// The pods of the input.
struct Pods<'b> {
    selectors: &'b [Selector],
    all: Vec<&'b Identity>,
    by_namespace: HashMap<&'b str, Vec<&'b Identity>>,
    names: HashSet<(&'b str, Protocol)>,
    /// What [`Pods::missing`] said before.
    judged: HashMap<u32, Option<String>>,
}

impl<'b> Pods<'b> {
    fn new(bundle: &'b Bundle) -> Self {
        let used: HashSet<u32> = bundle.endpoints.iter().map(|endpoint| endpoint.identity).collect();
        let identities = bundle
            .identities
            .iter()
            .zip(0..)
            .filter(|(_, position)| used.contains(position));
        let all: Vec<&Identity> = identities.map(|(identity, _)| identity).collect();
        let mut by_namespace: HashMap<&str, Vec<&Identity>> = HashMap::new();
        for identity in &all {
            if let Some(label) = identity.labels.with_key(NAMESPACE_KEY).next() {
                by_namespace.entry(label.value()).or_default().push(identity);
            }
        }
        let ports = all.iter().flat_map(|identity| &identity.ports);
        Self {
            selectors: &bundle.selectors,
            names: ports.map(|port| (&*port.name, port.protocol)).collect(),
            all,
            by_namespace,
            judged: HashMap::new(),
        }
    }

    /// What no pod has that the selector asks for; `None` if some pod matches, or nobody can tell.
    fn missing(&mut self, selector: u32) -> Option<String> {
        if let Some(known) = self.judged.get(&selector) {
            return known.clone();
        }
        let missing = self.selector(selector).and_then(|selector| self.judge(selector));
        self.judged.insert(selector, missing.clone());
        missing
    }

    fn judge(&self, selector: &Selector) -> Option<String> {
        let requirements = selector.requirements();
        let is_foreign = |source: Option<&str>| source.is_some_and(|source| source != "k8s");
        if requirements
            .iter()
            .any(|requirement| is_foreign(requirement.key().source()))
        {
            return None;
        }
        let (places, labels): (Vec<&Requirement>, Vec<&Requirement>) =
            requirements.iter().partition(|requirement| is_place(requirement));
        let near: Vec<&Identity> = self
            .candidates(selector)
            .iter()
            .copied()
            .filter(|identity| places.iter().all(|place| place.matches(&identity.labels)))
            .collect();
        let fits = |identity: &&Identity| labels.iter().all(|requirement| requirement.matches(&identity.labels));
        if near.is_empty() || near.iter().any(fits) {
            return None;
        }
        let unmet = labels
            .iter()
            .find(|requirement| !near.iter().any(|identity| requirement.matches(&identity.labels)));
        Some(match unmet {
            Some(requirement) => format!("no pod there meets `{requirement}`{}", similar(requirement, &near)),
            None => "each condition is met by some pod there, but no pod meets all of them".to_owned(),
        })
    }

    /// The pods that the selector can match at all.
    fn candidates(&self, selector: &Selector) -> &[&'b Identity] {
        let namespace = selector
            .requirements()
            .iter()
            .find_map(|requirement| match requirement {
                Requirement::Equals { key, value } if key.key() == NAMESPACE_KEY => Some(&**value),
                _ => None,
            });
        match namespace {
            Some(namespace) => self.by_namespace.get(namespace).map_or(&[], Vec::as_slice),
            None => &self.all,
        }
    }

    /// Whether a pod that the selector matches names this port. True as well if it matches none.
    fn selected_name(&self, selector: u32, name: &str, protocol: Protocol) -> bool {
        let Some(selector) = self.selector(selector) else {
            return true;
        };
        let mut selected = self
            .candidates(selector)
            .iter()
            .filter(|identity| selector.matches(&identity.labels))
            .peekable();
        selected.peek().is_none()
            || selected.any(|identity| {
                let mut ports = identity.ports.iter();
                ports.any(|port| &*port.name == name && port.protocol == protocol)
            })
    }

    fn selector(&self, position: u32) -> Option<&'b Selector> {
        self.selectors.get(usize::try_from(position).ok()?)
    }
}

/// Whether a condition is about where a pod is, not what it is.
fn is_place(requirement: &Requirement) -> bool {
    let key = requirement.key().key();
    key == NAMESPACE_KEY || key == CLUSTER_KEY || key.starts_with(NAMESPACE_LABELS_PREFIX)
}

/// A value that some pod has and that the missing one may be a misspelling of.
fn similar(requirement: &Requirement, pods: &[&Identity]) -> String {
    let Requirement::Equals { key, value } = requirement else {
        return String::new();
    };
    let values = pods.iter().flat_map(|identity| identity.labels.with_key(key.key()));
    let close = values
        .map(|label| (strsim::damerau_levenshtein(label.value(), value), label.value()))
        .min();
    match close {
        Some((distance, close)) if distance <= 1 + value.len() / 4 => format!(", did you mean `{close}`?"),
        _ => String::new(),
    }
}

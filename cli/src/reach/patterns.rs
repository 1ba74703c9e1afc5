//! What the policies of a bundle mention, each with its place.

use policy_core::{
    Bundle,
    bundle::{Element, PeerPattern, Peers, Policy, PortNumbers, PortPattern, PortRule, Rule},
};

/// Every element with its place, as verdicts write it: `CiliumNetworkPolicy/shop/web spec.ingress[0]`.
pub(super) fn elements(bundle: &Bundle) -> impl Iterator<Item = (String, &Element)> {
    bundle.policies.iter().flat_map(|policy| {
        let object = object_name(policy);
        policy.rules.iter().flat_map(move |rule| of_rule(&object, rule))
    })
}

/// Every `toPorts` and `icmps` item with its place.
pub(super) fn port_rules(bundle: &Bundle) -> impl Iterator<Item = (String, &PortRule)> {
    elements(bundle).flat_map(|(at, element)| {
        let rules = element.ports.iter().flatten().enumerate();
        rules.map(move |(i, rule)| (format!("{at}.toPorts[{i}]"), rule))
    })
}

/// Every way in which a peer is named.
pub(super) fn peers(bundle: &Bundle) -> impl Iterator<Item = &PeerPattern> {
    elements(bundle).flat_map(|(_, element)| match &element.peers {
        Peers::OneOf(patterns) => patterns.as_slice(),
        Peers::Any | Peers::None => &[],
    })
}

/// Whether some rule asks for, or waives, a proof of who the peer is.
pub(super) fn mention_authentication(bundle: &Bundle) -> bool {
    elements(bundle).any(|(_, element)| element.authentication.is_some())
}

fn object_name(policy: &Policy) -> String {
    match &policy.namespace {
        Some(namespace) => format!("{}/{namespace}/{}", policy.kind, policy.name),
        None => format!("{}/{}", policy.kind, policy.name),
    }
}

fn of_rule<'a>(object: &str, rule: &'a Rule) -> Vec<(String, &'a Element)> {
    let sections = [
        ("ingress", &rule.ingress),
        ("ingressDeny", &rule.ingress_deny),
        ("egress", &rule.egress),
        ("egressDeny", &rule.egress_deny),
    ];
    let place = |section: &str, i: usize| format!("{object} {}.{section}[{i}]", rule.path);
    sections
        .into_iter()
        .flat_map(|(section, elements)| {
            let placed = elements.iter().enumerate();
            placed.map(move |(i, element)| (place(section, i), element))
        })
        .collect()
}

/// The names of ports that rules use.
pub(super) fn port_names(bundle: &Bundle) -> impl Iterator<Item = &str> {
    elements(bundle)
        .flat_map(|(_, element)| element.ports.iter().flatten())
        .flat_map(|rule| &rule.ports)
        .filter_map(|pattern| match pattern {
            PortPattern::Port {
                numbers: PortNumbers::Named { name, .. },
                ..
            } => Some(&**name),
            PortPattern::Port { .. } | PortPattern::Icmp { .. } => None,
        })
}

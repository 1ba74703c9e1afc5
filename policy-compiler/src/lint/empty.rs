//! Elements that say nothing.

use policy_core::{Bundle, Direction, bundle::Peers};

use super::{
    findings::Findings,
    site::{Site, is_network_policy},
};
use crate::{diagnostic::Code, document::Value};

/// An empty element of a Cilium policy allows nothing; the same text in a `NetworkPolicy` allows everything.
pub(super) fn check(bundle: &Bundle, findings: &mut Findings<'_>) {
    for site in Site::all(bundle) {
        let says_nothing = site.element.peers == Peers::None && site.element.ports.is_none();
        if says_nothing && !site.section.is_deny && !is_network_policy(site.policy) {
            check_empty(&site, findings);
        }
    }
}

fn check_empty(site: &Site<'_>, findings: &mut Findings<'_>) {
    let name = site.section.name();
    let is_empty = |value: &Value| matches!(value, Value::Map(entries) if entries.is_empty());
    if !findings
        .value(site.policy, &site.path())
        .is_some_and(|node| is_empty(&node.value))
    {
        return;
    }
    if site.section.of(site.rule).len() > 1 {
        findings
            .warn(
                site.policy,
                site.path(),
                Code::NO_EFFECT,
                format!("an empty element allows nothing, so it has no effect beside the other {name} elements"),
            )
            .help("remove it; `fromEntities: [all]` or `toEntities: [all]` would allow every peer");
        return;
    }
    // Whoever writes what it does knows what it does.
    let explicit = format!("{}.enableDefaultDeny.{name}", site.rule.path);
    if findings.value(site.policy, &explicit).is_some() {
        return;
    }
    let peers = match site.section.direction {
        Direction::Ingress => "fromEntities",
        Direction::Egress => "toEntities",
    };
    findings
        .warn(
            site.policy,
            site.path(),
            Code::ISOLATES,
            format!(
                "an empty element denies all {name} that no other rule allows; in a `NetworkPolicy` it would allow all"
            ),
        )
        .help(format!(
            "write `enableDefaultDeny: {{{name}: true}}` beside it if you mean that, or `{peers}: [all]` to allow all"
        ));
}

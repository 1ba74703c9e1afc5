//! Who is isolated, and what deny, default deny and the enforcement modes make of it.

use crate::world::*;
use policy_core::{
    Decision, Engine, Reason, Scope, Selector,
    bundle::{
        AllowLocalhost, DefaultDeny, Element, Enforcement, PeerPattern, Peers, PortPattern, ReservedEntity, Rule,
    },
};

#[test]
fn without_rules_everything_is_allowed() {
    let engine = engine([]);
    assert_eq!(accepted(&engine), ALL);
    assert_eq!(to_web(&engine, DB, 80).verdict().reason, Reason::NotIsolated);
}

#[test]
fn an_isolated_endpoint_accepts_what_a_rule_names_and_its_host() {
    let entity = |entity| from([PeerPattern::Entity(entity)]);
    for (element, want, why) in [
        (from([db()]), vec![DB, HOST], "a selector"),
        (anyone(), ALL.to_vec(), "every peer"),
        (from([]), vec![HOST], "an empty list names nobody"),
        (
            Element {
                peers: Peers::None,
                ports: None,
                authentication: None,
            },
            vec![HOST],
            "an element without peers and ports allows nothing",
        ),
        (
            entity(ReservedEntity::World),
            vec![HOST, WORLD, LEARNED],
            "world is everything outside",
        ),
        (
            entity(ReservedEntity::WorldIpv4),
            vec![HOST, WORLD, LEARNED],
            "the IPv4 part of the world",
        ),
        (
            entity(ReservedEntity::WorldIpv6),
            vec![HOST],
            "no peer is outside by IPv6",
        ),
        (
            entity(ReservedEntity::Cluster),
            vec![WEB, DB, MON, HOST, NODE],
            "cluster is everything inside",
        ),
        (entity(ReservedEntity::RemoteNode), vec![HOST, NODE], "a remote node"),
        (entity(ReservedEntity::None), vec![HOST], "nothing, ever"),
        (
            from([cidr("0.0.0.0/0", &[])]),
            vec![HOST, WORLD, LEARNED],
            "a prefix never matches inside the cluster",
        ),
        (from([cidr("198.51.0.0/16", &[])]), vec![HOST, WORLD], "a prefix"),
        (
            from([cidr("0.0.0.0/0", &["198.51.100.7/32"])]),
            vec![HOST, LEARNED],
            "a prefix with an exception",
        ),
        (
            from([cidr("0.0.0.0/0", &["198.51.100.0/24"]), cidr("198.51.100.7/32", &[])]),
            vec![HOST, WORLD, LEARNED],
            "an exception is for its own item",
        ),
        (
            from([PeerPattern::MatchName("Example.com".into())]),
            vec![HOST, LEARNED],
            "a learned name",
        ),
        (
            from([PeerPattern::MatchPattern("*.example.com".into())]),
            vec![HOST],
            "a pattern that the name does not match",
        ),
    ] {
        assert_eq!(accepted(&engine([ingress([element])])), want, "{why}");
    }
}

#[test]
fn deny_beats_every_allow_and_isolates_alone() {
    let deny_db = |ports: Option<PortPattern>| {
        let element = from([db()]);
        let element = ports.map_or(element.clone(), |ports| element.on([ports]));
        Rule {
            ingress_deny: vec![element],
            ..web_rule()
        }
    };
    let only_deny = engine([deny_db(None)]);
    assert_eq!(accepted(&only_deny), [HOST], "a deny isolates like any other element");

    let both = engine([ingress([anyone(), from([db()])]), deny_db(Some(tcp(80, 85)))]);
    let verdict = to_web(&both, DB, 80).verdict();
    assert_eq!(
        (verdict.decision, verdict.reason),
        (Decision::Deny, Reason::DeniedByRule)
    );
    assert_eq!(
        verdict.rule.expect("rule").as_str(),
        "CiliumNetworkPolicy/shop/p spec.ingressDeny[0].toPorts[0]"
    );
    for (peer, port, want) in [(DB, 79, true), (DB, 85, false), (DB, 86, true), (MON, 80, true)] {
        assert_eq!(allows(&to_web(&both, peer, port)), want, "{peer} {port}");
    }

    let host = Rule {
        ingress_deny: vec![from([PeerPattern::Entity(ReservedEntity::Host)])],
        ..web_rule()
    };
    assert!(
        !accepted(&engine([host])).contains(&HOST),
        "an explicit deny of the host wins over its allowance"
    );
}

#[test]
fn default_deny_may_be_switched_off() {
    let off = Rule {
        default_deny: DefaultDeny::default(),
        ingress_deny: vec![from([PeerPattern::Entity(ReservedEntity::World)])],
        ..ingress([from([db()])])
    };
    let lenient = engine([off.clone()]);
    assert_eq!(
        accepted(&lenient),
        [WEB, DB, MON, HOST, NODE],
        "denies act, everything else passes"
    );
    assert_eq!(to_web(&lenient, MON, 80).verdict().reason, Reason::NotDefaultDeny);
    assert_eq!(
        accepted(&engine([off, ingress([from([])])])),
        [DB, HOST],
        "one strict rule isolates"
    );

    let other_direction = Rule {
        default_deny: DefaultDeny {
            ingress: true,
            egress: true,
        },
        ..egress([from([])])
    };
    assert_eq!(
        accepted(&engine([other_direction])),
        ALL,
        "without elements a direction is not isolated"
    );
}

#[test]
fn enforcement_modes_and_the_host_allowance() {
    let with = |enforcement, allow_localhost, rules: Vec<Rule>| {
        let mut bundle = world(rules);
        bundle.options.enforcement = enforcement;
        bundle.options.allow_localhost = allow_localhost;
        accepted(&Engine::new(bundle).expect("bundle"))
    };
    let nobody = || vec![ingress([from([])])];
    assert_eq!(with(Enforcement::Never, AllowLocalhost::Always, nobody()), ALL);
    assert_eq!(
        with(Enforcement::Always, AllowLocalhost::Always, vec![]),
        [""; 0],
        "without an element not even the host"
    );
    assert_eq!(with(Enforcement::Always, AllowLocalhost::Always, nobody()), [HOST]);
    assert_eq!(with(Enforcement::Default, AllowLocalhost::Policy, nobody()), [""; 0]);
}

#[test]
fn no_rule_selects_a_node() {
    let select_all = Rule {
        subject: 3,
        ..egress([from([])])
    };
    for enforcement in [Enforcement::Default, Enforcement::Always] {
        let mut bundle = world([select_all.clone()]);
        bundle.selectors.push(Selector::default());
        if let Some(rule) = bundle.policies.iter_mut().flat_map(|policy| &mut policy.rules).next() {
            rule.subject = u32::try_from(bundle.selectors.len() - 1).expect("few selectors");
        }
        bundle.options.enforcement = enforcement;
        let engine = Engine::new(bundle).expect("bundle");
        for (source, want) in [(NODE, true), (HOST, true), (WEB, false)] {
            let asked = engine.admit(&facts(source, WORLD, 80), Scope::Egress);
            assert_eq!(allows(&asked), want, "{source} in {enforcement:?}");
        }
    }
}

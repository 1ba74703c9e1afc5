//! Merging: what rules for identical peers and ports come to, and when they contradict each other (semantics §7.1).

use crate::world::*;
use policy_core::{
    Decision, Direction, Engine, Flow, Peer, Protocol, Reason,
    bundle::{DnsRule, Element, HttpRule, L7Rules, Listener, PeerPattern, PortRule, ReservedEntity, Rule},
};

fn http() -> PortRule {
    rules(L7Rules::Http(vec![HttpRule::default()]))
}

fn dns() -> PortRule {
    rules(L7Rules::Dns(vec![DnsRule::MatchPattern("*".into())]))
}

fn listener(name: &str, priority: Option<u8>) -> PortRule {
    PortRule {
        listener: Some(Listener {
            name: name.into(),
            priority,
        }),
        ..PortRule::default()
    }
}

fn terminating(secret: &str, settings: PortRule) -> PortRule {
    PortRule {
        terminating_tls: Some(secret.into()),
        ..settings
    }
}

fn on_443(settings: PortRule) -> Element {
    with(anyone(), tcp(443, 443), settings)
}

fn egress_to_db(engine: &Engine, port: u16) -> policy_core::Connection {
    let identity = |address: &str| engine.identity_of(address.parse().expect("address"));
    engine.connection(&Flow {
        direction: Direction::Egress,
        subject: identity(WEB),
        peer: Peer::Identity(identity(DB)),
        protocol: Protocol::Tcp,
        port,
        authenticated: true,
    })
}

#[test]
fn settings_agree_or_contradict_each_other_in_any_order() {
    let plain = PortRule::default;
    let names = || server_names(&["a.com"]);
    for (one, other, conflicts, why) in [
        (plain(), http(), false, "plain gives way to HTTP"),
        (plain(), dns(), false, "plain gives way to DNS"),
        (names(), dns(), true, "TLS and DNS"),
        (names(), http(), true, "names and requests without TLS ending here"),
        (
            terminating("s", names()),
            http(),
            false,
            "names and requests where TLS ends here",
        ),
        (http(), dns(), true, "two parsers"),
        (http(), listener("l", None), true, "a parser and a listener"),
        (names(), listener("l", None), true, "TLS and a listener"),
        (plain(), listener("l", None), false, "plain gives way to a listener"),
        (
            listener("l", Some(5)),
            listener("m", Some(7)),
            false,
            "the smaller number wins",
        ),
        (listener("l", Some(5)), listener("m", Some(5)), true, "the same number"),
        (listener("l", None), listener("m", Some(0)), true, "0 is no number"),
        (
            terminating("s", plain()),
            terminating("t", plain()),
            true,
            "two secrets",
        ),
        (
            terminating("s", plain()),
            terminating("s", http()),
            false,
            "the same secret",
        ),
    ] {
        for (first, second) in [(&one, &other), (&other, &one)] {
            let engine = engine([egress([on_443(first.clone()), on_443(second.clone())])]);
            let verdict = egress_to_db(&engine, 443).verdict();
            assert_eq!(verdict.decision == Decision::Conflict, conflicts, "{why}");
        }
    }
}

#[test]
fn a_conflict_denies_both_directions_names_both_rules_and_leaves_others_alone() {
    let engine = engine([
        egress([on_443(http()), on_443(dns())]),
        Rule {
            subject: SEL_DB,
            ..ingress([anyone()])
        },
    ]);
    let verdict = to_web(&engine, DB, 80).verdict();
    assert_eq!(
        (verdict.decision, verdict.reason),
        (Decision::Conflict, Reason::Conflict)
    );
    assert!(!verdict.allows());
    let places = [verdict.rule, verdict.conflicts_with].map(|rule| rule.expect("a rule").path().to_owned());
    assert_eq!(places, ["spec.egress[0].toPorts[0]", "spec.egress[1].toPorts[0]"]);
    assert_eq!(egress_to_db(&engine, 9).verdict().decision, Decision::Conflict);
    let db = engine.endpoint("shop/db").expect("endpoint");
    let flow = Flow {
        direction: Direction::Ingress,
        subject: db,
        peer: Peer::Identity(engine.endpoint("ops/mon").expect("endpoint")),
        protocol: Protocol::Tcp,
        port: 80,
        authenticated: false,
    };
    assert!(engine.connection(&flow).verdict().allows(), "another endpoint");
}

#[test]
fn only_identical_peers_and_ports_contradict_each_other() {
    let cluster = || from([PeerPattern::Entity(ReservedEntity::Cluster)]);
    let host = || from([PeerPattern::Entity(ReservedEntity::Host)]);
    let db = || from([db()]);
    for (one, other, conflicts, why) in [
        (
            with(db(), tcp(443, 443), http()),
            with(anyone(), tcp(443, 443), dns()),
            false,
            "other peers",
        ),
        (
            with(db(), tcp(443, 443), http()),
            with(db(), tcp(444, 444), dns()),
            false,
            "other ports",
        ),
        (
            with(db(), tcp(443, 444), http()),
            with(db(), tcp(443, 443), dns()),
            false,
            "another range",
        ),
        (
            with(cluster(), tcp(443, 443), http()),
            with(host(), tcp(443, 443), dns()),
            true,
            "the host is in the cluster",
        ),
    ] {
        let engine = engine([egress([one, other])]);
        assert_eq!(
            egress_to_db(&engine, 9).verdict().decision == Decision::Conflict,
            conflicts,
            "{why}"
        );
    }
}

#[test]
fn a_deny_of_the_very_same_leaves_nothing_to_contradict() {
    let rule = Rule {
        egress_deny: vec![on_443(PortRule::default())],
        ..egress([on_443(http()), on_443(dns())])
    };
    let engine = engine([rule]);
    assert_eq!(egress_to_db(&engine, 443).verdict().reason, Reason::DeniedByRule);
    assert_eq!(egress_to_db(&engine, 80).verdict().reason, Reason::DefaultDeny);
}

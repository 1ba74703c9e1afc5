//! Whose policies are asked, and what follows from not knowing.

use crate::world::*;
use policy_core::{
    AddressFacts, Destination, Direction, Engine, Protocol, Reason, Scope,
    bundle::{Backend, Rule, Service},
};

#[test]
fn unknown_peers_are_denied_unless_anyone_may() {
    let unknown = AddressFacts {
        source: None,
        ..facts(DB, WEB, 80)
    };
    for (rule, want, why) in [
        (ingress([from([db()])]), false, "an allow for some does not match"),
        (ingress([anyone()]), true, "an allow for everyone does"),
        (
            Rule {
                ingress_deny: vec![from([db()])],
                ..ingress([anyone()])
            },
            false,
            "a deny for some does",
        ),
    ] {
        assert_eq!(allows(&engine([rule]).admit(&unknown, Scope::Ingress)), want, "{why}");
    }
}

#[test]
fn the_asked_side_must_be_in_the_cluster() {
    let engine = engine([ingress([from([db()])]), egress([from([db()])])]);
    let ask = |source, destination, scope| engine.admit(&facts(source, destination, 80), scope).verdict();
    for (source, destination, scope, want, why) in [
        (
            WORLD,
            WORLD,
            Scope::Both,
            Reason::UnknownSubject,
            "nobody's policy is concerned",
        ),
        (
            WORLD,
            DB,
            Scope::Egress,
            Reason::UnknownSubject,
            "no egress policy outside",
        ),
        (
            DB,
            WORLD,
            Scope::Ingress,
            Reason::UnknownSubject,
            "no ingress policy outside",
        ),
        (
            WORLD,
            WEB,
            Scope::Both,
            Reason::DefaultDeny,
            "only the destination is asked",
        ),
        (WEB, WORLD, Scope::Both, Reason::DefaultDeny, "only the source is asked"),
        (DB, MON, Scope::Both, Reason::NotIsolated, "both are asked"),
        (WEB, MON, Scope::Both, Reason::DefaultDeny, "the source refuses"),
        (
            WEB,
            DB,
            Scope::Both,
            Reason::AllowedByRule,
            "the source allows, the destination does not care",
        ),
    ] {
        assert_eq!(ask(source, destination, scope).reason, want, "{why}");
    }
    assert_eq!(ask(MON, WEB, Scope::Both).direction, Some(Direction::Ingress));
}

#[test]
fn between_two_sides_both_must_be_known() {
    let engine = engine([egress([anyone()])]);
    let facts = facts(WEB, MON, 80);
    let ask = |facts: AddressFacts<'_>| engine.admit(&facts, Scope::Both).verdict().reason;
    assert_eq!(ask(facts), Reason::AllowedByRule);
    assert_eq!(ask(AddressFacts { source: None, ..facts }), Reason::UnknownSubject);
    let named = AddressFacts {
        destination: Destination::Name(b"mon.example"),
        ..facts
    };
    assert_eq!(ask(named), Reason::UnknownSubject, "the name may lead into the cluster");
}

#[test]
fn a_service_stands_for_every_endpoint_behind_it() {
    let service = |backends: &[(u32, u16)]| Service {
        name: "shop/svc".into(),
        address: "10.96.0.1".parse().expect("address"),
        protocol: Protocol::Tcp,
        port: 80,
        backends: backends
            .iter()
            .map(|(identity, port)| Backend {
                identity: *identity,
                port: *port,
            })
            .collect(),
    };
    let ask = |backends: &[(u32, u16)], port| {
        let mut bundle = world([egress([from([db()]).on([tcp(5432, 5432)])])]);
        bundle.services = vec![service(backends)];
        let engine = Engine::new(bundle).expect("bundle");
        from_web(&engine, "10.96.0.1", port).verdict().reason
    };
    assert_eq!(
        ask(&[(1, 5432)], 80),
        Reason::AllowedByRule,
        "the port after translation counts"
    );
    assert_eq!(ask(&[(1, 80)], 80), Reason::DefaultDeny, "not the one before");
    assert_eq!(
        ask(&[(1, 5432), (2, 5432)], 80),
        Reason::DefaultDeny,
        "every endpoint must be allowed"
    );
    assert_eq!(ask(&[], 80), Reason::NoBackend);
    assert_eq!(
        ask(&[(1, 5432)], 81),
        Reason::NoBackend,
        "another port of the address is nobody"
    );
}

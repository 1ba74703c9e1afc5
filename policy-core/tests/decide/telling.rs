//! What the engine tells beside verdicts: the explanation of a refusal by any of the sides, and who has an address.

use crate::world::*;
use policy_core::{
    AddressFacts, Carried, Engine, Scope,
    bundle::{Endpoint, PeerPattern, PortNumbers, PortPattern, ReservedEntity, Rule},
};

/// `web` may talk to `db`, which hears only its host.
fn two_sides() -> Engine {
    let of_db = Rule {
        subject: SEL_DB,
        ..ingress([from([PeerPattern::Entity(ReservedEntity::Host)])])
    };
    engine([egress([from([db()])]), of_db])
}

#[test]
fn the_side_that_refuses_is_explained() {
    let engine = two_sides();
    let explain = |facts: &AddressFacts<'_>, scope| engine.explain_refusal(facts, scope, None, None);
    for (source, destination, scope, want, why) in [
        (WEB, DB, Scope::Egress, None, "that side allows it"),
        (
            WEB,
            DB,
            Scope::Both,
            Some("the peer is in the cluster, the rule is for the entity host"),
            "the other one does not",
        ),
        (
            WEB,
            MON,
            Scope::Both,
            Some("label app is mon, wanted db"),
            "the source asks first",
        ),
        (WORLD, WORLD, Scope::Both, None, "nobody is asked"),
        (WORLD, WORLD, Scope::Ingress, None, "nobody is asked"),
    ] {
        let facts = facts(source, destination, 80);
        let explanation = explain(&facts, scope);
        let missed = explanation
            .as_ref()
            .and_then(|explanation| explanation.nearest.as_ref());
        assert_eq!(
            missed.map(|nearest| nearest.missed.to_string()).as_deref(),
            want,
            "{source} to {destination}: {why}"
        );
        if let Some(explanation) = explanation {
            assert_eq!(explanation.verdict, engine.admit(&facts, scope).verdict(), "{why}");
        }
    }
}

#[test]
fn a_request_is_explained_with_what_it_carries() {
    let range = PortPattern::Port {
        protocol: policy_core::Protocol::Tcp,
        numbers: PortNumbers::Range(80, 80),
    };
    let engine = engine([ingress([anyone().http(range, &[("GET", "/a")])])]);
    let explain = |path: &str| {
        let request = request("GET", path);
        let carried = Some(Carried::Http(&request));
        engine.explain_refusal(&facts(DB, WEB, 80), Scope::Ingress, Some(None), carried)
    };
    let nearest = explain("/b").and_then(|explanation| explanation.nearest);
    let missed = nearest.map(|nearest| nearest.missed.to_string());
    assert_eq!(missed.as_deref(), Some("path /b is not /a"));
    assert_eq!(explain("/a"), None, "allowed");
}

#[test]
fn an_address_is_that_of_an_endpoint_or_nobodys() {
    let engine = engine([]);
    for (address, want, why) in [
        (WEB, Some("shop/web"), "an endpoint"),
        ("::ffff:10.0.0.1", Some("shop/web"), "the same address, mapped"),
        (HOST, None, "a node has no name"),
        (WORLD, None, "outside"),
    ] {
        assert_eq!(
            engine.endpoint_at(address.parse().expect(why)),
            want,
            "{address}: {why}"
        );
    }
    assert_eq!(engine.size(), (0, 3));
}

#[test]
fn the_first_name_counts_whatever_the_order_of_endpoints() {
    let endpoint = |name: &str| Endpoint {
        name: name.into(),
        identity: 3,
        addresses: vec![HOST.parse().expect("address")],
    };
    for names in [
        ["ops/b", "ops/a", "ops/c"],
        ["ops/c", "ops/b", "ops/a"],
        ["ops/a", "ops/b", "ops/c"],
    ] {
        let mut bundle = world([]);
        bundle.endpoints.extend(names.map(endpoint));
        let engine = Engine::new(bundle).expect("they share an identity");
        assert_eq!(
            engine.endpoint_at(HOST.parse().expect("address")),
            Some("ops/a"),
            "{names:?}"
        );
    }
}

#[test]
fn an_endpoint_keeps_its_name_when_rules_split_identities_by_address() {
    let everywhere = PeerPattern::Address {
        prefix: "10.0.0.0/30".parse().expect("prefix"),
        except: vec![],
    };
    let engine = engine([ingress([from([everywhere])])]);
    for (address, want) in [(WEB, "shop/web"), (MON, "ops/mon")] {
        assert_eq!(engine.endpoint_at(address.parse().expect("address")), Some(want));
    }
}

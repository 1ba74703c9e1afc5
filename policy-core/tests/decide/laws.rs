//! Laws that hold for every policy: they are asked of random rules and every peer.

use proptest::prelude::*;

use crate::world::*;
use policy_core::{
    Engine, Verdict,
    bundle::{DefaultDeny, Element, PeerPattern, ReservedEntity, Rule},
};

const PORTS: [u16; 3] = [79, 80, 81];
const REQUESTS: [(&str, &str); 3] = [("GET", "/a"), ("POST", "/a"), ("GET", "/b")];

fn peers() -> impl Strategy<Value = Element> {
    prop_oneof![
        Just(anyone()),
        Just(from([])),
        Just(from([db()])),
        Just(from([PeerPattern::Entity(ReservedEntity::World)])),
        Just(from([
            PeerPattern::Entity(ReservedEntity::Host),
            PeerPattern::Entity(ReservedEntity::RemoteNode)
        ])),
        Just(from([cidr("198.51.0.0/16", &["198.51.100.0/30"])])),
        Just(from([PeerPattern::MatchPattern("*.com".into())])),
    ]
}

fn allow() -> impl Strategy<Value = Element> {
    let request = prop::sample::select(&REQUESTS);
    prop_oneof![
        peers(),
        (peers(), 79..=80_u16, 80..=81_u16).prop_map(|(element, first, last)| element.on([tcp(first, last)])),
        (peers(), 79..=80_u16, request).prop_map(|(element, first, request)| element.http(tcp(first, 80), &[request])),
    ]
}

fn deny() -> impl Strategy<Value = Element> {
    prop_oneof![
        peers(),
        (peers(), 79..=81_u16).prop_map(|(element, port)| element.on([tcp(port, port)]))
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let lists = (
        prop::collection::vec(allow(), 0..3),
        prop::collection::vec(deny(), 0..2),
    );
    (lists, any::<bool>()).prop_map(|((allows, denies), strict)| Rule {
        default_deny: DefaultDeny {
            ingress: strict,
            egress: false,
        },
        ingress_deny: denies,
        ..ingress(allows)
    })
}

/// Every answer there is: each peer, port and request.
fn answers(engine: &Engine) -> Vec<Verdict> {
    let ask = |peer, port, (method, path)| to_web(engine, peer, port).request(None, &request(method, path));
    let peers = ALL.into_iter().flat_map(|peer| PORTS.map(|port| (peer, port)));
    peers
        .flat_map(|(peer, port)| REQUESTS.map(|asked| ask(peer, port, asked)))
        .collect()
}

proptest! {
    #[test]
    fn the_order_of_rules_and_elements_does_not_matter(rules in prop::collection::vec(rule(), 1..4)) {
        let mut turned = rules.clone();
        turned.reverse();
        turned.iter_mut().for_each(|rule| rule.ingress.reverse());
        let [forward, backward] = [rules, turned].map(|rules| answers(&engine(rules)));
        for (a, b) in forward.iter().zip(&backward) {
            prop_assert_eq!((a.decision, a.layer, a.proxied, a.reason), (b.decision, b.layer, b.proxied, b.reason));
        }
    }

    #[test]
    fn one_more_allow_in_a_rule_never_denies(rules in prop::collection::vec(rule(), 1..4), more in allow()) {
        // The rule has an element already, so that the new one does not isolate anybody.
        prop_assume!(!rules[0].ingress.is_empty());
        let before = answers(&engine(rules.clone()));
        let mut rules = rules;
        rules[0].ingress.push(more);
        let after = answers(&engine(rules));
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(!before.allows() || after.allows(), "{before:?} became {after:?}");
        }
    }

    #[test]
    fn one_more_deny_in_a_rule_never_allows(rules in prop::collection::vec(rule(), 1..4), more in deny()) {
        prop_assume!(!rules[0].ingress.is_empty());
        let before = answers(&engine(rules.clone()));
        let mut rules = rules;
        rules[0].ingress_deny.push(more);
        let after = answers(&engine(rules));
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(before.allows() || !after.allows(), "{before:?} became {after:?}");
        }
    }

    #[test]
    fn a_bundle_decides_the_same_after_the_wire(rules in prop::collection::vec(rule(), 0..4)) {
        let bundle = world(rules);
        let read = policy_core::Bundle::from_json(&bundle.to_json()).expect("our own bytes");
        let [sent, read] = [bundle, read].map(|bundle| answers(&Engine::new(bundle).expect("bundle")));
        prop_assert_eq!(sent, read);
    }
}

#[test]
fn one_more_policy_may_deny_by_isolating() {
    assert!(allows(&to_web(&engine([]), MON, 80)));
    assert!(!allows(&to_web(&engine([ingress([from([db()])])]), MON, 80)));
}

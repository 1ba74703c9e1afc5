//! Building an engine: order, repetition, errors.

use crate::world::*;
use policy_core::{
    Engine,
    bundle::{BundleError, PeerPattern, Rule},
};

#[test]
fn the_order_of_rules_does_not_matter_and_answers_repeat() {
    let rules = [
        ingress([from([db()]).http(tcp(80, 80), &[("GET", "/a")])]),
        ingress([from([cidr("198.51.0.0/16", &[])])]),
        Rule {
            ingress_deny: vec![from([cidr("198.51.100.0/24", &[])])],
            ..web_rule()
        },
    ];
    let forward = engine(rules.clone());
    let backward = engine(rules.into_iter().rev());
    for peer in ALL.into_iter().chain(ALL) {
        let [a, b] = [&forward, &backward].map(|engine| to_web(engine, peer, 80).request(None, &request("GET", "/b")));
        assert_eq!(
            (a.decision, a.layer, a.proxied, a.reason),
            (b.decision, b.layer, b.proxied, b.reason),
            "{peer}"
        );
    }
}

#[test]
fn a_bad_bundle_gives_every_error_and_no_engine() {
    let mut bundle = world([
        ingress([
            from([PeerPattern::Selector(9)]),
            from([db()]).http(tcp(80, 80), &[("GET", "/a("), ("(", "/")]),
        ]),
        ingress([from([db()]).on([tcp(90, 80)])]),
    ]);
    bundle.version = 2;
    bundle.endpoints[1].identity = 77;
    bundle.endpoints[2].addresses = vec![WEB.parse().expect("address")];
    let errors = Engine::new(bundle).expect_err("bad");
    let count = |wanted: fn(&BundleError) -> bool| errors.iter().filter(|error| wanted(error)).count();
    assert_eq!(
        count(|error| matches!(error, BundleError::Version { found: 2 })),
        1,
        "{errors:?}"
    );
    assert_eq!(
        count(|error| matches!(error, BundleError::Dangling { .. })),
        2,
        "{errors:?}"
    );
    assert_eq!(
        count(|error| matches!(error, BundleError::Pattern { .. })),
        2,
        "{errors:?}"
    );
    assert_eq!(
        count(|error| matches!(error, BundleError::Invalid { .. })),
        1,
        "{errors:?}"
    );
    assert_eq!(
        count(|error| matches!(error, BundleError::AddressClash { .. })),
        1,
        "{errors:?}"
    );
}

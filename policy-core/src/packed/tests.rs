use alloc::{format, vec};

use super::*;
use crate::bundle::{Element, PeerPattern, Peers};
use crate::{AddressFacts, Engine, Protocol, Scope, Verdict};

const BUNDLE: &[u8] = br#"{"version":1,
  "options":{"enforcement":"default","cluster":"c1","stack":"dual","allowLocalhost":"policy"},
  "selectors":[[{"equals":{"key":"any:app","value":"web"}}],[{"equals":{"key":"any:app","value":"db"}}]],
  "policies":[{"kind":"CiliumNetworkPolicy","namespace":"shop","name":"web","rules":[
    {"path":"spec","subject":0,"defaultDeny":{"ingress":true,"egress":false},"ingress":[{"peers":"any"}]}]},
   {"kind":"CiliumClusterwideNetworkPolicy","name":"db","mode":"audit","rules":[
    {"path":"specs[0]","subject":1,"defaultDeny":{"ingress":true,"egress":false},"ingress":[{"peers":"any"}]},
    {"path":"specs[1]","subject":1,"defaultDeny":{"ingress":true,"egress":false},
     "ingressDeny":[{"peers":{"oneOf":[{"selector":0}]}}]}]}],
  "identities":[{"labels":["k8s:app=web"]},{"labels":["k8s:app=db"]}],
  "endpoints":[{"name":"shop/web","identity":0,"addresses":["10.0.0.1"]},
               {"name":"shop/db","identity":1,"addresses":["10.0.0.2"]}]}"#;

fn bundle() -> Bundle {
    Bundle::from_json(BUNDLE).expect("a bundle")
}

/// With other bytes in one section.
fn with(packed: &Packed, section: Section, bytes: Vec<u8>) -> Packed {
    let mut sections = [const { Vec::new() }; Section::COUNT];
    for (to, from) in sections.iter_mut().zip(&packed.sections) {
        *to = packed.bytes[from.clone()].to_vec();
    }
    sections[section as usize] = bytes;
    Packed::from_bytes(frame::assemble(&sections).expect("small")).expect("whole")
}

fn verdict(engine: &Engine, from: &str, to: &str) -> Verdict {
    let [from, to] = [from, to].map(|text| text.parse().ok());
    engine
        .admit(&AddressFacts::new(from, to, Protocol::Tcp, 80), Scope::Ingress)
        .verdict()
}

#[test]
fn what_was_packed_is_there() {
    let bundle = bundle();
    let packed = Packed::new(&bundle).expect("packs");
    let sent = Packed::from_bytes(packed.as_bytes().to_vec()).expect("whole");
    assert_eq!(sent, packed);
    assert_eq!(Some(sent.digest()), bundle.digest.as_deref());
    assert_eq!(sent.options(), &bundle.options);
    assert_eq!(sent.policies().as_ref(), Ok(&bundle.policies));
    let engine = Engine::open(sent);
    assert_eq!(engine.size(), (3, 2));
    assert!(engine.is_of(&packed));
    assert_eq!(
        engine.endpoint_at("10.0.0.2".parse().expect("address")),
        Some("shop/db")
    );
    assert!(verdict(&engine, "10.0.0.2", "10.0.0.1").allows());
}

#[test]
fn packing_is_deterministic() {
    let [one, other] = [(); 2].map(|()| Packed::new(&bundle()).expect("packs"));
    assert_eq!(one.as_bytes(), other.as_bytes());
}

#[test]
fn a_bundle_with_errors_is_not_packed() {
    let mut bundle = bundle();
    bundle.version = 7;
    bundle.policies[1].rules.clear();
    bundle.endpoints[0].identity = 9;
    assert_eq!(Packed::new(&bundle).expect_err("three errors").len(), 3);
}

#[test]
fn a_rule_has_a_largest_size() {
    let with_names = |count: usize| {
        let mut bundle = bundle();
        let names = (0..count).map(|number| PeerPattern::MatchName(format!("{number:0>1000}.").into()));
        bundle.policies[0].rules[0].egress = vec![Element {
            peers: Peers::OneOf(names.collect()),
            ports: None,
            authentication: None,
        }];
        bundle
    };
    assert!(Packed::new(&with_names(2000)).is_ok());
    let errors = Packed::new(&with_names(2200)).expect_err("2.2 MB");
    let [BundleError::Invalid { at, .. }] = &*errors else {
        panic!("{errors:?}")
    };
    assert_eq!(at, "CiliumNetworkPolicy/shop/web spec");
}

#[test]
fn what_cannot_be_read_denies() {
    let packed = Packed::new(&bundle()).expect("packs");
    let allowed = |packed: Packed| verdict(&Engine::open(packed), "10.0.0.2", "10.0.0.1");
    assert!(allowed(packed.clone()).allows());
    for (section, why) in [
        (Section::Rules, "the rules"),
        (Section::Policies, "whose rules they are"),
        (Section::Selectors, "whom they select"),
    ] {
        let count = packed.records(section).len();
        let unreadable = frame::records(core::iter::repeat_n([0xff], count)).expect("small");
        let verdict = allowed(with(&packed, section, unreadable));
        assert!(!verdict.allows(), "{why}: {verdict:?}");
        assert_eq!(
            verdict.rule.as_ref().map(crate::RuleRef::as_str),
            Some("unreadable"),
            "{why}"
        );
    }
    let nobody = allowed(with(&packed, Section::Prefixes, Vec::new()));
    assert!(!nobody.allows(), "nobody has an address: {nobody:?}");
}

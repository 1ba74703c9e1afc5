//! Peers outside the cluster: prefixes, names, the world.

use crate::world::*;
use policy_core::{
    AddressFacts, Destination, Engine, Scope,
    bundle::{AddressEntry, Identity, PeerPattern, ReservedEntity, Rule, Stack},
};

#[test]
fn a_name_matches_names_and_nothing_else() {
    let name = |engine: &Engine, name: &'static [u8]| {
        let facts = AddressFacts {
            destination: Destination::Name(name),
            ..facts(WEB, WORLD, 80)
        };
        engine.admit(&facts, Scope::Egress).verdict().allows()
    };
    let fqdn = egress([from([PeerPattern::MatchName("cilium.io".into())]).on([tcp(80, 80)])]);
    let only_fqdn = engine([fqdn.clone()]);
    for (asked, want) in [
        (&b"cilium.io"[..], true),
        (b"CILIUM.io.", true),
        (b"google.com", false),
        (b"", false),
        (b"\xff.io", false),
    ] {
        assert_eq!(name(&only_fqdn, asked), want, "{asked:?}");
    }
    let world = engine([egress([from([
        PeerPattern::Entity(ReservedEntity::World),
        cidr("0.0.0.0/0", &[]),
    ])])]);
    assert!(!name(&world, b"cilium.io"), "who knows whether the name leads outside");
    let denied = Rule {
        egress_deny: vec![from([cidr("203.0.113.0/24", &[])])],
        ..fqdn
    };
    assert!(!name(&engine([denied]), b"cilium.io"), "a deny that might match does");
    assert!(
        name(&engine([egress([anyone()])]), b"cilium.io"),
        "every peer is every peer"
    );
}

#[test]
fn prefixes_within_prefixes() {
    let engine = engine([ingress([
        from([cidr("198.0.0.0/8", &["198.51.0.0/16"])]),
        from([cidr("198.51.100.0/24", &["198.51.100.7/32"])]),
        from([cidr("::ffff:203.0.113.0/120", &[])]),
    ])]);
    for (peer, want) in [
        ("198.0.0.1", true),
        ("198.51.99.1", false),
        ("198.51.100.6", true),
        ("198.51.100.7", false),
        ("198.51.101.1", false),
        ("199.0.0.1", false),
        ("203.0.113.9", true),
        ("::ffff:203.0.113.9", true),
        ("203.0.112.9", false),
    ] {
        assert_eq!(allows(&to_web(&engine, peer, 80)), want, "{peer}");
    }
}

#[test]
fn single_stack_has_one_world() {
    let mut bundle = world([ingress([from([PeerPattern::Entity(ReservedEntity::World)])])]);
    bundle.options.stack = Stack::Ipv4;
    let engine = Engine::new(bundle).expect("bundle");
    assert_eq!(accepted(&engine), [HOST, WORLD, LEARNED]);
    assert!(
        engine
            .labels(engine.identity_of(WORLD.parse().expect("address")))
            .has_reserved("world")
    );
}

#[test]
fn an_api_server_outside_the_cluster_is_both() {
    let server = "203.0.113.10";
    let asked = |pattern: PeerPattern| {
        let mut bundle = world([egress([from([pattern])])]);
        let labels = ["reserved:kube-apiserver", "reserved:world-ipv4"].map(|label| label.parse().expect("label"));
        bundle.identities.push(Identity {
            labels: labels.into_iter().collect(),
            ports: vec![],
        });
        bundle.addresses.push(AddressEntry {
            prefix: format!("{server}/32").parse().expect("prefix"),
            identity: 5,
        });
        allows(&from_web(&Engine::new(bundle).expect("bundle"), server, 443))
    };
    for (pattern, want) in [
        (PeerPattern::Entity(ReservedEntity::KubeApiserver), true),
        (PeerPattern::Entity(ReservedEntity::World), true),
        (PeerPattern::Entity(ReservedEntity::Cluster), true),
        (cidr("203.0.113.0/24", &[]), true),
        (cidr("203.0.113.0/24", &["203.0.113.10/32"]), false),
        (PeerPattern::Entity(ReservedEntity::RemoteNode), false),
    ] {
        assert_eq!(asked(pattern.clone()), want, "{pattern:?}");
    }
}

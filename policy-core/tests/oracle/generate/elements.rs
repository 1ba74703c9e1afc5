//! Elements: peers and what they may do.

use policy_core::bundle::{Authentication, Element, PeerPattern, Peers, PortRule, ReservedEntity};
use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    Features, ports,
    world::{GROUP_SELECTORS, PEER_SELECTORS},
};

const ENTITIES: [ReservedEntity; 13] = [
    ReservedEntity::World,
    ReservedEntity::World,
    ReservedEntity::WorldIpv4,
    ReservedEntity::WorldIpv6,
    ReservedEntity::Cluster,
    ReservedEntity::Cluster,
    ReservedEntity::ClusterMesh,
    ReservedEntity::Host,
    ReservedEntity::Init,
    ReservedEntity::RemoteNode,
    ReservedEntity::Health,
    ReservedEntity::KubeApiserver,
    ReservedEntity::None,
];

const PREFIXES: [(&str, &[&str]); 6] = [
    ("0.0.0.0/0", &[]),
    ("::/0", &[]),
    ("198.51.0.0/16", &[]),
    ("198.51.0.0/16", &["198.51.100.0/24"]),
    ("10.0.0.0/8", &["10.0.0.2/32"]),
    ("93.184.216.34/32", &[]),
];

const NAMES: [&str; 2] = ["example.com", "cdn.test"];
const PATTERNS: [&str; 4] = ["*.example.com", "**.com", "*", "example.*"];

const MODES: [Authentication; 3] = [
    Authentication::Disabled,
    Authentication::Required,
    Authentication::TestAlwaysFail,
];

/// Except lists of groups.
const EXCEPTS: [&[&str]; 2] = [&[], &["198.51.100.7/32"]];

/// An allow with any of these features.
pub(super) fn allow(features: Features, egress: bool) -> BoxedStrategy<Element> {
    let authentication = match features.authentication {
        true => prop_oneof![3 => Just(None), 2 => select(&MODES[..]).prop_map(Some)].boxed(),
        false => Just(None).boxed(),
    };
    (
        peers(egress),
        port_rules(ports::port_rule(features, egress).boxed()),
        authentication,
    )
        .prop_map(|(peers, ports, authentication)| Element {
            peers,
            ports,
            authentication,
        })
        .boxed()
}

/// An allow without rules for what is carried, server names, TLS, listener or authentication.
pub(crate) fn plain_allow(egress: bool) -> impl Strategy<Value = Element> {
    allow(Features::default(), egress)
}

/// Denies have peers and ports only, and no names.
pub(crate) fn deny() -> impl Strategy<Value = Element> {
    let ports = port_rules(ports::port_rule(Features::default(), false).boxed());
    (peers(false), ports).prop_map(|(peers, ports)| Element {
        peers,
        ports,
        authentication: None,
    })
}

fn peers(egress: bool) -> impl Strategy<Value = Peers> {
    prop_oneof![
        7 => Just(Peers::Any),
        1 => Just(Peers::None),
        15 => vec(peer(egress), 0..4).prop_map(Peers::OneOf),
    ]
}

fn peer(egress: bool) -> BoxedStrategy<PeerPattern> {
    let prefix = || select(&PREFIXES[..]).prop_map(|(prefix, except)| (parsed(prefix), parsed_all(except)));
    let any_side = prop_oneof![
        8 => select(&PEER_SELECTORS[..]).prop_map(PeerPattern::Selector),
        4 => select(&ENTITIES[..]).prop_map(PeerPattern::Entity),
        3 => prefix().prop_map(|(prefix, except)| PeerPattern::Cidr { prefix, except }),
        1 => prefix().prop_map(|(prefix, except)| PeerPattern::Address { prefix, except }),
        2 => (select(&GROUP_SELECTORS[..]), select(&EXCEPTS[..]))
            .prop_map(|(selector, except)| PeerPattern::External { selector, except: parsed_all(except) }),
    ];
    let names = prop_oneof![
        select(&NAMES[..]).prop_map(|name| PeerPattern::MatchName(name.into())),
        select(&PATTERNS[..]).prop_map(|pattern| PeerPattern::MatchPattern(pattern.into())),
    ];
    match egress {
        true => prop_oneof![6 => any_side, 1 => names].boxed(),
        false => any_side.boxed(),
    }
}

fn port_rules(rule: BoxedStrategy<PortRule>) -> impl Strategy<Value = Option<Vec<PortRule>>> {
    prop_oneof![
        2 => Just(None),
        7 => vec(rule, 1..3).prop_map(Some),
    ]
}

fn parsed(prefix: &str) -> ipnet::IpNet {
    prefix.parse().expect("a prefix of ours")
}

fn parsed_all(prefixes: &[&str]) -> Vec<ipnet::IpNet> {
    prefixes.iter().map(|prefix| parsed(prefix)).collect()
}

//! The one world that all policy sets are about.

use policy_core::{
    Bundle, Label, Labels, Protocol, Requirement, Selector, SelectorKey,
    bundle::{
        AddressEntry, AllowLocalhost, CidrGroup, Endpoint, Enforcement, Identity, NamedPort, Options, Stack, VERSION,
    },
};
use proptest::prelude::*;

/// The endpoints, each with its identity and addresses. Two of them share an identity.
const ENDPOINTS: [(&str, u32, &[&str]); 7] = [
    ("shop/web", 0, &["10.0.0.1", "fd00::1"]),
    ("shop/db", 1, &["10.0.0.2"]),
    ("shop/db-2", 1, &["10.0.0.3"]),
    ("ops/mon", 2, &["10.0.0.4"]),
    ("far/web", 3, &["10.0.1.1"]),
    ("kube/health", 4, &["10.0.0.9"]),
    ("shop/new", 5, &["10.0.0.10"]),
];

/// The name of a port, its protocol and its number.
type PortName = (&'static str, Protocol, u16);

/// Their labels and ports, and then those of addresses without endpoint.
const IDENTITIES: [(&[&str], &[PortName]); 10] = [
    (
        &["k8s:app=web", "k8s:ns=shop", HERE],
        &[
            ("http", Protocol::Tcp, 80),
            ("dns", Protocol::Udp, 53),
            ("dns", Protocol::Tcp, 53),
        ],
    ),
    (
        &["k8s:app=db", "k8s:ns=shop", "k8s:tier=back", HERE],
        &[("http", Protocol::Tcp, 81), ("dns", Protocol::Udp, 80)],
    ),
    (
        &["k8s:app=mon", "k8s:ns=ops", HERE],
        &[("http", Protocol::Tcp, 80), ("http", Protocol::Tcp, 443)],
    ),
    (
        &["k8s:app=web", "k8s:ns=shop", "k8s:io.cilium.k8s.policy.cluster=far"],
        &[("http", Protocol::Tcp, 443)],
    ),
    (&["reserved:health"], &[]),
    (&["reserved:init"], &[]),
    (&["reserved:host"], &[]),
    (&["reserved:remote-node"], &[]),
    (&["reserved:kube-apiserver", "reserved:remote-node"], &[]),
    (&["reserved:kube-apiserver", "reserved:world-ipv4"], &[]),
];

const HERE: &str = "k8s:io.cilium.k8s.policy.cluster=here";

/// Nodes, and an API server outside the cluster.
const ADDRESSES: [(&str, u32); 4] = [
    ("10.0.9.0/24", 7),
    ("10.0.9.1/32", 6),
    ("10.0.9.3/32", 8),
    ("203.0.113.10/32", 9),
];

/// Groups that overlap, with the same key and other values.
const GROUPS: [(&[&str], &[&str]); 3] = [
    (
        &["cidrgroup:io.cilium.policy.cidrgroupname/corp", "cidrgroup:env=prod"],
        &["198.51.0.0/16", "2001:db8::/32"],
    ),
    (
        &["cidrgroup:io.cilium.policy.cidrgroupname/dev", "cidrgroup:env=dev"],
        &["198.51.100.0/24"],
    ),
    (
        &["cidrgroup:io.cilium.policy.cidrgroupname/empty", "cidrgroup:env=prod"],
        &[],
    ),
];

/// What DNS said; one name leads into the cluster, which names cannot mean.
const NAMES: [(&str, &[&str]); 3] = [
    ("a.example.com.", &["93.184.216.34", "198.51.100.7"]),
    ("cdn.test.", &["10.0.0.2"]),
    ("example.com.", &["93.184.216.34"]),
];

/// Selectors that rules have as subject.
pub(super) const SUBJECT_SELECTORS: [u32; 6] = [0, 0, 0, 1, 2, 3];
/// Selectors that rules have as peers. The last one says the same as the second, in another place.
pub(super) const PEER_SELECTORS: [u32; 13] = [0, 0, 1, 1, 2, 2, 4, 5, 6, 7, 8, 9, 13];
/// Selectors for labels of groups.
pub(super) const GROUP_SELECTORS: [u32; 4] = [3, 10, 11, 12];

fn selectors() -> Vec<Selector> {
    let key = |text: &str| SelectorKey::parse(text).expect("a key");
    let values = |list: &[&str]| list.iter().map(|value| Box::from(*value)).collect();
    let equals = |text, value: &str| Requirement::Equals {
        key: key(text),
        value: value.into(),
    };
    let one = |requirement| Selector::new(vec![requirement]);
    vec![
        one(equals("any:app", "web")),
        one(equals("any:app", "db")),
        one(equals("k8s:ns", "shop")),
        Selector::default(),
        one(Requirement::In {
            key: key("any:app"),
            values: values(&["web", "mon"]),
        }),
        one(Requirement::NotIn {
            key: key("any:app"),
            values: values(&["db"]),
        }),
        Selector::new(vec![
            Requirement::Exists { key: key("any:tier") },
            equals("k8s:ns", "shop"),
        ]),
        one(Requirement::DoesNotExist { key: key("k8s:app") }),
        one(equals("reserved:host", "")),
        one(equals("reserved:world-ipv4", "")),
        one(Requirement::Exists {
            key: key("cidrgroup:io.cilium.policy.cidrgroupname/corp"),
        }),
        one(equals("cidrgroup:env", "prod")),
        one(Requirement::NotIn {
            key: key("cidrgroup:env"),
            values: values(&["dev"]),
        }),
        one(equals("any:app", "db")),
    ]
}

/// Mostly the defaults.
pub(super) fn options() -> impl Strategy<Value = Options> {
    let enforcement = prop_oneof![
        16 => Just(Enforcement::Default),
        3 => Just(Enforcement::Always),
        1 => Just(Enforcement::Never),
    ];
    let localhost = prop_oneof![4 => Just(AllowLocalhost::Always), 1 => Just(AllowLocalhost::Policy)];
    let stack = prop_oneof![6 => Just(Stack::Dual), 1 => Just(Stack::Ipv4)];
    (enforcement, localhost, stack).prop_map(|(enforcement, allow_localhost, stack)| Options {
        enforcement,
        cluster: "here".into(),
        stack,
        allow_localhost,
        audit: false,
    })
}

/// The world without policies.
pub(super) fn world(options: Options) -> Bundle {
    Bundle {
        version: VERSION,
        options,
        selectors: selectors(),
        identities: IDENTITIES.iter().map(|(texts, ports)| identity(texts, ports)).collect(),
        endpoints: ENDPOINTS
            .iter()
            .map(|(name, identity, texts)| Endpoint {
                name: (*name).into(),
                identity: *identity,
                addresses: parsed(texts),
            })
            .collect(),
        addresses: ADDRESSES
            .iter()
            .map(|(prefix, identity)| AddressEntry {
                prefix: prefix.parse().expect("a prefix"),
                identity: *identity,
            })
            .collect(),
        groups: GROUPS
            .iter()
            .map(|(texts, prefixes)| CidrGroup {
                labels: labels(texts),
                prefixes: parsed(prefixes),
            })
            .collect(),
        names: NAMES
            .iter()
            .map(|(name, texts)| ((*name).into(), parsed(texts)))
            .collect(),
        ..Bundle::default()
    }
}

fn identity(texts: &[&str], ports: &[PortName]) -> Identity {
    let named = |(name, protocol, port): &PortName| NamedPort {
        name: (*name).into(),
        protocol: *protocol,
        port: *port,
    };
    Identity {
        labels: labels(texts),
        ports: ports.iter().map(named).collect(),
    }
}

fn labels(texts: &[&str]) -> Labels {
    parsed::<Label>(texts).into_iter().collect()
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(texts: &[&str]) -> Vec<T> {
    texts.iter().map(|text| text.parse().expect("a text of ours")).collect()
}

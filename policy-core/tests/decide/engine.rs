//! What the engine decides, by the sections of the policy semantics. Every table tries both sides of a boundary.

use crate::world::*;
use policy_core::{
    AddressFacts, Decision, Destination, Direction, Engine, IcmpFamily, Layer, Protocol, Reason, Scope, Selector,
    bundle::{
        AddressEntry, AllowLocalhost, Backend, BundleError, DefaultDeny, Element, Enforcement, Identity, PeerPattern,
        Peers, PortNumbers, PortPattern, ReservedEntity, Rule, Service, Stack,
    },
};

const ALL: [&str; 7] = [WEB, DB, MON, HOST, NODE, WORLD, LEARNED];

/// Who of all peers may connect to port 80 of `web`.
fn accepted(engine: &Engine) -> Vec<&'static str> {
    ALL.into_iter()
        .filter(|peer| allows(&to_web(engine, peer, 80)))
        .collect()
}

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
fn ports_and_protocols() {
    let port = |protocol, numbers| PortPattern::Port { protocol, numbers };
    let named = |name: &str, end| PortNumbers::Named { name: name.into(), end };
    use Protocol::{Icmp, IcmpV6, Sctp, Tcp, Udp};
    for (pattern, hits, misses, why) in [
        (
            tcp(80, 90),
            vec![(Tcp, 80), (Tcp, 90)],
            vec![(Tcp, 79), (Tcp, 91), (Udp, 80)],
            "a range",
        ),
        (
            port(Udp, PortNumbers::All),
            vec![(Udp, 0), (Udp, 65535)],
            vec![(Tcp, 80), (Icmp, 8)],
            "all of one protocol",
        ),
        (
            port(Sctp, PortNumbers::Range(7, 7)),
            vec![(Sctp, 7)],
            vec![(Sctp, 8)],
            "one port",
        ),
        (
            port(Tcp, named("http", None)),
            vec![(Tcp, 8080)],
            vec![(Tcp, 80), (Tcp, 8081), (Udp, 8080)],
            "a name",
        ),
        (
            port(Tcp, named("http", Some(8082))),
            vec![(Tcp, 8080), (Tcp, 8082)],
            vec![(Tcp, 8083)],
            "a range from a name",
        ),
        (
            port(Tcp, named("nosuch", None)),
            vec![],
            vec![(Tcp, 8080)],
            "an unknown name",
        ),
        (
            PortPattern::Icmp {
                family: IcmpFamily::V4,
                message_type: Some(8),
            },
            vec![(Icmp, 8)],
            vec![(Icmp, 13), (IcmpV6, 8), (Tcp, 8)],
            "an ICMP type",
        ),
        (
            PortPattern::Icmp {
                family: IcmpFamily::V6,
                message_type: None,
            },
            vec![(IcmpV6, 128)],
            vec![(Icmp, 8)],
            "every type",
        ),
    ] {
        let engine = engine([ingress([from([db()]).on([pattern])])]);
        let asks = hits
            .into_iter()
            .map(|ask| (ask, true))
            .chain(misses.into_iter().map(|ask| (ask, false)));
        for ((protocol, port), want) in asks {
            let facts = AddressFacts {
                protocol,
                ..facts(DB, WEB, port)
            };
            assert_eq!(
                allows(&engine.admit(&facts, Scope::Ingress)),
                want,
                "{why}: {protocol} {port}"
            );
        }
    }
    let nothing = engine([ingress([Element {
        ports: Some(vec![]),
        ..from([db()])
    }])]);
    assert!(
        !allows(&to_web(&nothing, DB, 80)),
        "an empty list of ports is no traffic"
    );
}

#[test]
fn a_port_name_means_the_destination_s() {
    let pg = PortPattern::Port {
        protocol: Protocol::Tcp,
        numbers: PortNumbers::Named {
            name: "pg".into(),
            end: Some(6000),
        },
    };
    let engine = engine([egress([anyone().on([pg])])]);
    for (destination, port, want, why) in [
        (DB, 5432, true, "the destination has the name"),
        (DB, 5433, false, "a range end is ignored on egress"),
        (MON, 5432, false, "another endpoint has not"),
        (WORLD, 5432, false, "nor has anyone outside"),
    ] {
        assert_eq!(allows(&from_web(&engine, destination, port)), want, "{why}");
    }
}

#[test]
fn http_rules_decide_request_by_request() {
    let engine = engine([ingress([
        from([db()]).http(tcp(80, 80), &[("GET", "/public"), ("POST", "/form")])
    ])]);
    let connection = to_web(&engine, DB, 80);
    let verdict = connection.verdict();
    assert!(verdict.allows() && verdict.proxied && connection.inspects_http());
    for (method, path, want) in [
        ("GET", "/public", true),
        ("POST", "/form", true),
        ("POST", "/public", false),
        ("GET", "/public/x", false),
    ] {
        let verdict = connection.request(&request(method, path));
        assert_eq!(
            (verdict.allows(), verdict.layer, verdict.proxied),
            (want, Layer::L7, true),
            "{method} {path}"
        );
    }
    let denied = connection.request(&request("PUT", "/public"));
    assert_eq!(denied.reason, Reason::NoHttpRuleMatches);
    let allowed = connection.request(&request("POST", "/form"));
    assert_eq!(
        allowed.rule.expect("rule").path(),
        "spec.ingress[0].toPorts[0].rules.http[1]"
    );
    assert!(!allows(&to_web(&engine, MON, 80)) && !allows(&to_web(&engine, DB, 81)));
}

#[test]
fn the_broadest_allow_wins_but_the_connection_stays_proxied() {
    let http = || from([db()]).http(tcp(80, 80), &[("GET", "/public")]);
    let post = request("POST", "/x");
    let plain_peer = engine([ingress([http()]), ingress([from([db()])])]);
    let verdict = to_web(&plain_peer, DB, 80).request(&post);
    assert!(verdict.allows() && verdict.proxied);
    assert!(!to_web(&plain_peer, DB, 81).verdict().proxied);

    let any_port_80 = engine([ingress([http()]), ingress([anyone().on([tcp(80, 80)])])]);
    assert!(to_web(&any_port_80, DB, 80).request(&post).proxied);
    let plain = to_web(&any_port_80, MON, 80).request(&post);
    assert!(plain.allows() && !plain.proxied, "no HTTP rule is for this peer");

    let any_http = engine([ingress([
        anyone().http(tcp(80, 90), &[("GET", "/r")]),
        from([db()]).http(tcp(85, 85), &[("GET", "/e")]),
    ])]);
    for (peer, port, path, want) in [
        (DB, 85, "/e", true),
        (DB, 85, "/r", true),
        (MON, 85, "/e", false),
        (DB, 86, "/e", false),
    ] {
        assert_eq!(
            to_web(&any_http, peer, port).request(&request("GET", path)).allows(),
            want,
            "{peer}:{port} {path}"
        );
    }
    let host = to_web(&any_http, HOST, 80).request(&post);
    assert_eq!(
        (host.allows(), host.proxied, host.reason),
        (true, true, Reason::HostAllowed),
        "the host bypasses HTTP rules"
    );

    let lenient = engine([Rule {
        default_deny: DefaultDeny::default(),
        ..ingress([http()])
    }]);
    let verdict = to_web(&lenient, DB, 80).request(&post);
    assert_eq!(
        (verdict.allows(), verdict.proxied),
        (true, true),
        "without default deny HTTP rules only look"
    );
}

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
        let [a, b] = [&forward, &backward].map(|engine| to_web(engine, peer, 80).request(&request("GET", "/b")));
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

//! Explanations: they decide as the engine does, and the nearest miss names the condition to change.

use crate::world::*;
use policy_core::{
    Bundle, Carried, Direction, Engine, Flow, HttpFacts, Missed, Peer, Protocol, Requirement, Selector, SelectorKey,
    bundle::{Element, HttpRule, L7Rules, PeerPattern, PortNumbers, PortPattern, PortRule, ReservedEntity, Rule},
};

fn flow<'a>(engine: &Engine, source: &str, port: u16) -> Flow<'a> {
    let identity = |address: &str| engine.identity_of(address.parse().expect("address"));
    let (subject, peer) = (identity(WEB), Peer::Identity(identity(source)));
    Flow {
        direction: Direction::Ingress,
        subject,
        peer,
        protocol: Protocol::Tcp,
        port,
        authenticated: false,
    }
}

/// The nearest miss of a connection to `web`, as `path: words`.
fn nearest(rules: Vec<Rule>, source: &str, port: u16, http: Option<&dyn HttpFacts>) -> String {
    let engine = engine(rules);
    let explanation = engine.explain(&flow(&engine, source, port), None, http.map(Carried::Http));
    explanation
        .nearest
        .map_or_else(String::new, |miss| format!("{}: {}", miss.rule.path(), miss.missed))
}

#[test]
fn the_nearest_miss_met_the_most_conditions() {
    let rules = || {
        vec![
            ingress([from([cidr("203.0.113.0/24", &[])]).on([tcp(443, 443)])]),
            ingress([
                from([db()]).on([tcp(81, 90)]),
                from([PeerPattern::Entity(ReservedEntity::Init)]).on([tcp(80, 80)]),
            ]),
        ]
    };
    assert_eq!(
        nearest(rules(), DB, 80, None),
        "spec.ingress[0]: port 80 is outside 81-90",
        "peer before port"
    );
    assert_eq!(
        nearest(rules(), WORLD, 80, None),
        "spec.ingress[0]: the peer's address is outside 203.0.113.0/24",
        "a prefix could hold it, an entity inside could not, whatever the ports say"
    );
    assert_eq!(
        nearest(vec![ingress([from([db()])])], MON, 80, None),
        "spec.ingress[0]: label app is mon, wanted db"
    );
    assert_eq!(
        nearest(vec![ingress([from([db()])])], WORLD, 80, None),
        "spec.ingress[0]: the peer is outside the cluster, the rule is for endpoints with label app db"
    );
}

/// A selector with several conditions.
fn selector(bundle: &mut Bundle, labels: &[(&str, &str)]) -> PeerPattern {
    let requirement = |(key, value): &(&str, &str)| Requirement::Equals {
        key: SelectorKey::parse(key).expect("key"),
        value: (*value).into(),
    };
    let position = u32::try_from(bundle.selectors.len()).expect("few");
    bundle
        .selectors
        .push(Selector::new(labels.iter().map(requirement).collect()));
    PeerPattern::Selector(position)
}

#[test]
fn the_nearest_rule_is_the_one_that_needs_the_least_change() {
    let mut bundle = world([]);
    let shop = selector(&mut bundle, &[("k8s:ns", "shop")]);
    let database = selector(&mut bundle, &[("k8s:ns", "ops"), ("k8s:app", "db")]);
    let web_of_shop = selector(&mut bundle, &[("k8s:app", "web"), ("k8s:ns", "shop")]);
    let elements = |elements: Vec<Element>| {
        let rules = world([ingress(elements)]).policies;
        Engine::new(Bundle {
            policies: rules,
            ..bundle.clone()
        })
        .expect("engine")
    };
    let world_v6 = PeerPattern::Entity(ReservedEntity::WorldIpv6);
    let node = PeerPattern::Entity(ReservedEntity::RemoteNode);
    let name = PeerPattern::Cidr {
        prefix: "10.0.0.0/8".parse().expect("prefix"),
        except: vec![],
    };
    for (candidates, source, want, why) in [
        (
            vec![from([web_of_shop.clone()]), from([shop.clone()])],
            MON,
            "[1]: label ns is ops, wanted shop",
            "one condition instead of two",
        ),
        (
            vec![from([shop.clone()]), from([database.clone()])],
            MON,
            "[1]: label app is mon, wanted db",
            "one condition each, and the namespace is right",
        ),
        (
            vec![from([database.clone()]).on([tcp(81, 81)]), from([shop.clone()])],
            MON,
            "[1]: label ns is ops, wanted shop",
            "but the port has to be right too",
        ),
        (
            vec![from([name.clone()]), from([web_of_shop.clone()]).on([tcp(81, 81)])],
            MON,
            "[1]: label app is mon, wanted web; label ns is ops, wanted shop",
            "no prefix ever holds a pod",
        ),
        (
            vec![from([name]), from([world_v6.clone()]), from([node.clone()])],
            MON,
            "[2]: the peer is in the cluster, the rule is for the entity remote-node",
            "at least it is in the cluster",
        ),
        (
            vec![from([shop.clone()]), from([world_v6])],
            WORLD,
            "[1]: the peer is outside the cluster, the rule is for the entity world-ipv6",
            "no selector ever selects what is outside",
        ),
        (
            vec![from([shop]), from([PeerPattern::Entity(ReservedEntity::Health)])],
            NODE,
            "[1]: the peer is reserved:remote-node, the rule is for the entity health",
            "a node has no labels to change",
        ),
        (
            vec![
                anyone().on([PortPattern::Port {
                    protocol: Protocol::Udp,
                    numbers: PortNumbers::All,
                }]),
                anyone().on([tcp(81, 81)]),
            ],
            MON,
            "[1]: port 80 is not 81",
            "of two ports the one of the same protocol",
        ),
        (vec![], MON, "", "no rule, no miss"),
    ] {
        let engine = elements(candidates);
        let explanation = engine.explain(&flow(&engine, source, 80), None, None);
        let text = |miss: policy_core::NearMiss| format!("{}: {}", miss.rule.path(), miss.missed);
        let nearest = explanation.nearest.map_or_else(String::new, text);
        assert_eq!(nearest.trim_start_matches("spec.ingress"), want, "{why}");
    }
}

#[test]
fn http_names_the_first_condition_that_failed() {
    let rules = || {
        vec![ingress([
            from([db()]).http(tcp(80, 80), &[("GET", "/a"), ("POST", "/b")])
        ])]
    };
    let miss = |method, path| nearest(rules(), DB, 80, Some(&request(method, path)));
    assert_eq!(
        miss("HEAD", "/a"),
        "spec.ingress[0].toPorts[0].rules.http[0]: method HEAD is not GET"
    );
    assert_eq!(
        miss("POST", "/a"),
        "spec.ingress[0].toPorts[0].rules.http[1]: path /a is not /b",
        "one method more than the other"
    );
    assert_eq!(miss("GET", "/a"), "", "an allowed request misses nothing");
}

#[test]
fn a_denial_names_who_isolates_but_a_deny_rule_has_no_near_miss() {
    let engine = engine([
        ingress([from([db()])]),
        Rule {
            ingress_deny: vec![from([db()])],
            ..web_rule()
        },
    ]);
    let explain = |source| engine.explain(&flow(&engine, source, 80), None, None);
    let isolated: Vec<_> = explain(MON).isolated_by.iter().map(ToString::to_string).collect();
    assert_eq!(
        isolated,
        ["CiliumNetworkPolicy/shop/p spec", "CiliumNetworkPolicy/shop/p spec"]
    );
    assert!(matches!(
        explain(MON).nearest.expect("near miss").missed,
        Missed::Labels { .. }
    ));
    assert_eq!(explain(DB).nearest, None);
}

#[test]
fn every_rule_is_considered_in_the_order_of_the_policies() {
    let engine = engine([
        ingress([
            from([db()]),
            from([]).on([tcp(80, 80)]),
            anyone().http(tcp(80, 80), &[("GET", "/a"), ("POST", "/b")]),
            anyone().on([tcp(81, 81)]),
        ]),
        Rule {
            ingress_deny: vec![from([db()]), anyone().on([tcp(90, 90)])],
            ..web_rule()
        },
    ]);
    let request = request("GET", "/a");
    let considered = engine.considered(&flow(&engine, MON, 80), None, Some(Carried::Http(&request)));
    let rows: Vec<String> = considered
        .iter()
        .map(|row| {
            let missed = row
                .missed
                .as_ref()
                .map_or_else(|| "matches".into(), ToString::to_string);
            format!("{}: {missed}", row.rule.path().trim_start_matches("spec."))
        })
        .collect();
    assert_eq!(
        rows,
        [
            "ingress[0]: label app is mon, wanted db",
            "ingress[1]: the rule is for no peer at all",
            "ingress[2]: matches",
            "ingress[2].toPorts[0].rules.http[0]: matches",
            "ingress[2].toPorts[0].rules.http[1]: method GET is not POST",
            "ingress[3]: port 80 is not 81",
            "ingressDeny[0]: label app is mon, wanted db",
            "ingressDeny[1]: port 80 is not 90",
        ]
    );
    let denying = considered.iter().filter(|row| row.denies).count();
    assert_eq!(denying, 2);
    let without = engine.considered(&flow(&engine, MON, 80), None, None);
    assert_eq!(without.len(), 6, "what nobody asked about is not considered");
}

#[test]
fn a_server_name_is_asked_for_before_requests() {
    let settings = PortRule {
        terminating_tls: Some("shop/tls".into()),
        ..server_names(&["a.com"])
    };
    let rules = [HttpRule {
        method: Some("GET".into()),
        ..HttpRule::default()
    }];
    let settings = PortRule {
        rules: Some(L7Rules::Http(rules.into())),
        ..settings
    };
    let engine = engine([ingress([with(from([db()]), tcp(443, 443), settings)])]);
    let request = request("HEAD", "/");
    let miss = |name: Option<&[u8]>| {
        let flow = flow(&engine, DB, 443);
        let explanation = engine.explain(&flow, Some(name), Some(Carried::Http(&request)));
        explanation.nearest.expect("a near miss").missed.to_string()
    };
    assert_eq!(miss(Some(b"b.com")), "server name b.com is not a.com");
    assert_eq!(miss(Some(b"a.com")), "method HEAD is not GET");
}

#[test]
fn explaining_decides_like_deciding() {
    let engine = engine([
        ingress([
            from([db()]).http(tcp(80, 80), &[("GET", "/a")]),
            from([cidr("198.51.0.0/16", &[])]),
        ]),
        Rule {
            ingress_deny: vec![from([PeerPattern::Entity(ReservedEntity::RemoteNode)])],
            ..web_rule()
        },
    ]);
    for source in [WEB, DB, MON, HOST, NODE, WORLD, LEARNED] {
        for (port, method) in [(80, "GET"), (80, "PUT"), (81, "GET")] {
            let (flow, request) = (flow(&engine, source, port), request(method, "/a"));
            let connection = engine.connection(&flow);
            assert_eq!(engine.explain(&flow, None, None).verdict, connection.verdict());
            assert_eq!(
                engine.explain(&flow, None, Some(Carried::Http(&request))).verdict,
                connection.request(None, &request)
            );
        }
    }
}

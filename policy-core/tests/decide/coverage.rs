//! Coverage: every place is listed, and a question exercises those whose conditions it meets, whoever decides.

use crate::world::*;
use policy_core::{
    Carried, Direction, Engine, Flow, KafkaRequest, Peer, Protocol, RuleRef,
    bundle::{DnsRule, Element, Enforcement, KafkaRule, L7Rules, Options, PeerPattern, Peers, Rule},
};

/// What the subject `web` is asked.
struct Asked<'a> {
    direction: Direction,
    peer: &'a str,
    protocol: Protocol,
    port: u16,
    server_name: Option<Option<&'a [u8]>>,
    carried: Option<Carried<'a>>,
}

fn from_peer(peer: &str, port: u16) -> Asked<'_> {
    Asked {
        direction: Direction::Ingress,
        peer,
        protocol: Protocol::Tcp,
        port,
        server_name: None,
        carried: None,
    }
}

fn to_peer(peer: &str, port: u16) -> Asked<'_> {
    Asked {
        direction: Direction::Egress,
        ..from_peer(peer, port)
    }
}

/// The paths without the object, with a blank between them.
fn paths(places: &[RuleRef]) -> String {
    places.iter().map(RuleRef::path).collect::<Vec<_>>().join(" ")
}

fn matching(engine: &Engine, asked: &Asked<'_>) -> String {
    let identity = |address: &str| engine.identity_of(address.parse().expect("address"));
    let flow = Flow {
        direction: asked.direction,
        subject: identity(WEB),
        peer: Peer::Identity(identity(asked.peer)),
        protocol: asked.protocol,
        port: asked.port,
        authenticated: true,
    };
    paths(&engine.matching(&flow, asked.server_name, asked.carried))
}

fn nobody() -> Element {
    Element {
        peers: Peers::None,
        ..anyone()
    }
}

#[test]
fn places_are_what_can_match() {
    let none: [PeerPattern; 0] = [];
    for (rule, want, why) in [
        (ingress([from([db()])]), "spec.ingress[0]", "an element for all ports"),
        (
            ingress([nobody(), from(none), from([db()])]),
            "spec.ingress[2]",
            "what is for nobody only isolates",
        ),
        (
            ingress([from([db()]).on([])]),
            "",
            "a list without ports, and with it the element",
        ),
        (
            ingress([from([db()]).on([]).on([tcp(80, 80)])]),
            "spec.ingress[0] spec.ingress[0].toPorts[1]",
            "the other list counts",
        ),
        (
            egress([anyone().http(tcp(80, 80), &[("GET", "/a"), ("GET", "/b")])]),
            "spec.egress[0] spec.egress[0].toPorts[0] spec.egress[0].toPorts[0].rules.http[0] \
             spec.egress[0].toPorts[0].rules.http[1]",
            "every rule on requests",
        ),
        (
            Rule {
                ingress_deny: vec![from([db()])],
                egress: vec![anyone()],
                ..ingress([anyone()])
            },
            "spec.ingress[0] spec.ingressDeny[0] spec.egress[0]",
            "allows, denies, and both directions",
        ),
    ] {
        assert_eq!(paths(&engine([rule]).places()), want, "{why}");
    }
}

#[test]
fn peers_and_ports_exercise_an_element() {
    let rule = Rule {
        ingress_deny: vec![from([db()]).on([tcp(90, 90)])],
        ..ingress([from([db()]).on([tcp(80, 90), udp(53)]).on([tcp(443, 443)]), anyone()])
    };
    let engine = engine([rule]);
    for (asked, want, why) in [
        (
            from_peer(DB, 80),
            "spec.ingress[0] spec.ingress[0].toPorts[0] spec.ingress[1]",
            "all that match, whoever decides",
        ),
        (
            from_peer(DB, 90),
            "spec.ingress[0] spec.ingress[0].toPorts[0] spec.ingress[1] spec.ingressDeny[0] spec.ingressDeny[0].toPorts[0]",
            "an allow that a deny overrules",
        ),
        (from_peer(DB, 91), "spec.ingress[1]", "another port"),
        (
            from_peer(DB, 443),
            "spec.ingress[0] spec.ingress[0].toPorts[1] spec.ingress[1]",
            "the second list",
        ),
        (from_peer(MON, 80), "spec.ingress[1]", "another peer"),
        (to_peer(DB, 80), "", "the other direction"),
    ] {
        assert_eq!(matching(&engine, &asked), want, "{why}");
    }
    let mut never = world([ingress([anyone()])]);
    never.options = Options {
        enforcement: Enforcement::Never,
        ..Options::default()
    };
    let engine = Engine::new(never).expect("a good bundle");
    assert_eq!(matching(&engine, &from_peer(DB, 80)), "", "nobody looks");
}

#[test]
fn what_is_carried_exercises_the_rules_on_it() {
    let topic = |topic: &str| KafkaRule {
        topic: Some(topic.into()),
        ..KafkaRule::default()
    };
    let names = vec![
        DnsRule::MatchPattern("*.corp".into()),
        DnsRule::MatchName("a.corp".into()),
    ];
    let kafka = L7Rules::Kafka(vec![topic("a"), topic("b")]);
    let engine = engine([egress([
        anyone().http(tcp(80, 80), &[("GET", "/a"), ("GET", "/.*")]),
        with(anyone(), tcp(9092, 9092), rules(kafka)),
        with(anyone(), udp(53), rules(L7Rules::Dns(names))),
        with(anyone(), tcp(443, 443), server_names(&["*.corp"])),
    ])]);
    let (get_a, get_b, post) = (request("GET", "/a"), request("GET", "/b"), request("POST", "/a"));
    let to_topics = |topics: &[&'static str]| KafkaRequest {
        topics: topics.iter().map(|topic| topic.as_bytes()).collect(),
        ..KafkaRequest::default()
    };
    let (both, other) = (to_topics(&["b", "c"]), to_topics(&["c"]));
    let carrying = |port, carried| Asked {
        carried: Some(carried),
        ..to_peer(DB, port)
    };
    let dns = |name: &'static [u8]| Asked {
        protocol: Protocol::Udp,
        ..carrying(53, Carried::Dns(name))
    };
    let tls = |name| Asked {
        server_name: Some(name),
        ..to_peer(DB, 443)
    };
    let inside = |element: usize, inside: &str| {
        let element = format!("spec.egress[{element}]");
        let list = format!("{element}.toPorts[0]");
        let rules = inside.split(' ').filter(|rule| !rule.is_empty());
        let rules = rules.map(|rule| format!(" {list}.rules.{rule}"));
        format!("{element} {list}{}", rules.collect::<String>())
    };
    for (asked, want, why) in [
        (to_peer(DB, 80), inside(0, ""), "only the connection"),
        (
            carrying(80, Carried::Http(&get_a)),
            inside(0, "http[0] http[1]"),
            "a request that both allow",
        ),
        (
            carrying(80, Carried::Http(&get_b)),
            inside(0, "http[1]"),
            "one that the second allows",
        ),
        (
            carrying(80, Carried::Http(&post)),
            inside(0, ""),
            "one that neither allows",
        ),
        (carrying(80, Carried::Dns(b"a.corp")), inside(0, ""), "another protocol"),
        (
            carrying(9092, Carried::Kafka(&both)),
            inside(1, "kafka[1]"),
            "one of its topics",
        ),
        (
            carrying(9092, Carried::Kafka(&other)),
            inside(1, ""),
            "none of its topics",
        ),
        (dns(b"a.corp"), inside(2, "dns[0] dns[1]"), "a name and a pattern"),
        (dns(b"b.corp"), inside(2, "dns[0]"), "the pattern only"),
        (to_peer(DB, 443), inside(3, ""), "a server name that nobody asked about"),
        (tls(Some(b"a.corp")), inside(3, ""), "one of the server names"),
        (tls(Some(b"a.example")), String::new(), "another server name"),
        (tls(None), String::new(), "a client that asks for none"),
        (carrying(443, Carried::Http(&get_a)), String::new(), "no TLS at all"),
    ] {
        assert_eq!(matching(&engine, &asked), want, "{why}");
    }
}

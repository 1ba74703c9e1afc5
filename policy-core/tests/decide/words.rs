//! The first condition that failed, in words and as JSON, for everything that a rule can ask for.

use crate::world::*;
use policy_core::{
    Carried, Direction, Flow, HttpRequest, KafkaRequest, NearMiss, Peer, Protocol, Requirement, Selector, SelectorKey,
    bundle::{
        CidrGroup, DnsRule, Element, ExpectedHeader, HeaderMatch, HeaderRule, HttpRule, KafkaRule, L7Rules,
        PeerPattern, Peers, PortNumbers, PortPattern, PortRule, ReservedEntity,
    },
};

/// What is asked, besides the rule.
struct Asked<'a> {
    direction: Direction,
    peer: &'a str,
    protocol: Protocol,
    port: u16,
    server_name: Option<Option<&'a [u8]>>,
    carried: Option<Carried<'a>>,
}

/// TCP to port 80, in the direction.
fn at(direction: Direction, peer: &str) -> Asked<'_> {
    Asked {
        direction,
        peer,
        protocol: Protocol::Tcp,
        port: 80,
        server_name: None,
        carried: None,
    }
}

/// The nearest miss of `web` with this one rule. A peer that is no address is a name.
fn miss(element: Element, asked: &Asked<'_>) -> NearMiss {
    let rule = match asked.direction {
        Direction::Ingress => ingress([element]),
        Direction::Egress => egress([element]),
    };
    let mut bundle = world([rule]);
    let teams = [
        "k8s:io.kubernetes.pod.namespace",
        "k8s:io.cilium.k8s.namespace.labels.team",
        "env",
    ];
    let equals = |key: &&str| Requirement::Equals {
        key: SelectorKey::parse(key).expect("key"),
        value: "red".into(),
    };
    bundle
        .selectors
        .extend([Selector::new(teams.iter().map(equals).collect())]);
    bundle.selectors.push(Selector::new(operators()));
    bundle.groups.push(CidrGroup {
        labels: ["cidrgroup:net=office".parse().expect("label")].into_iter().collect(),
        prefixes: vec!["203.0.113.0/24".parse().expect("prefix")],
    });
    let engine = policy_core::Engine::new(bundle).expect("a good bundle");
    let identity = |address: &str| address.parse().ok().map(|address| engine.identity_of(address));
    let peer = match asked.peer {
        "" => Peer::Unknown,
        text => identity(text).map_or(Peer::Name(text.as_bytes()), Peer::Identity),
    };
    let flow = Flow {
        direction: asked.direction,
        subject: identity(WEB).expect("an address"),
        peer,
        protocol: asked.protocol,
        port: asked.port,
        authenticated: false,
    };
    let explanation = engine.explain(&flow, asked.server_name, asked.carried);
    explanation.nearest.expect("a near miss")
}

/// One requirement of each kind that the labels of `mon` do not meet.
fn operators() -> Vec<Requirement> {
    let key = |text| SelectorKey::parse(text).expect("key");
    let values = |all: &[&str]| all.iter().map(|value| Box::from(*value)).collect();
    vec![
        Requirement::In {
            key: key("app"),
            values: values(&["web", "db", "api"]),
        },
        Requirement::NotIn {
            key: key("app"),
            values: values(&["mon", "old"]),
        },
        Requirement::Exists { key: key("env") },
        Requirement::Exists {
            key: key("container:app"),
        },
        Requirement::DoesNotExist { key: key("app") },
    ]
}

fn named(name: &str) -> PortPattern {
    PortPattern::Port {
        protocol: Protocol::Tcp,
        numbers: PortNumbers::Named {
            name: name.into(),
            end: None,
        },
    }
}

#[test]
fn peers() {
    use Direction::{Egress, Ingress};
    let entity = |entity| from([PeerPattern::Entity(entity)]);
    let prefix = || from([cidr("203.0.113.0/24", &["203.0.113.128/25"])]);
    let group = |except: &[&str]| {
        from([PeerPattern::External {
            selector: 3,
            except: except.iter().map(|prefix| prefix.parse().expect("prefix")).collect(),
        }])
    };
    let name = |pattern: &str| from([PeerPattern::MatchPattern(pattern.into())]);
    let inside = |prefix: &str| {
        from([PeerPattern::Address {
            prefix: prefix.parse().expect("prefix"),
            except: Vec::new(),
        }])
    };
    for (element, direction, peer, want) in [
        (from([db()]), Ingress, MON, "label app is mon, wanted db"),
        (
            from([PeerPattern::Selector(3)]),
            Ingress,
            MON,
            "namespace is missing, wanted red; namespace label team is missing, wanted red; label env is missing, wanted \
             red",
        ),
        (
            from([PeerPattern::Selector(4)]),
            Ingress,
            MON,
            "label app is mon, wanted web, db or api; label app is mon, wanted anything but mon and old; label env is \
             missing; label container:app is k8s:app=mon, wanted one of source container; label app is mon, wanted none",
        ),
        (
            from([PeerPattern::Selector(3)]),
            Ingress,
            WORLD,
            "the peer is outside the cluster, the rule is for endpoints with namespace red, namespace label team \
             red, label env red",
        ),
        (
            from([db()]),
            Ingress,
            NODE,
            "the peer is reserved:remote-node, the rule is for endpoints with label app db",
        ),
        (
            from([db()]),
            Egress,
            LEARNED,
            "the peer is example.com, outside the cluster, the rule is for endpoints with label app db",
        ),
        (
            from([db()]),
            Ingress,
            "",
            "the peer is not known, the rule is for endpoints with label app db",
        ),
        (
            entity(ReservedEntity::World),
            Ingress,
            MON,
            "the peer is in the cluster, the rule is for the entity world",
        ),
        (
            entity(ReservedEntity::None),
            Ingress,
            MON,
            "the rule is for no peer at all",
        ),
        (from([]), Ingress, MON, "the rule is for no peer at all"),
        (
            prefix(),
            Egress,
            WORLD,
            "address 198.51.100.7 is outside 203.0.113.0/24 except 203.0.113.128/25",
        ),
        (
            prefix(),
            Egress,
            "203.0.113.200",
            "address 203.0.113.200 is in 203.0.113.128/25, which the rule excepts from 203.0.113.0/24",
        ),
        (
            prefix(),
            Egress,
            MON,
            "the peer is in the cluster, the rule is for addresses outside, in 203.0.113.0/24 except 203.0.113.128/25",
        ),
        (
            inside("10.1.0.0/16"),
            Egress,
            MON,
            "address 10.0.0.3 is outside 10.1.0.0/16",
        ),
        (
            group(&[]),
            Egress,
            "203.0.113.1",
            "address 203.0.113.1 is in no CIDR group with k8s:io.kubernetes.pod.namespace=red, \
             k8s:io.cilium.k8s.namespace.labels.team=red, any:env=red",
        ),
        (
            name("*.example.org"),
            Egress,
            WORLD,
            "no DNS answer seen that gives 198.51.100.7 for *.example.org",
        ),
        (
            name("*.example.org"),
            Egress,
            LEARNED,
            "no DNS answer seen that gives 93.184.216.34 for *.example.org, only for example.com",
        ),
        (
            name("*.example.org"),
            Egress,
            DB,
            "the peer is in the cluster, the rule is for *.example.org, outside",
        ),
        (
            name("*.example.org"),
            Egress,
            "a.example.net",
            "name a.example.net does not match *.example.org",
        ),
    ] {
        let missed = miss(element, &at(direction, peer)).missed;
        assert_eq!(missed.words(peer.parse().ok()), want);
    }
}

#[test]
fn ports() {
    let tcp_any = PortPattern::Port {
        protocol: Protocol::Tcp,
        numbers: PortNumbers::All,
    };
    let icmp = |message_type| PortPattern::Icmp {
        family: policy_core::IcmpFamily::V4,
        message_type,
    };
    for (patterns, protocol, port, want) in [
        (vec![tcp(80, 80)], Protocol::Tcp, 81, "port 81 is not 80"),
        (vec![tcp(80, 90)], Protocol::Tcp, 8081, "port 8081 is outside 80-90"),
        (
            vec![tcp(80, 80), tcp(443, 443), tcp(8000, 8100)],
            Protocol::Tcp,
            81,
            "port 81 is not 80, 443 or 8000-8100",
        ),
        (vec![udp(53), tcp(53, 53)], Protocol::Tcp, 54, "port 54 is not 53"),
        (vec![udp(53)], Protocol::Tcp, 53, "53/TCP is not 53/UDP"),
        (vec![tcp_any.clone()], Protocol::Udp, 53, "protocol UDP is not TCP"),
        (
            vec![tcp_any, icmp(None)],
            Protocol::Udp,
            53,
            "protocol UDP is not TCP or ICMP",
        ),
        (vec![icmp(Some(8))], Protocol::Icmp, 0, "type 0 is not 8"),
        (vec![icmp(None)], Protocol::Tcp, 80, "80/TCP is not any type/ICMP"),
        (
            vec![named("http")],
            Protocol::Tcp,
            80,
            "port 80 is not http, which the endpoint says is 8080",
        ),
        (vec![named("pg")], Protocol::Tcp, 80, "the endpoint names no port pg"),
        (vec![], Protocol::Tcp, 80, "the rule names no port at all"),
    ] {
        let asked = Asked {
            protocol,
            port,
            ..at(Direction::Ingress, MON)
        };
        assert_eq!(miss(anyone().on(patterns), &asked).missed.to_string(), want);
    }
    let out = |peer| {
        miss(anyone().on([named("pg")]), &at(Direction::Egress, peer))
            .missed
            .to_string()
    };
    assert_eq!(out(DB), "port 80 is not pg, which the destination says is 5432");
    assert_eq!(out(MON), "the destination names no port pg");
    assert_eq!(
        out("example.net"),
        "the ports of the destination are not known, wanted the one named pg"
    );
}

#[test]
fn requests() {
    let http = |rule: HttpRule| with(anyone(), tcp(80, 80), rules(L7Rules::Http(vec![rule])));
    let header = |value: Option<&str>| HttpRule {
        headers: vec![HeaderRule {
            name: "x-a".into(),
            value: value.map(Into::into),
        }],
        ..HttpRule::default()
    };
    let secret = |expected| HttpRule {
        header_matches: vec![HeaderMatch {
            name: "x-a".into(),
            expected,
            mismatch: None,
            secret: true,
        }],
        ..HttpRule::default()
    };
    let hidden = || secret(ExpectedHeader::Value("s3cr3t".into()));
    let host = HttpRule {
        host: Some("db".into()),
        ..HttpRule::default()
    };
    let method = HttpRule {
        method: Some("GET".into()),
        ..HttpRule::default()
    };
    let bare = request("HEAD", "/");
    let with_header = HttpRequest {
        headers: vec![(b"x-a".to_vec(), b"2".to_vec())],
        ..bare.clone()
    };
    let nameless = HttpRequest {
        authority: None,
        ..bare.clone()
    };
    for (rule, request, want) in [
        (method, &bare, "method HEAD is not GET"),
        (host.clone(), &bare, "host web is not db"),
        (host, &nameless, "the request has no host, wanted db"),
        (header(None), &bare, "header x-a is missing"),
        (header(Some("1")), &bare, "header x-a is missing, wanted `1`"),
        (header(Some("1")), &with_header, "header x-a is not `1`"),
        (hidden(), &bare, "header x-a is missing"),
        (hidden(), &with_header, "header x-a is not as its secret"),
        (
            secret(ExpectedHeader::Unobtainable),
            &bare,
            "the secret for header x-a cannot be read",
        ),
    ] {
        let asked = Asked {
            carried: Some(Carried::Http(request)),
            ..at(Direction::Ingress, MON)
        };
        let missed = miss(http(rule), &asked).missed;
        assert_eq!(missed.to_string(), want);
        let json = serde_json::to_string(&missed).expect("JSON");
        assert!(!json.contains("s3cr3t"), "no secret in {json}");
    }
}

#[test]
fn server_names_queries_and_messages() {
    let sni = |names: &[&str]| with(anyone(), tcp(80, 80), server_names(names));
    for (names, found, want) in [
        (&["a.com"][..], Some(&b"b.com"[..]), "server name b.com is not a.com"),
        (
            &["a.com", "*.b.com"],
            Some(b"c"),
            "server name c is not *.b.com or a.com",
        ),
        (&["a.com"], None, "the client asks for no TLS server name, wanted a.com"),
    ] {
        let asked = Asked {
            server_name: Some(found),
            ..at(Direction::Egress, MON)
        };
        assert_eq!(miss(sni(names), &asked).missed.to_string(), want);
    }
    let dns = with(
        anyone(),
        udp(53),
        rules(L7Rules::Dns(vec![DnsRule::MatchName("a.com".into())])),
    );
    let asked = Asked {
        protocol: Protocol::Udp,
        port: 53,
        carried: Some(Carried::Dns(b"b.com")),
        ..at(Direction::Egress, MON)
    };
    assert_eq!(
        miss(dns, &asked).missed.to_string(),
        "the query for b.com does not match a.com"
    );

    let rule = KafkaRule {
        api_keys: vec![0, 3],
        api_version: Some(7),
        client_id: Some("me".into()),
        topic: Some("orders".into()),
    };
    let kafka = || with(anyone(), tcp(80, 80), rules(L7Rules::Kafka(vec![rule.clone()])));
    let message = |api_key, api_version, client_id, topics: &[&'static [u8]]| KafkaRequest {
        api_key,
        api_version,
        client_id,
        topics: topics.to_vec(),
    };
    for (request, want) in [
        (
            message(1, 7, b"me", &[b"orders"]),
            "request fetch is not produce or metadata",
        ),
        (message(0, 6, b"me", &[b"orders"]), "API version 6 is not 7"),
        (message(0, 7, b"you", &[b"orders"]), "client you is not me"),
        (message(0, 7, b"", &[b"orders"]), "the client gives no name, wanted me"),
        (message(0, 7, b"me", &[b"returns"]), "topic returns is not orders"),
        (
            message(0, 7, b"me", &[b"orders", b"b"]),
            "the topics orders, b are not all orders",
        ),
        (
            message(3, 7, b"me", &[]),
            "the request is about all topics, the rule is for orders",
        ),
    ] {
        let asked = Asked {
            carried: Some(Carried::Kafka(&request)),
            ..at(Direction::Ingress, MON)
        };
        assert_eq!(miss(kafka(), &asked).missed.to_string(), want);
    }
}

#[test]
fn the_form_for_programs() {
    let json = |element, asked: &Asked<'_>| serde_json::to_string(&miss(element, asked).missed).expect("JSON");
    assert_eq!(
        json(from([db()]), &at(Direction::Ingress, MON)),
        r#"{"condition":"labels","labels":[{"wanted":{"equals":{"key":"any:app","value":"db"}},"found":["k8s:app=mon"]}]}"#
    );
    assert_eq!(
        json(from([cidr("203.0.113.0/24", &[])]), &at(Direction::Egress, LEARNED)),
        r#"{"condition":"cidr","wanted":"203.0.113.0/24","except":[],"within":null,"found":{"kind":"outside","names":["example.com."]}}"#
    );
    assert_eq!(
        json(anyone().on([named("http")]), &at(Direction::Ingress, MON)),
        r#"{"condition":"port","wanted":[{"port":{"protocol":"TCP","numbers":{"named":{"name":"http"}}}}],"protocol":"TCP","port":80,"owner":"subject","named":[{"name":"http","protocol":"TCP","port":8080}]}"#
    );
    let nobody = Element {
        peers: Peers::None,
        ports: None,
        authentication: None,
    };
    assert_eq!(json(nobody, &at(Direction::Ingress, MON)), r#"{"condition":"no-peer"}"#);
    let request = request("HEAD", "/");
    let asked = Asked {
        carried: Some(Carried::Http(&request)),
        ..at(Direction::Ingress, MON)
    };
    assert_eq!(
        json(anyone().http(tcp(80, 80), &[("GET", "/")]), &asked),
        r#"{"condition":"method","wanted":"GET","found":"HEAD"}"#
    );
    let names = with(
        anyone(),
        tcp(80, 80),
        PortRule {
            ..server_names(&["a.com"])
        },
    );
    let asked = Asked {
        server_name: Some(None),
        ..at(Direction::Egress, MON)
    };
    assert_eq!(
        json(names, &asked),
        r#"{"condition":"server-name","wanted":["a.com"],"found":null}"#
    );
}

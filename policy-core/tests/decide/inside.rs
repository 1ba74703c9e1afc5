//! What connections carry: TLS server names, DNS queries, Kafka requests, and headers that are changed.

use crate::world::*;
use policy_core::{
    Change, Direction, Engine, Flow, HttpRequest, KafkaRequest, Peer, Protocol, Reason,
    bundle::{
        DefaultDeny, DnsRule, ExpectedHeader, HeaderMatch, HttpRule, KafkaRule, L7Rules, MismatchAction, PortRule, Rule,
    },
};

fn out(engine: &Engine, peer: &str, protocol: Protocol, port: u16) -> policy_core::Connection {
    let identity = |address: &str| engine.identity_of(address.parse().expect("address"));
    engine.connection(&Flow {
        direction: Direction::Egress,
        subject: identity(WEB),
        peer: Peer::Identity(identity(peer)),
        protocol,
        port,
        authenticated: false,
    })
}

fn names(engine: &Engine, peer: &str) -> [bool; 3] {
    let connection = out(engine, peer, Protocol::Tcp, 443);
    [Some(&b"a.com"[..]), Some(b"b.com"), None].map(|name| connection.handshake(name).allows())
}

#[test]
fn server_names_restrict_what_they_are_merged_with() {
    let restricted = || server_names(&["a.com"]);
    let plain = PortRule::default;
    let db = || from([db()]);
    for (elements, want, why) in [
        (
            vec![with(db(), tcp(443, 443), restricted())],
            [true, false, false],
            "alone",
        ),
        (
            vec![
                with(db(), tcp(443, 443), restricted()),
                with(db(), tcp(443, 443), plain()),
            ],
            [true, false, false],
            "a plain rule for the very same takes the names on",
        ),
        (
            vec![
                with(db(), tcp(443, 443), restricted()),
                with(anyone(), tcp(443, 443), plain()),
            ],
            [true, true, true],
            "a plain rule for other peers does not",
        ),
        (
            vec![with(db(), tcp(443, 443), restricted()), db()],
            [true, true, true],
            "nor does one for all ports",
        ),
        (
            vec![
                with(db(), tcp(443, 443), restricted()),
                with(db(), tcp(443, 443), server_names(&["b.*"])),
            ],
            [true, true, false],
            "names are united",
        ),
    ] {
        let engine = engine([egress(elements)]);
        assert_eq!(names(&engine, DB), want, "{why}");
    }
    let lenient = Rule {
        default_deny: DefaultDeny::default(),
        ..egress([with(db(), tcp(443, 443), restricted())])
    };
    assert_eq!(names(&engine([lenient]), DB), [true; 3], "without default deny");
    let engine = engine([egress([with(db(), tcp(443, 443), restricted())])]);
    let connection = out(&engine, DB, Protocol::Tcp, 443);
    assert!(connection.verdict().allows() && connection.verdict().proxied && connection.inspects_tls());
    let denied = connection.request(None, &request("GET", "/"));
    assert_eq!(denied.reason, Reason::ServerNameNotAllowed, "a request in the clear");
    assert!(connection.request(Some(b"a.com"), &request("GET", "/")).allows());
}

#[test]
fn dns_rules_know_only_their_own_port() {
    let dns = || {
        rules(L7Rules::Dns(vec![
            DnsRule::MatchPattern("*.corp".into()),
            DnsRule::MatchName("a.com".into()),
        ]))
    };
    let db = || from([db()]);
    for (extra, want, why) in [
        (None, [true, true, false], "the rules"),
        (
            Some(db()),
            [true, true, false],
            "a rule for all ports does not lift them",
        ),
        (
            Some(with(db(), udp(53), PortRule::default())),
            [true; 3],
            "one for the very port does",
        ),
        (
            Some(with(anyone(), udp(53), PortRule::default())),
            [true; 3],
            "for whatever peers",
        ),
    ] {
        let elements = [Some(with(db(), udp(53), dns())), extra];
        let engine = engine([egress(elements.into_iter().flatten())]);
        let connection = out(&engine, DB, Protocol::Udp, 53);
        let found = [&b"x.corp."[..], b"A.com", b"b.com"].map(|name| connection.query(name).allows());
        assert_eq!(found, want, "{why}");
        assert!(connection.verdict().proxied, "{why}");
    }
    let engine = engine([egress([with(db(), udp(53), dns())])]);
    let denied = out(&engine, DB, Protocol::Udp, 53).query(b"b.com");
    assert_eq!(denied.reason, Reason::NoDnsRuleMatches);
    assert_eq!(denied.rule.expect("rule").path(), "spec.egress[0].toPorts[0]");
}

#[test]
fn kafka_rules_decide_message_by_message() {
    let topic = |topic: &str| KafkaRule {
        topic: Some(topic.into()),
        ..KafkaRule::default()
    };
    let engine = engine([ingress([with(
        from([db()]),
        tcp(9092, 9092),
        rules(L7Rules::Kafka(vec![topic("a"), topic("b")])),
    )])]);
    let connection = to_web(&engine, DB, 9092);
    let request_for = |topics: &[&'static str]| KafkaRequest {
        topics: topics.iter().map(|topic| topic.as_bytes()).collect(),
        ..KafkaRequest::default()
    };
    assert!(connection.message(None, &request_for(&["a", "b"])).allows());
    let denied = connection.message(None, &request_for(&["a", "c"]));
    assert_eq!(denied.reason, Reason::NoKafkaRuleMatches);
    let http = connection.request(None, &request("GET", "/"));
    assert_eq!(http.reason, Reason::WrongProtocol);
}

fn expects(value: &str, mismatch: Option<MismatchAction>) -> HeaderMatch {
    HeaderMatch {
        name: "x-t".into(),
        expected: ExpectedHeader::Value(value.into()),
        mismatch,
        secret: false,
    }
}

fn on_path(path: &str, header_matches: Vec<HeaderMatch>) -> HttpRule {
    HttpRule {
        path: Some(path.into()),
        header_matches,
        ..HttpRule::default()
    }
}

#[test]
fn headers_are_changed_by_every_rule_that_matches() {
    let add = on_path("/a", vec![expects("v", Some(MismatchAction::Add))]);
    let plain = on_path("/a", Vec::new());
    let strict = on_path(
        "/b",
        vec![expects("v", None), expects("w", Some(MismatchAction::Replace))],
    );
    let http = rules(L7Rules::Http(vec![plain, add, strict]));
    let engine = engine([ingress([with(from([db()]), tcp(80, 80), http)])]);
    let connection = to_web(&engine, DB, 80);
    assert!(connection.changes_headers());
    let ask = |path: &str, value: Option<&str>| {
        let headers = value.map(|value| (b"X-T".to_vec(), value.as_bytes().to_vec()));
        let request = HttpRequest {
            headers: headers.into_iter().collect(),
            ..request("GET", path)
        };
        let changes = connection
            .header_changes(&request)
            .into_iter()
            .map(|change| change.change);
        (connection.request(None, &request).allows(), changes.collect::<Vec<_>>())
    };
    assert_eq!(
        ask("/a", None),
        (true, vec![Change::Append("v".into())]),
        "though another rule allows it"
    );
    assert_eq!(ask("/a", Some("v")), (true, vec![]), "as expected");
    assert_eq!(ask("/b", Some("v")), (true, vec![Change::Set("w".into())]));
    assert_eq!(
        ask("/b", Some("x")),
        (false, vec![]),
        "a rule that does not match changes nothing"
    );
}

#[test]
fn every_action_has_its_change() {
    for (action, absent, different) in [
        (MismatchAction::Log, Some(Change::Log), Some(Change::Log)),
        (
            MismatchAction::Add,
            Some(Change::Append("v".into())),
            Some(Change::Append("v".into())),
        ),
        (MismatchAction::Delete, None, Some(Change::Remove)),
        (
            MismatchAction::Replace,
            Some(Change::Set("v".into())),
            Some(Change::Set("v".into())),
        ),
    ] {
        let http = rules(L7Rules::Http(vec![on_path("/", vec![expects("v", Some(action))])]));
        let engine = engine([ingress([with(from([db()]), tcp(80, 80), http)])]);
        for (headers, want) in [
            (vec![], absent.clone()),
            (vec![(b"x-t".to_vec(), b"w".to_vec())], different.clone()),
            (vec![(b"x-t".to_vec(), b"v".to_vec())], None),
        ] {
            let request = HttpRequest {
                headers,
                ..request("GET", "/")
            };
            let connection = to_web(&engine, DB, 80);
            assert!(connection.request(None, &request).allows(), "{action:?}");
            let changes: Vec<_> = connection
                .header_changes(&request)
                .into_iter()
                .map(|c| c.change)
                .collect();
            assert_eq!(changes, Vec::from_iter(want), "{action:?}");
        }
    }
}

#[test]
fn a_secret_that_nobody_can_read_matches_nothing() {
    for mismatch in [None, Some(MismatchAction::Add)] {
        let unobtainable = HeaderMatch {
            expected: ExpectedHeader::Unobtainable,
            ..expects("", mismatch)
        };
        let http = rules(L7Rules::Http(vec![on_path("/", vec![unobtainable])]));
        let engine = engine([ingress([with(from([db()]), tcp(80, 80), http)])]);
        assert!(!to_web(&engine, DB, 80).request(None, &request("GET", "/")).allows());
    }
}

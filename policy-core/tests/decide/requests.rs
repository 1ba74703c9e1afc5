//! HTTP rules, and what other rules make of them.

use crate::world::*;
use policy_core::{
    Layer, Reason,
    bundle::{DefaultDeny, Rule},
};

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
        let verdict = connection.request(None, &request(method, path));
        assert_eq!(
            (verdict.allows(), verdict.layer, verdict.proxied),
            (want, Layer::L7, true),
            "{method} {path}"
        );
    }
    let denied = connection.request(None, &request("PUT", "/public"));
    assert_eq!(denied.reason, Reason::NoHttpRuleMatches);
    let allowed = connection.request(None, &request("POST", "/form"));
    assert_eq!(
        allowed.rule.expect("rule").path(),
        "spec.ingress[0].toPorts[0].rules.http[1]"
    );
    assert!(!allows(&to_web(&engine, MON, 80)) && !allows(&to_web(&engine, DB, 81)));
}

/// As many as are looked up rather than tried one after the other.
#[test]
fn of_many_rules_the_first_that_matches_speaks() {
    let paths: Vec<String> = (0..40).map(|number| format!("/p{number}/x")).collect();
    let mut patterns: Vec<(&str, &str)> = paths.iter().map(|path| ("GET", &**path)).collect();
    patterns.extend([
        ("GET", "/p7/.*"),
        ("PUT", "/p7/x"),
        ("PUT", "/p[0-9]+/x"),
        ("PUT", ".*/x"),
        ("GET", "/p7/x"),
    ]);
    // Two elements for the same peer and port, so that both are one list.
    let (some, others) = patterns.split_at(20);
    let engine = engine([ingress(
        [some, others].map(|patterns| from([db()]).http(tcp(80, 80), patterns)),
    )]);
    let connection = to_web(&engine, DB, 80);
    for (method, path, first, why) in [
        (
            "GET",
            "/p7/x",
            Some(7),
            "before the prefix, and before its own repetition",
        ),
        ("GET", "/p7/y", Some(40), "the prefix alone"),
        ("GET", "/p39/x", Some(39), "of the other element"),
        ("PUT", "/p7/x", Some(41), "the same path with another method"),
        ("PUT", "/p8/x", Some(42), "a regular expression"),
        ("PUT", "/q/x", Some(43), "one that any path may meet"),
        ("GET", "/q/x", None, "which is for another method"),
        ("GET", "/p40/x", None, "no such path"),
        ("GET", "", None, "no path to speak of"),
    ] {
        let verdict = connection.request(None, &request(method, path));
        assert_eq!(verdict.allows(), first.is_some(), "{why}");
        let Some(first) = first else { continue };
        let (element, rule) = if first < 20 { (0, first) } else { (1, first - 20) };
        let wanted = format!("spec.ingress[{element}].toPorts[0].rules.http[{rule}]");
        assert_eq!(verdict.rule.expect(why).path(), wanted, "{why}");
    }
}

#[test]
fn the_broadest_allow_wins_but_the_connection_stays_proxied() {
    let http = || from([db()]).http(tcp(80, 80), &[("GET", "/public")]);
    let post = request("POST", "/x");
    let plain_peer = engine([ingress([http()]), ingress([from([db()])])]);
    let verdict = to_web(&plain_peer, DB, 80).request(None, &post);
    assert!(verdict.allows() && verdict.proxied);
    assert!(!to_web(&plain_peer, DB, 81).verdict().proxied);

    let any_port_80 = engine([ingress([http()]), ingress([anyone().on([tcp(80, 80)])])]);
    assert!(to_web(&any_port_80, DB, 80).request(None, &post).proxied);
    let plain = to_web(&any_port_80, MON, 80).request(None, &post);
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
            to_web(&any_http, peer, port)
                .request(None, &request("GET", path))
                .allows(),
            want,
            "{peer}:{port} {path}"
        );
    }
    let host = to_web(&any_http, HOST, 80).request(None, &post);
    assert_eq!(
        (host.allows(), host.proxied, host.reason),
        (true, true, Reason::HostAllowed),
        "the host bypasses HTTP rules"
    );

    let lenient = engine([Rule {
        default_deny: DefaultDeny::default(),
        ..ingress([http()])
    }]);
    let verdict = to_web(&lenient, DB, 80).request(None, &post);
    assert_eq!(
        (verdict.allows(), verdict.proxied),
        (true, true),
        "without default deny HTTP rules only look"
    );
}

use core::iter;

use policy_core::View;

use super::*;
use crate::{
    config::Configuration,
    fake,
    policy::{Policy, Store},
};

const DEATHSTAR: &str = "10.0.0.1";
const TIE: &str = "10.0.0.2";
const XWING: &str = "10.0.0.3";

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

/// Allows these ports of the subject to everybody.
fn good(subject: u32, ports: &[u16]) -> String {
    let elements: Vec<String> = ports.iter().map(|port| fake::anybody(*port, "")).collect();
    policy(subject, &elements.join(","))
}

/// Contradicts itself about the subject.
fn bad(subject: u32) -> String {
    let element = fake::anybody(80, "");
    let with = |mode| element.replacen('{', &format!(r#"{{"authentication":"{mode}","#), 1);
    policy(subject, &format!("{},{}", with("required"), with("disabled")))
}

fn policy(subject: u32, ingress: &str) -> String {
    format!(
        r#"{{"kind":"CiliumNetworkPolicy","namespace":"empire","name":"p{subject}","rules":[
        {{"path":"spec","subject":{subject},"defaultDeny":{{"ingress":true,"egress":false}},"ingress":[{ingress}]}}]}}"#
    )
}

/// A world with these policies; the selectors 0 and 2 are those of the deathstar and of the tiefighter.
fn world(policies: &[String]) -> String {
    let policies: Vec<&str> = policies.iter().map(String::as_str).collect();
    fake::with_policies("", &policies)
}

/// The policies that come from these configurations, one after the other.
fn publish(store: &Store, configurations: impl IntoIterator<Item = String>) -> Rc<Policy> {
    let mut latest: Option<Rc<Policy>> = None;
    for configuration in configurations {
        latest = Some(next(store, &configuration, latest.as_deref()));
    }
    latest.expect("a configuration")
}

/// The policy that comes from this configuration.
fn next(store: &Store, configuration: &str, before: Option<&Policy>) -> Rc<Policy> {
    let (settings, packed) = Configuration::parse(fake::packed(configuration)).expect("configuration");
    store.policy(settings, packed, before)
}

/// The reason of the verdict on a connection.
fn reason(policy: &Policy, from: &str, to: &str, port: u16, scope: Scope) -> &'static str {
    let facts = AddressFacts::new(Some(ip(from)), Some(ip(to)), Protocol::Tcp, port);
    let asked = policy.admit(View::Enforced, &facts, scope);
    let verdict = asked.verdict();
    assert_eq!(
        asked.request(None, &policy_core::HttpRequest::default()).allows(),
        verdict.allows(),
        "requests are judged alike"
    );
    verdict.reason.as_str()
}

#[test]
fn without_a_last_good_policy_an_endpoint_is_denied_and_the_others_are_not() {
    let policy = publish(&Store::default(), [world(&[bad(0), good(2, &[80])])]);
    for (from, to, port, scope, want) in [
        (XWING, DEATHSTAR, 80, Scope::Ingress, "conflict"),
        (XWING, DEATHSTAR, 81, Scope::Ingress, "conflict"),
        (DEATHSTAR, XWING, 80, Scope::Egress, "conflict"),
        (XWING, TIE, 80, Scope::Ingress, "allowed-by-rule"),
        (XWING, TIE, 81, Scope::Ingress, "default-deny"),
        (TIE, XWING, 81, Scope::Both, "not-isolated"),
    ] {
        assert_eq!(reason(&policy, from, to, port, scope), want, "{from} to {to}:{port}");
    }
    let conflict = policy.engine.contradiction().expect("a contradiction");
    assert_eq!(conflict.addresses, [ip(DEATHSTAR)]);
    let rules: Vec<&str> = conflict.rules.split("; ").collect();
    assert!(matches!(rules[..], [one, other] if one != other), "{rules:?}");
}

#[test]
fn an_endpoint_keeps_its_last_good_policy_however_often_others_change() {
    let store = Store::default();
    let first = world(&[good(0, &[80])]);
    let others = (1..9).map(|port| world(&[bad(0), good(2, &[port])]));
    let policy = publish(&store, iter::once(first).chain(others));
    for (from, to, port, scope, want) in [
        (XWING, DEATHSTAR, 80, Scope::Ingress, "allowed-by-rule"),
        (XWING, DEATHSTAR, 81, Scope::Ingress, "default-deny"),
        (DEATHSTAR, XWING, 9, Scope::Egress, "not-isolated"),
        (XWING, TIE, 8, Scope::Ingress, "allowed-by-rule"),
        (XWING, TIE, 7, Scope::Ingress, "default-deny"),
        (DEATHSTAR, TIE, 8, Scope::Both, "not-isolated"),
        (DEATHSTAR, TIE, 80, Scope::Both, "default-deny"),
    ] {
        assert_eq!(reason(&policy, from, to, port, scope), want, "{from} to {to}:{port}");
    }
    assert_eq!(policy.earlier.len(), 1, "those between are nobody's last good one");
}

#[test]
fn what_nobody_needs_any_more_is_gone() {
    let store = Store::default();
    let bad_one = publish(&store, [world(&[good(0, &[80])]), world(&[bad(0)])]);
    let earlier = Rc::downgrade(&bad_one.earlier[0]);
    let repaired = next(&store, &world(&[good(0, &[81])]), Some(&bad_one));
    drop(bad_one);
    assert!(repaired.earlier.is_empty() && repaired.engine.contradiction().is_none() && earlier.upgrade().is_none());
    assert_eq!(reason(&repaired, XWING, DEATHSTAR, 80, Scope::Ingress), "default-deny");

    let harmless = publish(&store, [world(&[good(0, &[80])]), world(&[good(0, &[81])])]);
    assert!(harmless.earlier.is_empty(), "without a conflict nothing is kept");
}

#[test]
fn each_endpoint_has_its_own_last_good_policy() {
    let steps = [
        world(&[good(0, &[1]), good(2, &[1])]),
        world(&[bad(0), good(2, &[2])]),
        world(&[bad(0), bad(2)]),
        world(&[bad(0), bad(2), good(1, &[])]),
    ];
    let policy = publish(&Store::default(), steps);
    for (to, port, want) in [
        (DEATHSTAR, 1, "allowed-by-rule"),
        (DEATHSTAR, 2, "default-deny"),
        (TIE, 1, "default-deny"),
        (TIE, 2, "allowed-by-rule"),
    ] {
        assert_eq!(reason(&policy, XWING, to, port, Scope::Ingress), want, "{to}:{port}");
    }
}

#[test]
fn a_last_good_policy_too_many_denies() {
    // The selector of the xwing.
    let world = |policies: &[String]| {
        let rebel =
            r#"[{"equals":{"key":"any:app","value":"tiefighter"}}],[{"equals":{"key":"any:app","value":"xwing"}}]"#;
        world(policies).replace(r#"[{"equals":{"key":"any:app","value":"tiefighter"}}]"#, rebel)
    };
    let steps = [
        world(&[good(0, &[1]), good(2, &[1]), good(3, &[1])]),
        world(&[bad(0), good(2, &[1]), good(3, &[1])]),
        world(&[bad(0), bad(2), good(3, &[1])]),
        world(&[bad(0), bad(2), bad(3)]),
    ];
    let policy = publish(&Store::default(), steps);
    assert_eq!(policy.earlier.len(), MAX_EARLIER);
    for (from, to, want) in [
        (TIE, XWING, "allowed-by-rule"),
        (XWING, TIE, "allowed-by-rule"),
        (XWING, DEATHSTAR, "conflict"),
    ] {
        assert_eq!(reason(&policy, from, to, 1, Scope::Ingress), want, "{to}");
    }
}

#[test]
fn nobody_inherits_the_policy_of_an_address() {
    let before = world(&[good(0, &[80])]);
    let bad_now = world(&[bad(0)]);
    for (now, from, want, why) in [
        (bad_now.clone(), XWING, "allowed-by-rule", "nobody moved"),
        (
            bad_now.clone(),
            "192.0.2.1",
            "allowed-by-rule",
            "from outside, then and now",
        ),
        (
            bad_now.replace("10.0.0.2", "10.0.0.9"),
            XWING,
            "allowed-by-rule",
            "others moved",
        ),
        (
            bad_now.replace("10.0.0.3", "10.0.0.9"),
            XWING,
            "conflict",
            "the peer was an endpoint, and is none now",
        ),
        (
            bad_now.replace("10.0.0.3", "10.0.0.9"),
            "10.0.0.9",
            "conflict",
            "the peer is new",
        ),
        (
            bad_now.replace("k8s:app=xwing", "k8s:app=ywing"),
            XWING,
            "conflict",
            "the peer has other labels",
        ),
        (
            bad_now.replace("k8s:app=deathstar", "k8s:v=2\",\"k8s:app=deathstar"),
            XWING,
            "conflict",
            "the endpoint itself has other labels",
        ),
    ] {
        let policy = publish(&Store::default(), [before.clone(), now]);
        assert_eq!(reason(&policy, from, DEATHSTAR, 80, Scope::Ingress), want, "{why}");
    }
}

#[test]
fn a_last_good_policy_speaks_for_its_own_side_only() {
    // Formerly the tiefighter let everybody in. Now it does not, whatever happens to the deathstar.
    let steps = [
        world(&[good(0, &[80]), good(2, &[80])]),
        world(&[bad(0), good(2, &[81])]),
    ];
    let policy = publish(&Store::default(), steps);
    for (from, to, port, want) in [
        (DEATHSTAR, TIE, 80, "default-deny"),
        (DEATHSTAR, TIE, 81, "not-isolated"),
        (TIE, DEATHSTAR, 80, "allowed-by-rule"),
    ] {
        assert_eq!(
            reason(&policy, from, to, port, Scope::Both),
            want,
            "{from} to {to}:{port}"
        );
    }
}

#[test]
fn a_service_may_have_other_endpoints_than_it_had() {
    let service = r#""services":[{"name":"empire/vip","address":"10.96.0.1","protocol":"TCP","port":80,
        "backends":[{"identity":2,"port":80}]}],"identities""#;
    let with_service = |configuration: String| configuration.replace(r#""identities""#, service);
    let steps = [world(&[good(0, &[80])]), world(&[bad(0)])].map(with_service);
    let policy = publish(&Store::default(), steps);
    for (to, want) in [
        (XWING, "not-isolated"),
        ("192.0.2.1", "not-isolated"),
        ("10.96.0.1", "conflict"),
    ] {
        assert_eq!(reason(&policy, DEATHSTAR, to, 80, Scope::Egress), want, "{to}");
    }
}

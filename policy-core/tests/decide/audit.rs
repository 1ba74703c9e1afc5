//! Audit mode: which of the two verdicts an audited policy has a part in.

use crate::world::*;
use policy_core::{
    Admission, Bundle, Decision, Engine, Reason, Scope, View,
    bundle::{ExpectedHeader, HeaderMatch, HttpRule, L7Rules, Listener, MismatchAction, Mode, Policy, PortRule, Rule},
};

/// A bundle with a policy for each of these rules.
fn policies(rules: impl IntoIterator<Item = (Mode, Rule)>) -> Bundle {
    let policies = rules.into_iter().enumerate().map(|(i, (mode, rule))| Policy {
        kind: "CiliumNetworkPolicy".into(),
        namespace: Some("shop".into()),
        name: format!("p{i}"),
        mode,
        rules: vec![rule],
    });
    Bundle {
        policies: policies.collect(),
        ..world([])
    }
}

fn build(bundle: Bundle) -> Engine {
    Engine::new(bundle).expect("a good bundle")
}

const VIEWS: [View; 2] = [View::Enforced, View::Would];

/// TCP to `web`, asking those of its policies that have an effect, and all of them.
fn both(engine: &Engine, source: &str, port: u16) -> [Admission; 2] {
    VIEWS.map(|view| engine.admit_as(view, &facts(source, WEB, port), Scope::Ingress))
}

#[test]
fn an_audited_policy_has_a_part_in_one_verdict_only() {
    use Mode::{Audit, Enforce};
    use Reason::{AllowedByRule, DefaultDeny, DeniedByRule, NotIsolated};
    let allow_db = || ingress([from([db()])]);
    let deny_db = || Rule {
        ingress_deny: vec![from([db()])],
        ..web_rule()
    };
    for (rules, source, enforced, would, why) in [
        (
            vec![(Audit, allow_db())],
            MON,
            NotIsolated,
            DefaultDeny,
            "it does not isolate",
        ),
        (
            vec![(Audit, allow_db())],
            DB,
            NotIsolated,
            AllowedByRule,
            "nor is it what allows",
        ),
        (
            vec![(Enforce, ingress([])), (Enforce, allow_db()), (Audit, deny_db())],
            DB,
            AllowedByRule,
            DeniedByRule,
            "it does not deny",
        ),
        (
            vec![(Enforce, allow_db()), (Audit, ingress([anyone()]))],
            MON,
            DefaultDeny,
            AllowedByRule,
            "it allows nothing: what is denied stays denied",
        ),
        (
            vec![(Enforce, allow_db()), (Audit, ingress([anyone()]))],
            DB,
            AllowedByRule,
            AllowedByRule,
            "where both agree",
        ),
    ] {
        let engine = build(policies(rules));
        let reasons = both(&engine, source, 80).map(|admission| admission.verdict().reason);
        assert_eq!(reasons, [enforced, would], "{why}");
    }
}

#[test]
fn a_policy_set_without_audit_has_one_verdict() {
    for (mode, all, has_audit, why) in [
        (Mode::Enforce, false, false, "no policy is audited"),
        (Mode::Audit, false, true, "one is"),
        (Mode::Enforce, true, true, "all are"),
    ] {
        let mut bundle = policies([(mode, ingress([from([db()])]))]);
        bundle.options.audit = all;
        let engine = build(bundle);
        assert_eq!(engine.has_audit(), has_audit, "{why}");
        let [enforced, would] = both(&engine, MON, 80).map(|admission| admission.verdict().decision);
        assert_eq!(enforced != would, has_audit, "{why}");
    }
}

#[test]
fn requests_have_two_verdicts_as_well() {
    let rule = ingress([from([db()]).http(tcp(80, 80), &[("GET", "/a")])]);
    let engine = build(policies([
        (Mode::Enforce, ingress([from([db()])])),
        (Mode::Audit, rule.clone()),
    ]));
    let [unrestricted, would] = both(&engine, DB, 80);
    assert!(would.verdict().allows() && !unrestricted.verdict().proxied);
    assert_eq!(
        unrestricted.request(None, &request("POST", "/a")).reason,
        Reason::AllowedByRule,
        "nobody looks into it"
    );

    let engine = build(policies([(Mode::Audit, rule)]));
    let [admission, would] = both(&engine, DB, 80);
    for (method, want, why) in [
        ("GET", Reason::AllowedByRule, "what the rule is for"),
        ("POST", Reason::NoHttpRuleMatches, "anything else"),
    ] {
        let facts = request(method, "/a");
        assert_eq!(admission.request(None, &facts).reason, Reason::NotIsolated, "{why}");
        assert_eq!(would.request(None, &facts).reason, want, "{why}");
    }
}

#[test]
fn an_audited_policy_changes_no_headers() {
    let header = HeaderMatch {
        name: "x-key".into(),
        expected: ExpectedHeader::Value("v".into()),
        mismatch: Some(MismatchAction::Add),
        secret: false,
    };
    let http = HttpRule {
        header_matches: vec![header],
        ..HttpRule::default()
    };
    let rule = ingress([with(from([db()]), tcp(80, 80), rules(L7Rules::Http(vec![http])))]);
    for (mode, changes, why) in [
        (Mode::Enforce, 1, "the rule adds a header"),
        (Mode::Audit, 0, "it has no effect"),
    ] {
        let engine = build(policies([(mode, rule.clone())]));
        let admission = to_web(&engine, DB, 80);
        assert_eq!(admission.changes_headers(), changes > 0, "{why}");
        assert_eq!(admission.header_changes(&request("GET", "/")).len(), changes, "{why}");
    }
}

#[test]
fn an_audited_rule_contradicts_nobody() {
    let listener = |name: &str| {
        let settings = PortRule {
            listener: Some(Listener {
                name: name.into(),
                priority: Some(1),
            }),
            ..PortRule::default()
        };
        ingress([with(from([db()]), tcp(80, 80), settings)])
    };
    for (mode, enforced, why) in [
        (Mode::Enforce, Decision::Conflict, "both count"),
        (Mode::Audit, Decision::Allow, "only one counts"),
    ] {
        let engine = build(policies([(Mode::Enforce, listener("a")), (mode, listener("b"))]));
        let decisions = both(&engine, DB, 80).map(|admission| admission.verdict().decision);
        assert_eq!(decisions, [enforced, Decision::Conflict], "{why}");
    }
}

#[test]
fn with_all_policies_audited_nothing_is_denied() {
    let audited = |rules: Vec<Rule>| {
        let mut bundle = policies(rules.into_iter().map(|rule| (Mode::Enforce, rule)));
        bundle.options.audit = true;
        build(bundle)
    };
    let engine = audited(vec![ingress([from([db()]).http(tcp(80, 80), &[("GET", "/a")])])]);
    for (source, port, want, why) in [
        (MON, 80, Reason::DefaultDeny, "another peer"),
        (DB, 81, Reason::DefaultDeny, "another port"),
        (DB, 80, Reason::AllowedByRule, "what the rule allows"),
    ] {
        let [enforced, would] = both(&engine, source, port).map(|admission| admission.verdict());
        assert!(enforced.allows(), "{why}");
        assert_eq!([enforced.reason, would.reason], [Reason::Audited, want], "{why}");
    }
    let post = request("POST", "/a");
    let reasons = both(&engine, DB, 80).map(|admission| admission.request(None, &post).reason);
    assert_eq!(reasons, [Reason::Audited, Reason::NoHttpRuleMatches]);

    for (rules, why) in [
        (Vec::new(), "also without a policy"),
        (vec![ingress([])], "and with one"),
    ] {
        let engine = audited(rules);
        let nobody = VIEWS.map(|view| engine.admit_as(view, &facts(WORLD, WORLD, 80), Scope::Both));
        let [enforced, would] = nobody.map(|admission| admission.request(None, &post));
        assert!(enforced.allows(), "{why}");
        let reasons = [enforced.reason, would.reason];
        assert_eq!(reasons, [Reason::Audited, Reason::UnknownSubject], "{why}");
    }
}

#[test]
fn the_wire_names_the_mode_only_if_it_is_not_the_usual_one() {
    let plain = policies([(Mode::Enforce, ingress([anyone()]))]);
    let text = |bundle: &Bundle| String::from_utf8(bundle.to_json()).expect("JSON");
    assert!(!text(&plain).contains("mode") && !text(&plain).contains("audit"));
    let mut audited = plain.clone();
    audited.options.audit = true;
    audited.policies[0].mode = Mode::Audit;
    let read = Bundle::from_json(&audited.to_json()).expect("our own bytes");
    assert!(read.options.audit && read.policies[0].mode == Mode::Audit);
    assert_eq!(audited.without_audit(), plain);
    let wrong = text(&plain).replace(r#""name":"p0""#, r#""name":"p0","mode":"watch""#);
    let (_, rest) = wrong.split_once(',').expect("a digest");
    assert!(
        Bundle::from_json(format!("{{{rest}").as_bytes()).is_err(),
        "an unknown mode"
    );
}

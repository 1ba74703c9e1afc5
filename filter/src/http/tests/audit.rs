//! Requests under policies in audit mode.

use super::*;

/// The verdict in effect with its reason, and what it would be.
fn both(plugin: &Plugin) -> [String; 2] {
    let state = |verdict, reason| format!("{} {}", plugin.world.state(verdict), plugin.world.state(reason));
    [
        state("portcullis_http", "portcullis_reason"),
        state("portcullis_would", "portcullis_would_reason"),
    ]
}

fn audits(plugin: &Plugin, layer: &str) -> u64 {
    plugin
        .world
        .metric(&format!("portcullis_audit_total.dir.ingress.layer.{layer}.would.deny"))
}

#[test]
fn requests_pass_and_say_what_would_be() {
    let enforced = fake::configuration(INGRESS);
    let one = fake::audited(&enforced, "deathstar");
    let all = fake::all_audited(&enforced);
    for (configuration, reason) in [(&one, "not-isolated"), (&all, "audited")] {
        let plugin = connected(configuration, XWING, METRICS);
        for (path, would, why) in [
            ("/metrics", "allow allowed-by-rule", "the rule"),
            ("/", "deny no-http-rule-matches", "another path"),
            ("/metrics/..;/", "deny ambiguous-path", "who knows which"),
        ] {
            let before = audits(&plugin, "l7");
            assert_eq!(plugin.get("deathstar", path), Action::Continue, "{path}: {why}");
            assert_eq!(
                both(&plugin),
                [format!("allow {reason}"), would.into()],
                "{path}: {why}"
            );
            assert_eq!(plugin.world.state("portcullis_http"), "allow", "{path}: {why}");
            let spared = u64::from(would.starts_with("deny"));
            assert_eq!(audits(&plugin, "l7") - before, spared, "{path}: {why}");
        }
        let rule = plugin.world.state("portcullis_would_rule");
        assert!(rule.is_empty(), "the plugin itself refuses such a path: {rule}");
    }
}

#[test]
fn a_connection_that_would_be_denied_says_so_on_each_request() {
    let plugin = connected(
        &fake::audited(&fake::configuration(INGRESS), "deathstar"),
        XWING,
        DEATHSTAR,
    );
    assert_eq!(audits(&plugin, "l4"), 1);
    assert_eq!(plugin.world.state("portcullis_would"), "", "its requests say it");
    assert_eq!(plugin.get("deathstar", "/"), Action::Continue);
    assert_eq!(both(&plugin), ["allow not-isolated", "deny default-deny"]);
    assert_eq!(audits(&plugin, "l7"), 1);
}

#[test]
fn what_cannot_be_judged_passes_only_if_all_policies_are_audited() {
    let enforced = fake::configuration(INGRESS);
    for (configuration, action, verdict, why) in [
        (
            fake::audited(&enforced, "deathstar"),
            Action::Pause,
            "deny",
            "others are in effect",
        ),
        (fake::all_audited(&enforced), Action::Continue, "allow", "none is"),
    ] {
        let plugin = connected(&configuration, XWING, METRICS);
        plugin.world.set_state("portcullis_conn", None);
        assert_eq!(plugin.get("deathstar", "/"), action, "{why}");
        let [enforced, would] = both(&plugin);
        assert!(enforced.starts_with(verdict), "{why}: {enforced}");
        assert_eq!(would, "deny no-connection-facts", "{why}");
        for guard in ["portcullis_http", "portcullis_upstream"] {
            let passes = plugin.world.state(guard) == "allow";
            assert_eq!(passes, verdict == "allow", "{why}: {guard}");
        }
    }
}

#[test]
fn a_connection_without_facts_leaves_requests_that_say_so() {
    let all = fake::all_audited(&fake::configuration(INGRESS));
    let plugin = connected(&all, "nonsense", METRICS);
    assert_eq!(
        plugin.world.state("portcullis_verdict"),
        "",
        "or else requests would share it"
    );
    assert_eq!(plugin.get("deathstar", "/metrics"), Action::Continue);
    assert_eq!(both(&plugin), ["allow audited", "deny no-connection-facts"]);
}

#[test]
fn a_request_loses_what_audit_mode_gave_it() {
    let enforced = fake::configuration(INGRESS);
    for (audited, path, facts, revoked, why) in [
        (
            fake::audited(&enforced, "deathstar"),
            "/",
            true,
            true,
            "what would be denied",
        ),
        (fake::all_audited(&enforced), "/", true, true, "by whichever mode"),
        (
            fake::all_audited(&enforced),
            "/metrics",
            true,
            false,
            "what would be allowed",
        ),
        (
            fake::all_audited(&enforced),
            "/metrics",
            false,
            true,
            "what nobody could judge",
        ),
    ] {
        let plugin = connected(&audited, XWING, METRICS);
        if !facts {
            plugin.world.set_state("portcullis_conn", None);
        }
        let head: [(&[u8], &[u8]); 3] = [(b":method", b"GET"), (b":path", path.as_bytes()), (b":authority", b"x")];
        let (mut filter, action) = plugin.request(&head);
        assert_eq!(action, Action::Continue, "{why}");
        assert!(plugin.configure(&enforced));
        filter.judge_again();
        let denied = plugin.world.reply.borrow().is_some();
        assert_eq!(denied, revoked, "{why}");
    }
}

#[test]
fn what_is_spared_is_a_flow_of_its_own_kind() {
    let settings = r#""direction":"ingress","flowLog":true,"#;
    let plugin = connected(
        &fake::audited(&fake::configuration(settings), "deathstar"),
        XWING,
        METRICS,
    );
    for (path, verdict, would) in [("/", "AUDIT", "deny"), ("/metrics", "FORWARDED", "allow")] {
        plugin.get("deathstar", path);
        let flow: serde_json::Value = serde_json::from_str(&plugin.world.state("portcullis_flow")).expect("JSON");
        assert_eq!(
            (&flow["verdict"], &flow["portcullis"]["would"]["verdict"]),
            (&verdict.into(), &would.into())
        );
    }
}

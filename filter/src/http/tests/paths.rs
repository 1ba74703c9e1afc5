//! Paths that a server may read differently than the policy does.

use super::*;

#[test]
fn a_path_that_the_server_may_read_differently_is_refused_where_requests_count() {
    let everything_below = fake::configuration(INGRESS).replace(r#""/metrics""#, r#""/metrics/.*""#);
    let plugin = connected(&everything_below, XWING, METRICS);
    for (path, want) in [
        ("/metrics/a", "allowed-by-rule"),
        ("/metrics/..;/secret", "ambiguous-path"),
        ("/metrics/%2e%2e;/secret", "ambiguous-path"),
        ("/metrics/a%2fb", "ambiguous-path"),
        ("/metrics/a?b=/../%2f", "allowed-by-rule"),
        ("*", "no-http-rule-matches"),
    ] {
        plugin.get("deathstar", path);
        assert_eq!(reason(&plugin), want, "{path}");
        let guard = if want == "allowed-by-rule" { "allow" } else { "deny" };
        assert_eq!(plugin.world.state("portcullis_http"), guard, "{path}");
    }
    plugin.connect(TIE, DEATHSTAR);
    assert_eq!(
        plugin.get("deathstar", "/metrics/..;/secret"),
        Action::Continue,
        "no rule looks at the path"
    );

    let plugin = connected(&fake::configuration(EGRESS_BY_NAME), TIE, "10.9.9.9:3128");
    assert_eq!(
        plugin.get("cilium.io", "/a/..;/b"),
        Action::Continue,
        "nor here, though the authority counts"
    );
    let rule = r#"[{"port":{"protocol":"TCP","numbers":{"range":[80,80]}}}]}]}]}]}]"#;
    let inspected = rule.replacen("}]}]}", r#"}],"rules":{"http":[{"path":"/a/.*","headers":[]}]}}]}"#, 1);
    let plugin = connected(
        &fake::configuration(EGRESS_BY_NAME).replace(rule, &inspected),
        TIE,
        "10.9.9.9:3128",
    );
    assert_eq!(plugin.get("cilium.io", "/a/b"), Action::Continue);
    assert_eq!(plugin.get("cilium.io", "/a/..;/b"), Action::Pause);
    assert_eq!(reason(&plugin), "ambiguous-path");
}

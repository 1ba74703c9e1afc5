//! Requests on connections that ask for a TLS server name.

use super::*;

#[test]
fn requests_are_judged_with_the_server_name_of_their_connection() {
    const RULE: &str =
        r#","serverNames":["*.example.com"],"terminatingTls":"empire/tls","rules":{"http":[{"path":"/app"}]}"#;
    let plugin = Plugin::new(&fake::ingress(INGRESS, &[&fake::anybody(80, RULE)]));
    plugin.world.listener("protocol", "http");
    let (_, action) = plugin.connect(XWING, DEATHSTAR);
    assert_eq!(action, Action::Continue, "the handshake is yet to come");
    for (name, path, want, want_reason) in [
        ("a.example.com", "/app", Action::Continue, "allowed-by-rule"),
        ("a.example.com", "/", Action::Pause, "no-http-rule-matches"),
        ("example.com", "/app", Action::Pause, "server-name-not-allowed"),
        ("", "/app", Action::Pause, "server-name-not-allowed"),
        ("\u{fffd}", "/app", Action::Pause, "server-name-not-allowed"),
    ] {
        plugin.world.set("connection.requested_server_name", name);
        assert_eq!(plugin.get("deathstar", path), want, "{name} {path}");
        assert_eq!(reason(&plugin), want_reason, "{name} {path}");
    }
    plugin.world.unset("connection.requested_server_name");
    assert_eq!(plugin.get("deathstar", "/app"), Action::Pause, "no TLS");
    assert_eq!(reason(&plugin), "server-name-not-allowed");
}

#[test]
fn a_name_is_read_only_if_a_rule_looks_at_it() {
    let plugin = connected(&fake::configuration(INGRESS), XWING, METRICS);
    plugin.world.set("connection.requested_server_name", "a.example.com");
    assert_eq!(plugin.get("deathstar", "/metrics"), Action::Continue);
    assert_eq!(plugin.get("deathstar", "/"), Action::Pause);
    assert_eq!(plugin.world.server_name_reads.get(), 0);
}

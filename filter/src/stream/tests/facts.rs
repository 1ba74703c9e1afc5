//! What counts besides addresses: the TLS server name, proof of identity, and what a connection carries.

use super::*;
use crate::host::Level;

fn plugin(members: &str) -> Plugin {
    Plugin::new(&fake::ingress(INGRESS, &[&fake::anybody(80, members)]))
}

#[test]
fn a_server_name_decides_where_a_rule_wants_one() {
    let plugin = plugin(r#","serverNames":["*.example.com"]"#);
    assert_eq!(
        outcome(&plugin, XWING, DEATHSTAR),
        denied("server-name-not-allowed"),
        "no TLS"
    );
    for (name, want, why) in [
        (&b"a.example.com"[..], allowed("allowed-by-rule"), "the name"),
        (b"A.Example.COM", allowed("allowed-by-rule"), "names have no case"),
        (b"example.com", denied("server-name-not-allowed"), "another name"),
        (b"", denied("server-name-not-allowed"), "TLS without a name"),
        (b"\xff\xfe", denied("server-name-not-allowed"), "not a name"),
    ] {
        plugin.world.set("connection.requested_server_name", name);
        assert_eq!(outcome(&plugin, XWING, DEATHSTAR), want, "{why}");
    }
    plugin.world.set("connection.requested_server_name", "a.example.com");
    plugin.world.server_name_reads.set(0);
    assert_eq!(outcome(&plugin, XWING, "10.0.0.1:81"), denied("default-deny"));
    assert_eq!(plugin.world.server_name_reads.get(), 0, "no name would open this port");
}

#[test]
fn on_an_http_listener_only_a_known_name_decides_at_once() {
    let plugin = plugin(r#","serverNames":["*.example.com"]"#);
    plugin.world.listener("protocol", "http");
    assert_eq!(
        outcome(&plugin, XWING, DEATHSTAR),
        allowed(""),
        "the handshake is yet to come"
    );
    plugin.world.set("connection.requested_server_name", "a.example.com");
    assert_eq!(outcome(&plugin, XWING, DEATHSTAR), allowed(""));
    plugin.world.set("connection.requested_server_name", "b.example.org");
    assert_eq!(outcome(&plugin, XWING, DEATHSTAR), denied("server-name-not-allowed"));
}

#[test]
fn an_open_connection_follows_the_policy_with_its_server_name() {
    let plugin = Plugin::new(&fake::without_policies(INGRESS));
    plugin.world.set("connection.requested_server_name", "a.example.com");
    let (mut filter, _) = plugin.connect(XWING, DEATHSTAR);
    for (name, want) in [("a.example.com", Action::Continue), ("b.example.com", Action::Pause)] {
        let rule = fake::anybody(80, &format!(r#","serverNames":["{name}"]"#));
        assert!(plugin.configure(fake::ingress(INGRESS, &[&rule])));
        assert_eq!(filter.data(Data::Downstream), want, "{name}");
    }
}

#[test]
fn only_the_operator_says_that_the_network_authenticates() {
    let required = fake::anybody(80, "").replacen('{', r#"{"authentication":"required","#, 1);
    let plugin = Plugin::new(&fake::ingress(INGRESS, &[&required]));
    assert_eq!(outcome(&plugin, XWING, DEATHSTAR), denied("not-authenticated"));
    plugin.world.set("connection.mtls", [1]);
    assert_eq!(
        outcome(&plugin, XWING, DEATHSTAR),
        denied("not-authenticated"),
        "nobody knows whether the certificate was verified"
    );
    plugin.world.listener("authentication", "network");
    assert_eq!(outcome(&plugin, XWING, DEATHSTAR), allowed("allowed-by-rule"));
    plugin.world.listener("authentication", "yes");
    assert_eq!(outcome(&plugin, XWING, DEATHSTAR), denied("bad-listener-metadata"));
}

#[test]
fn what_nobody_looks_at_is_denied() {
    for (members, want) in [
        (r#","rules":{"kafka":[{"topic":"plans"}]}"#, "wrong-protocol"),
        (r#","rules":{"http":[{"path":"/"}]}"#, "http-required"),
        (
            r#","rules":{"http":[{"headerMatches":[{"name":"a","expected":{"value":"b"},"mismatch":"ADD"}]}]}"#,
            "http-required",
        ),
    ] {
        assert_eq!(outcome(&plugin(members), XWING, DEATHSTAR), denied(want), "{members}");
    }
}

#[test]
fn policies_that_contradict_each_other_deny_and_name_both_rules() {
    let element = fake::anybody(80, "");
    let with = |mode| element.replacen('{', &format!(r#"{{"authentication":"{mode}","#), 1);
    let contradicting = fake::ingress(INGRESS, &[&with("required"), &with("disabled")]);
    let plugin = Plugin::new(&contradicting);
    assert_eq!(outcome(&plugin, XWING, DEATHSTAR), denied("conflict"));
    assert_eq!(plugin.world.state("portcullis_verdict"), "conflict");
    let rule = plugin.world.state("portcullis_rule");
    let named: Vec<_> = rule.split("; ").map(|rule| rule.split(' ').next()).collect();
    let want = ["CiliumNetworkPolicy/empire/p0", "CiliumNetworkPolicy/empire/p1"].map(Some);
    assert_eq!(named, want, "{rule}");
    assert!(
        plugin
            .world
            .logs
            .borrow()
            .iter()
            .any(|(level, line)| *level == Level::Error && line.contains(&rule))
    );
    assert_eq!(plugin.world.verdicts("ingress", "l4", "deny"), 1);

    let plugin = Plugin::new(&fake::ingress(INGRESS, &[&element]));
    let (mut open, _) = plugin.connect(XWING, DEATHSTAR);
    assert!(plugin.configure(&contradicting));
    assert_eq!(
        outcome(&plugin, XWING, DEATHSTAR),
        allowed("allowed-by-rule"),
        "the last good policy"
    );
    assert_eq!(open.data(Data::Downstream), Action::Continue);
    assert_eq!(outcome(&plugin, XWING, "10.0.0.1:81"), denied("default-deny"));
}

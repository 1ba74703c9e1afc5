//! What the client of a denied request is told, where the operator wants it to know why.

use super::*;
use serde_json::{Value, json};

const HEADER: &str = r#""direction":"ingress","explain":{"denials":"header"},"#;
const BODY: &str = r#""direction":"ingress","explain":{"denials":"body"},"#;
const RULE: &str = "CiliumNetworkPolicy/empire/deathstar spec.ingress[1].toPorts[0]";

fn reply(plugin: &Plugin) -> Reply {
    plugin.world.reply.borrow().clone().expect("a reply")
}

/// The value of the header that explains.
fn explanation(plugin: &Plugin) -> String {
    let (name, value) = reply(plugin).header.expect("a header");
    assert_eq!(name, "x-portcullis-reason");
    value
}

#[test]
fn a_header_names_the_nearest_miss() {
    let plugin = connected(&fake::configuration(HEADER), XWING, METRICS);
    for (path, want) in [
        (
            "/secret",
            format!("no-http-rule-matches; {RULE}.rules.http[0]: path /secret is not /metrics"),
        ),
        (
            "/exhaust",
            format!("no-http-rule-matches; {RULE}.rules.http[1]: header x-force is missing, wanted `true`"),
        ),
    ] {
        plugin.get("deathstar", path);
        assert_eq!(explanation(&plugin), want);
        assert_eq!(reply(&plugin).body, b"Access denied\r\n", "{path}");
    }
    assert_eq!(plugin.get("deathstar", "/metrics"), Action::Continue);
    assert_eq!(*plugin.world.reply.borrow(), None, "what passes is not explained");
}

#[test]
fn a_header_is_printable_and_bounded_whatever_was_sent() {
    let plugin = connected(&fake::configuration(HEADER), XWING, METRICS);
    plugin.request(&[(b":method", b"GET"), (b":path", b"/a\r\nset-cookie: b\xff\x00")]);
    assert!(
        explanation(&plugin).ends_with("path /a??set-cookie: b?? is not /metrics"),
        "{}",
        explanation(&plugin)
    );
    plugin.request(&[(b":method", b"GET"), (b":path", &[b'/'; 60_000])]);
    assert_eq!(explanation(&plugin).len(), 1024);
}

#[test]
fn what_the_plugin_refuses_has_its_reason() {
    let plugin = connected(&fake::configuration(HEADER), XWING, METRICS);
    assert_eq!(plugin.get("deathstar", "/metrics%2f"), Action::Pause);
    assert_eq!(explanation(&plugin), "ambiguous-path");
    let settings = r#""direction":"egress","destination":"authority","explain":{"denials":"header"},"#;
    let plugin = connected(&fake::configuration(settings), TIE, "10.9.9.9:3128");
    assert_eq!(plugin.get("a,b", "/"), Action::Pause);
    assert_eq!(explanation(&plugin), "bad-authority");
    assert_eq!(plugin.get("evil.example", "/"), Action::Pause);
    let value = explanation(&plugin);
    assert!(
        value.starts_with("default-deny; ") && value.contains("name evil.example does not match"),
        "{value}"
    );
}

#[test]
fn a_body_is_a_document() {
    let plugin = connected(&fake::configuration(BODY), XWING, METRICS);
    assert_eq!(plugin.get("deathstar", "/\"\n\u{e9}"), Action::Pause);
    let Reply {
        status, body, header, ..
    } = reply(&plugin);
    assert_eq!(header, Some(("content-type".into(), "application/json".into())));
    let want = json!({
        "verdict": "deny",
        "reason": "no-http-rule-matches",
        "rule": RULE,
        "isolated_by": ["CiliumNetworkPolicy/empire/deathstar spec"],
        "nearest": {"rule": format!("{RULE}.rules.http[0]"), "missed": "path /\"\n\u{e9} is not /metrics"},
    });
    assert_eq!(
        (status, serde_json::from_slice::<Value>(&body).expect("JSON")),
        (403, want)
    );
    assert!(body.is_ascii());

    assert_eq!(plugin.get("deathstar", "/metrics%2f"), Action::Pause);
    let want = json!({"verdict": "deny", "reason": "ambiguous-path"});
    assert_eq!(
        serde_json::from_slice::<Value>(&reply(&plugin).body).expect("JSON"),
        want
    );
}

#[test]
fn grpc_gets_a_message_and_no_document() {
    let plugin = connected(&fake::configuration(BODY), XWING, METRICS);
    for (content_type, plain, why) in [
        ("application/grpc", true, "gRPC"),
        ("application/grpc+proto", true, "gRPC with its encoding"),
        ("application/grpc-web", false, "to Envoy a request like others"),
        ("text/plain", false, "no gRPC"),
    ] {
        plugin.request(&[
            (b":method", b"POST"),
            (b":path", b"/x"),
            (b"content-type", content_type.as_bytes()),
        ]);
        let reply = reply(&plugin);
        assert_eq!(
            (reply.body == b"Access denied\r\n", reply.header.is_none()),
            (plain, plain),
            "{why}"
        );
    }
}

#[test]
fn a_denial_without_policy_is_plain() {
    let plugin = connected(&fake::configuration(HEADER), XWING, METRICS);
    plugin.world.set_state("portcullis_conn", None);
    assert_eq!(plugin.get("deathstar", "/metrics"), Action::Pause);
    assert_eq!(
        (reply(&plugin).header, reason(&plugin)),
        (None, "no-connection-facts".into())
    );
}

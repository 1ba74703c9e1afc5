//! Requests that rules change.

use super::*;
use crate::host::Level;

const CHANGES: &str = r#","rules":{"http":[{"path":"/app","headerMatches":[
    {"name":"x-added","expected":{"value":"yes"},"mismatch":"ADD"},
    {"name":"x-role","expected":{"value":"guest"},"mismatch":"REPLACE"},
    {"name":"x-debug","expected":{"value":"off"},"mismatch":"DELETE"},
    {"name":"x-token","expected":{"value":"hunter2"},"mismatch":"LOG","secret":true}]}]}"#;

/// A plugin whose deathstar lets in everybody on port 80, with these members of the port rule.
fn plugin(members: &str) -> Plugin {
    let configuration = fake::ingress(INGRESS, &[&fake::anybody(80, members)]);
    connected(&configuration, XWING, DEATHSTAR)
}

#[test]
fn an_allowed_request_goes_on_with_the_changes_of_its_rule() {
    let plugin = plugin(CHANGES);
    let (_, action) = plugin.request(&[
        (b":method", b"GET"),
        (b":path", b"/app"),
        (b"x-role", b"admin"),
        (b"x-role", b"root"),
        (b"x-debug", b"on"),
        (b"x-token", b"hunter1"),
        (b"x-other", b"\xff\xfe"),
    ]);
    assert_eq!((action, reason(&plugin)), (Action::Continue, "allowed-by-rule".into()));
    for (name, want) in [
        (":path", &["/app"][..]),
        ("x-added", &["yes"]),
        ("x-role", &["guest"]),
        ("x-debug", &[]),
        ("x-token", &["hunter1"]),
    ] {
        assert_eq!(plugin.world.header(name), want, "{name}");
    }
    let other = (b"x-other".to_vec(), b"\xff\xfe".to_vec());
    assert!(plugin.world.header_pairs().contains(&other), "untouched");
    let logs = plugin.world.logs.borrow();
    let told: Vec<_> = logs.iter().filter(|(_, line)| line.starts_with("header")).collect();
    let [(level, line)] = told[..] else { panic!("{told:?}") };
    assert!(
        *level == Level::Info && line.contains("x-token") && line.contains("p0"),
        "{line}"
    );
    assert!(
        logs.iter().all(|(_, line)| !line.contains("hunter")),
        "no value is logged: {logs:?}"
    );
}

#[test]
fn a_request_as_expected_stays_as_it_is() {
    let plugin = plugin(CHANGES);
    let sent: [(&[u8], &[u8]); 5] = [
        (b":path", b"/app"),
        (b"x-added", b"yes"),
        (b"x-role", b"guest"),
        (b"x-debug", b"off"),
        (b"x-token", b"hunter2"),
    ];
    assert_eq!(plugin.request(&sent).1, Action::Continue);
    let want: Vec<_> = sent
        .iter()
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect();
    assert_eq!(plugin.world.header_pairs(), want);
}

#[test]
fn a_request_that_is_denied_is_not_changed() {
    let plugin = plugin(CHANGES);
    assert_eq!(plugin.get("deathstar", "/other"), Action::Pause);
    assert_eq!(reason(&plugin), "no-http-rule-matches");
    assert_eq!(plugin.world.header("x-added"), [""; 0]);
    assert_eq!(plugin.get("deathstar", "/app/..;/app"), Action::Pause);
    assert_eq!(
        reason(&plugin),
        "ambiguous-path",
        "what changes depends on the path, too"
    );
}

#[test]
fn a_change_that_cannot_be_made_denies() {
    let fixed = plugin(CHANGES);
    fixed.world.headers_are_fixed.set(true);
    let authority = CHANGES.replace("x-added", ":authority");
    let lines = CHANGES.replace(r#""yes""#, r#""yes\r\nx-admin: 1""#);
    for (plugin, why) in [
        (fixed, "the host does not do it"),
        (plugin(&authority), "another destination"),
        (plugin(&lines), "two headers"),
    ] {
        let (mut filter, action) = plugin.request(&[(b":path", b"/app"), (b":authority", b"deathstar")]);
        assert_eq!(
            (action, filter.rest_of_request()),
            (Action::Pause, Action::Pause),
            "{why}"
        );
        assert_eq!(
            (reason(&plugin), plugin.world.state("portcullis_http")),
            ("unchangeable-header".into(), "deny".into()),
            "{why}"
        );
        assert!(plugin.world.state("portcullis_rule").contains("p0"), "{why}");
        assert!(plugin.world.reply.borrow().is_some(), "{why}");
    }
}

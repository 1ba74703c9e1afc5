//! Policies in audit mode deny nothing, and the access log tells what they would; enforced, they do.

mod common;

use common::policy::{Configuration, RULE, SERVICES, from_client};
use common::{TIMEOUT, World, start_plugin};
use envoy_e2e::run::EnvoyProcess;
use serde_json::{Value, json};

/// The client may send requests for `/public` and nothing else; TCP is denied by a rule.
fn policy(world: &World) -> Configuration {
    let fields = json!({
        "defaultDeny": { "ingress": true, "egress": false },
        "ingress": [from_client(80, Some(json!([{ "path": "/public" }])))],
        "ingressDeny": [from_client(7, None)],
    });
    Configuration::rule(world, SERVICES, fields)
}

/// Decision, reason and rule, as they are and as they would be.
fn told(line: &Value) -> [Value; 2] {
    [
        json!([line["verdict"], line["reason"], line["rule"]]),
        json!([line["would"], line["would_reason"], line["would_rule"]]),
    ]
}

fn request(envoy: &EnvoyProcess, path: &str) -> [Value; 2] {
    told(&envoy.wait_for_access(|line| line["path"] == path, TIMEOUT).unwrap())
}

fn connection(envoy: &EnvoyProcess, l4: &str) -> [Value; 2] {
    let wanted = |line: &Value| line["log"] == "connection" && line["listener"] == "echo" && line["l4"] == l4;
    told(&envoy.wait_for_access(wanted, TIMEOUT).unwrap())
}

fn audits(envoy: &EnvoyProcess, layer: &str) -> u64 {
    let name = format!("wasmcustom.portcullis_audit_total.dir.both.layer.{layer}.would.deny");
    envoy.admin().stats().unwrap().get(&name).copied().unwrap_or(0)
}

#[test]
fn an_audited_policy_denies_nothing_until_it_is_enforced() {
    for (audited, reason) in [
        (
            Configuration::audited as fn(Configuration) -> Configuration,
            "not-isolated",
        ),
        (Configuration::all_audited, "audited"),
    ] {
        let Some((world, envoy)) = start_plugin(|world| audited(policy(world))) else {
            return;
        };
        assert!(world.http_passes("/public") && world.http_passes("/secret") && world.tcp_passes());
        let passed = json!(["allow", reason, null]);
        let inside = format!("{RULE}.ingress[0].toPorts[0]");
        let allowed = json!(["allow", "allowed-by-rule", format!("{inside}.rules.http[0]")]);
        assert_eq!(request(&envoy, "/public"), [passed.clone(), allowed]);
        let denied = json!(["deny", "no-http-rule-matches", inside]);
        assert_eq!(request(&envoy, "/secret"), [passed.clone(), denied]);
        let denied = json!(["deny", "denied-by-rule", format!("{RULE}.ingressDeny[0].toPorts[0]")]);
        // A connection writes all that it has, also what is empty.
        assert_eq!(connection(&envoy, "allow"), [json!(["allow", reason, ""]), denied]);
        assert_eq!(
            [audits(&envoy, "l4"), audits(&envoy, "l7")],
            [1, 1],
            "what would be another verdict"
        );

        assert!(envoy.push(policy(&world).text().as_bytes()).unwrap().accepted());
        assert!(world.http_passes("/public") && !world.http_passes("/hidden") && !world.tcp_passes());
        let denied = json!(["deny", "no-http-rule-matches", inside]);
        let nothing = json!([null, null, null]);
        assert_eq!(
            request(&envoy, "/hidden"),
            [denied, nothing],
            "without audit there is one verdict"
        );
        assert_eq!(
            [audits(&envoy, "l4"), audits(&envoy, "l7")],
            [1, 1],
            "nothing is spared any more"
        );
    }
}

#[test]
fn an_open_connection_ends_when_its_policy_is_enforced() {
    let Some((world, envoy)) = start_plugin(|world| policy(world).audited()) else {
        return;
    };
    let mut open = common::kept::tcp_connection(&world);
    assert!(common::kept::is_answered(&mut open), "audited");
    assert!(envoy.push(policy(&world).text().as_bytes()).unwrap().accepted());
    assert!(!common::kept::is_answered(&mut open), "enforced");
    let denied = json!(["deny", "denied-by-rule", format!("{RULE}.ingressDeny[0].toPorts[0]")]);
    assert_eq!(
        connection(&envoy, "deny"),
        [denied.clone(), denied],
        "what would be is what is"
    );
}

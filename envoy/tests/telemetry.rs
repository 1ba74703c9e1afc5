//! What operators see of the real plugin's verdicts: access log, counters, gauges.

mod common;

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use common::policy::{Configuration, RULE, SERVICES, from_client};
use common::{TIMEOUT, World, envoy_version, start_plugin};
use envoy_e2e::config::EnvoyVersion;
use envoy_e2e::run::EnvoyProcess;
use serde_json::{Value, json};

/// Requests for `/public`; port 7 by a rule of its own.
fn policy(world: &World) -> Configuration {
    Configuration::requests(world, json!([{ "path": "/public" }]))
}

/// Port 7 is denied by a rule, port 80 by default.
fn denying(world: &World) -> Configuration {
    let seven = from_client(7, None);
    let fields = json!({
        "defaultDeny": { "ingress": true, "egress": false },
        "ingressDeny": [seven],
    });
    Configuration::rule(world, SERVICES, fields)
}

/// What a line says of the verdict.
fn told(line: &Value) -> Value {
    json!({ "verdict": line["verdict"], "reason": line["reason"], "rule": line["rule"] })
}

fn line(envoy: &EnvoyProcess, wanted: impl Fn(&Value) -> bool) -> Value {
    envoy.wait_for_access(wanted, TIMEOUT).unwrap()
}

/// Waits until Envoy has no connection to the TCP service: one that is still open is judged again after a push.
fn wait_for_tcp_to_end(world: &World, envoy: &EnvoyProcess) {
    let listener = world.listener("echo");
    let name = format!("listener.{}_{}.downstream_cx_active", listener.ip(), listener.port());
    envoy.admin().wait_for_stat(&name, |open| open == 0, TIMEOUT).unwrap();
}

#[test]
fn every_verdict_is_in_the_access_log_with_its_reason_and_rule() {
    let Some((world, envoy)) = start_plugin(policy) else {
        return;
    };
    assert!(world.http_passes("/public") && !world.http_passes("/secret") && world.tcp_passes());
    wait_for_tcp_to_end(&world, &envoy);
    assert!(envoy.push(denying(&world).text().as_bytes()).unwrap().accepted());
    assert!(!world.tcp_passes() && !world.http_passes("/denied"));

    let request = |path: &str| line(&envoy, |line| line["path"] == path);
    let connection = |listener: &str, l4: &str| {
        line(&envoy, |line| {
            line["log"] == "connection" && line["listener"] == listener && line["l4"] == l4
        })
    };
    let allowed = request("/public");
    let rule = format!("{RULE}.ingress[0].toPorts[0].rules.http[0]");
    let want = json!({ "verdict": "allow", "reason": null, "rule": rule });
    assert_eq!(told(&allowed), want, "a rule that allows is reason enough");
    assert_eq!(json!([allowed["status"], allowed["http"]]), json!([200, "allow"]));
    assert_eq!(allowed["upstream"], world.app.address().to_string());
    let ends = |line: &Value| json!([line["source_identity"], line["destination_identity"]]);
    assert_eq!(ends(&allowed), json!(["test/client", "test/app"]));

    let denied = request("/secret");
    let rule = format!("{RULE}.ingress[0].toPorts[0]");
    assert_eq!(
        told(&denied),
        json!({ "verdict": "deny", "reason": "no-http-rule-matches", "rule": rule })
    );
    assert_eq!(
        json!([denied["status"], denied["http"], denied["upstream"]]),
        json!([403, "deny", null])
    );
    let details = format!("portcullis_denied[{}]", rule.replace(' ', "_"));
    assert_eq!(denied["details"], details);
    assert_eq!(ends(&denied), ends(&allowed));

    let rule = format!("{RULE}.ingress[1].toPorts[0]");
    let want = json!({ "verdict": "allow", "reason": "allowed-by-rule", "rule": rule });
    assert_eq!(told(&connection("echo", "allow")), want, "TCP");
    let rule = format!("{RULE}.ingressDeny[0].toPorts[0]");
    let want = json!({ "verdict": "deny", "reason": "denied-by-rule", "rule": rule });
    assert_eq!(told(&connection("echo", "deny")), want, "TCP");
    assert_eq!(ends(&connection("echo", "deny")), json!(["test/client", "test/echo"]));
    let want = json!({ "verdict": "deny", "reason": "default-deny", "rule": RULE });
    assert_eq!(
        told(&connection("app", "deny")),
        want,
        "a connection that did not become HTTP"
    );
    let source = connection("app", "deny")["source"].as_str().unwrap().to_owned();
    assert!(source.starts_with(&format!("{}:", world.client())), "{source}");
}

/// The plugin's counters and gauges, by their own names.
fn metrics(envoy: &EnvoyProcess) -> BTreeMap<String, u64> {
    let stats = envoy.admin().stats().unwrap();
    let own = stats.into_iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("wasmcustom.portcullis_")?;
        Some((name.to_owned(), value))
    });
    own.collect()
}

#[test]
fn every_verdict_is_counted_once() {
    let Some((world, envoy)) = start_plugin(policy) else {
        return;
    };
    let mut client = world.http_client();
    let mut get = |path| {
        let request = envoy_e2e::world::client::Request::new("GET", path, "app");
        client.send(&request).unwrap().status
    };
    for _ in 0..3 {
        assert_eq!([get("/public"), get("/secret"), get("/secret")], [200, 403, 403]);
    }
    assert!(world.tcp_passes() && world.tcp_passes());
    wait_for_tcp_to_end(&world, &envoy);
    assert!(envoy.push(denying(&world).text().as_bytes()).unwrap().accepted());
    assert!(!world.tcp_passes());
    let policy = "CiliumNetworkPolicy/test/p";
    let verdicts = [
        ("l4", "allow", "left-to-http", 1, "the connection with the requests"),
        ("l4", "allow", policy, 2, "TCP, of the first policy"),
        ("l4", "deny", policy, 1, "TCP, of the second"),
        ("l7", "allow", policy, 3, "/public"),
        ("l7", "deny", policy, 6, "/secret"),
    ];
    let metrics = metrics(&envoy);
    for (layer, verdict, policy, count, why) in verdicts {
        let name = format!("requests_total.dir.both.layer.{layer}.verdict.{verdict}.policy.{policy}");
        assert_eq!(metrics.get(&name), Some(&count), "{why}: {metrics:#?}");
    }
    let counters = metrics.keys().filter(|name| name.contains("_total"));
    assert_eq!(counters.count(), verdicts.len(), "{metrics:#?}");
}

#[test]
fn gauges_tell_which_policy_is_in_force_since_when() {
    let Some((world, envoy)) = start_plugin(policy) else {
        return;
    };
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let gauge = |name: &str| metrics(&envoy)[name];
    let first = gauge("bundle_digest");
    assert!(0 < first && first < 1 << 52, "{first:#x} is exact in a double");
    assert!((now() - 60..=now()).contains(&gauge("bundle_timestamp_seconds")));
    assert_eq!((gauge("rules"), gauge("endpoints")), (1, 3));

    let pushed = now();
    assert!(envoy.push(denying(&world).text().as_bytes()).unwrap().accepted());
    assert!((pushed..=now()).contains(&gauge("bundle_timestamp_seconds")));
    assert_ne!(gauge("bundle_digest"), first, "another policy");
    assert!(envoy.push(policy(&world).text().as_bytes()).unwrap().accepted());
    assert_eq!(
        (gauge("bundle_digest"), gauge("bundle_generation")),
        (first, 3),
        "the first policy again"
    );
}

#[test]
fn refused_policies_are_counted_and_the_generation_is_that_in_force() {
    let Some((world, envoy)) = start_plugin(policy) else {
        return;
    };
    let metric = |name: &str| metrics(&envoy).get(name).copied().unwrap_or(0);
    assert_eq!((metric("bundle_generation"), metric("config_rejected_total")), (1, 0));
    for (broken, count) in [(r#"{"version":1}"#, 1), (r#"{"version":2}"#, 2)] {
        assert!(!envoy.push(broken.as_bytes()).unwrap().accepted());
        // Both layers have the same configuration; older versions try it for each of them.
        let tries = if envoy_version() < EnvoyVersion::V1_39 { 2 } else { 1 };
        assert_eq!(metric("config_rejected_total"), count * tries);
        assert_eq!(metric("bundle_generation"), 1, "the last good one stays");
    }
    for (configuration, generation) in [(denying(&world), 2), (Configuration::allow_all(&world), 3)] {
        assert!(envoy.push(configuration.text().as_bytes()).unwrap().accepted());
        assert_eq!(metric("bundle_generation"), generation);
    }
    assert_eq!(metric("panics_total"), 0);
}

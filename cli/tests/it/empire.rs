//! The example cluster, as somebody meets it who has just installed the program.

use std::io::Write as _;

use insta::assert_snapshot;
use policy_core::Bundle;
use wasm_host::artefact;

use crate::run::portcullis;

const EMPIRE: &str = "../../examples/empire";

/// Name, source, destination, port, more arguments, status.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    i32,
);

/// Every stage of the policy, from both sides of what it decides.
const FLOWS: [Row; 11] = [
    (
        "within_the_namespace",
        "empire/tiefighter",
        "empire/deathstar",
        "80",
        &["--http", "GET /v1"],
        0,
    ),
    (
        "from_another_namespace",
        "default/intruder",
        "empire/deathstar",
        "80",
        &[],
        1,
    ),
    ("to_kube_dns", "empire/xwing", "127.96.0.10", "53/UDP", &[], 0),
    ("to_the_dashboard", "empire/xwing", "127.96.0.90", "80", &[], 1),
    (
        "metrics_for_prometheus",
        "monitoring/prometheus-core",
        "empire/deathstar",
        "8080",
        &["--http", "GET /metrics"],
        0,
    ),
    (
        "another_request_of_prometheus",
        "monitoring/prometheus-core",
        "empire/deathstar",
        "8080",
        &["--http", "POST /metrics"],
        1,
    ),
    (
        "another_port_for_prometheus",
        "monitoring/prometheus-core",
        "empire/deathstar",
        "80",
        &["--http", "GET /v1"],
        1,
    ),
    (
        "metrics_for_grafana",
        "monitoring/grafana",
        "empire/deathstar",
        "8080",
        &["--http", "GET /metrics"],
        1,
    ),
    (
        "to_a_name",
        "empire/deathstar",
        "127.20.0.1",
        "443",
        &["--fqdn", "cilium.io=127.20.0.1"],
        0,
    ),
    (
        "to_another_name",
        "empire/deathstar",
        "127.20.0.2",
        "443",
        &["--fqdn", "cilium.io=127.20.0.1", "--fqdn", "google.com=127.20.0.2"],
        1,
    ),
    ("from_outside", "127.30.0.7", "empire/deathstar", "80", &[], 1),
];

fn trace(row: &Row, engine: &str) -> String {
    let (name, from, to, port, more, status) = row;
    let args = [
        "trace", "-f", EMPIRE, "--engine", engine, "--from", from, "--to", to, "--port", port,
    ];
    let output = portcullis(&[&args[..], more].concat());
    assert_eq!((output.status, output.stderr.as_str()), (*status, ""), "{name}");
    output.stdout
}

#[test]
fn a_trace_names_the_rule_that_decides_or_comes_closest() {
    for row in &FLOWS {
        assert_snapshot!(format!("empire_{}", row.0), trace(row, "native"));
    }
}

#[test]
fn the_plugin_traces_the_same() {
    if let Err(error) = artefact::locate() {
        // Not `eprintln!`, which is swallowed when the test passes.
        let _ = writeln!(std::io::stderr(), "NOT TESTED: traces with the plugin: {error:#}");
        return;
    }
    // Every process compiles the plugin, which takes its time: only the flows with requests, which meet all of it.
    for row in FLOWS.iter().filter(|row| row.4.contains(&"--http")) {
        assert_eq!(trace(row, "wasm"), trace(row, "native"), "{}", row.0);
    }
}

#[test]
fn it_is_valid_and_compiles_for_one_workload() {
    let output = portcullis(&["validate", "-f", EMPIRE, "--deny-warnings"]);
    assert_eq!(
        (output.status, output.stdout.as_str()),
        (0, "valid: no errors, no warnings\n")
    );
    let output = portcullis(&["compile", "-f", EMPIRE, "--for", "empire/deathstar"]);
    let bundle = Bundle::from_json(output.stdout.as_bytes()).expect("a bundle");
    assert_eq!((output.status, bundle.policies.len()), (0, 1));
}

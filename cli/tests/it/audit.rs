//! Audit mode, in every command that asks for verdicts.

use std::{fs, io::Write as _};

use insta::assert_snapshot;
use policy_core::{Bundle, bundle::Mode};
use serde_json::{Value, json};
use wasm_host::artefact;

use crate::run::{Output, portcullis, portcullis_with, testdata};

const WORLD: &str = "world.yaml";
const POLICIES: &str = "audit/policies.yaml";

fn trace(from: &str, to: &str, port: &str, more: &[&str]) -> Output {
    let args = [
        "trace", "-f", WORLD, POLICIES, "--from", from, "--to", to, "--port", port,
    ];
    portcullis(&[&args[..], more].concat())
}

fn document(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).expect("JSON")
}

/// Reason and verdict as they are, and as they would be.
fn both(answer: &Value) -> [String; 2] {
    let word = |answer: &Value| format!("{} {}", answer["verdict"], answer["reason"]).replace('"', "");
    [word(answer), word(&answer["would"])]
}

#[test]
fn trace_tells_both_verdicts() {
    let admin = ["--http", "GET /admin"];
    let metrics = ["--http", "GET /metrics"];
    for (from, to, port, more, enforced, would, why) in [
        (
            "shop/banned",
            "shop/web",
            "80",
            &[][..],
            "allow not-isolated",
            "deny default-deny",
            "nothing is denied by an audited policy",
        ),
        (
            "shop/db",
            "shop/web",
            "80",
            &[],
            "allow not-isolated",
            "allow allowed-by-rule",
            "nor allowed",
        ),
        (
            "ops/mon",
            "shop/web",
            "8080",
            &admin,
            "allow not-isolated",
            "deny no-http-rule-matches",
            "nor does anybody look at requests",
        ),
        (
            "ops/mon",
            "shop/web",
            "8080",
            &metrics,
            "allow not-isolated",
            "allow allowed-by-rule",
            "a request that it would allow",
        ),
        (
            "ops/mon",
            "shop/db",
            "5432",
            &[],
            "deny default-deny",
            "deny default-deny",
            "what is enforced is",
        ),
        (
            "ops/mon",
            "shop/db",
            "5432",
            &["--audit"],
            "allow audited",
            "deny default-deny",
            "unless nothing is",
        ),
        (
            "shop/banned",
            "shop/web",
            "80",
            &["--audit"],
            "allow audited",
            "deny default-deny",
            "which is for all policies",
        ),
        (
            "1.1.1.1",
            "8.8.8.8",
            "80",
            &["--audit"],
            "allow audited",
            "deny unknown-subject",
            "and for those of nobody",
        ),
    ] {
        let output = trace(from, to, port, &[more, &["-o", "json"]].concat());
        let answer = document(&output);
        assert_eq!(both(&answer), [enforced, would], "{why}");
        let status = i32::from(!enforced.starts_with("allow"));
        assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{why}");
    }
    let plain = portcullis(&[
        "trace",
        "-f",
        WORLD,
        "policy.yaml",
        "--from",
        "shop/db",
        "--to",
        "shop/web",
        "--port",
        "80",
        "-o",
        "json",
    ]);
    assert!(!plain.stdout.contains("would"), "without audit there is one verdict");
}

#[test]
fn the_plugin_says_the_same() {
    if let Err(error) = artefact::locate() {
        // Not `eprintln!`, which is swallowed when the test passes.
        let _ = writeln!(std::io::stderr(), "NOT TESTED: audit mode in the plugin: {error:#}");
        return;
    }
    let suite = ["test", "audit/suite.yaml", "--engine", "wasm"];
    for more in [&[][..], &["--audit", "-o", "json"]] {
        let output = portcullis(&[&suite[..], more].concat());
        let all_audited = !more.is_empty();
        // One of the cases expects a denial.
        assert_eq!(
            (output.status, output.stderr.as_str()),
            (i32::from(all_audited), ""),
            "{}",
            output.stdout
        );
    }
    let mut told = Vec::new();
    for engine in ["native", "wasm"] {
        let requests = [
            trace(
                "ops/mon",
                "shop/web",
                "8080",
                &["--http", "GET /admin", "--engine", engine],
            ),
            trace("ops/mon", "shop/web", "8080", &["--engine", engine]),
            trace("1.1.1.1", "8.8.8.8", "80", &["--audit", "--engine", engine]),
            trace(
                "ops/mon",
                "shop/web",
                "8080",
                &["--audit", "--sni", "", "--engine", engine],
            ),
        ];
        told.push(requests.map(|output| (output.status, output.stdout, output.stderr)));
    }
    assert_eq!(told[0], told[1]);
}

#[test]
fn trace_says_it_to_people() {
    let admin = ["--http", "GET /admin"];
    assert_snapshot!(
        "what_would_be_denied",
        trace("ops/mon", "shop/web", "8080", &admin).stdout
    );
    assert_snapshot!(
        "with_all_policies_audited",
        trace("ops/mon", "shop/db", "5432", &["--audit"]).stdout
    );
}

#[test]
fn eval_tells_both_verdicts() {
    let pod = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": name, "labels": {"app": name}}});
    let policy = |mode: &str| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"namespace": "shop", "name": "p", "annotations": {"portcullis.io/mode": mode}},
            "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}})
    };
    let flows = json!([{"from": "shop/db", "to": "shop/web", "protocol": "TCP", "port": 80}]);
    for (mode, options, enforced, would, why) in [
        ("enforce", json!({}), "deny default-deny", "null null", "one verdict"),
        ("audit", json!({}), "allow not-isolated", "deny default-deny", "two"),
        (
            "enforce",
            json!({"audit": true}),
            "allow audited",
            "deny default-deny",
            "the option is for all",
        ),
    ] {
        let line = json!({"objects": [pod("web"), pod("db"), policy(mode)], "flows": flows, "options": options});
        let output = portcullis_with(&["eval"], &line.to_string());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{why}");
        let answer = document(&output);
        let flow = &answer["flows"][0];
        assert_eq!(both(flow), [enforced, would], "{why}");
        assert_eq!(both(&flow["ingress"]), [enforced, would], "{why}");
    }
}

#[test]
fn compile_says_what_is_audited() {
    let compile = |more: &[&str]| portcullis(&[&["compile", "-f", WORLD, POLICIES], more].concat());
    let one = compile(&[]);
    let bundle = Bundle::from_json(one.stdout.as_bytes()).expect("a bundle");
    let modes: Vec<(&str, Mode)> = bundle
        .policies
        .iter()
        .map(|policy| (&*policy.name, policy.mode))
        .collect();
    assert_eq!(modes, [("web", Mode::Audit), ("db", Mode::Enforce)]);
    assert!(
        !bundle.options.audit && one.stderr.ends_with("; 1 policy in audit mode\n"),
        "{}",
        one.stderr
    );
    let all = compile(&["--audit"]);
    let bundle = Bundle::from_json(all.stdout.as_bytes()).expect("a bundle");
    assert!(
        bundle.options.audit && all.stderr.ends_with("; all policies in audit mode\n"),
        "{}",
        all.stderr
    );
    let plain = portcullis(&["compile", "-f", WORLD, "policy.yaml"]);
    assert!(
        !plain.stdout.contains("audit") && !plain.stdout.contains("mode"),
        "defaults are not written"
    );
}

#[test]
fn suites_say_what_would_be() {
    let passing = portcullis(&["test", "audit/suite.yaml", "--fail-uncovered"]);
    assert_eq!((passing.status, passing.stderr.as_str()), (0, ""), "{}", passing.stdout);
    let failing = portcullis(&["test", "audit/failing.yaml"]);
    assert_eq!((failing.status, failing.stderr.as_str()), (1, ""));
    assert_snapshot!("wrong_hopes", failing.stdout);
    // Nothing is denied then, which two of the cases expect.
    let all = document(&portcullis(&[
        "test",
        "audit/suite.yaml",
        "audit/failing.yaml",
        "--audit",
        "-o",
        "json",
    ]));
    let cases = all["suites"].as_array().expect("a list").iter();
    let cases = cases.flat_map(|suite| suite["cases"].as_array().expect("a list"));
    let verdicts: Vec<&Value> = cases.map(|case| &case["seen"]["reason"]).collect();
    assert_eq!(verdicts, vec!["audited"; 9]);
}

#[test]
fn matrix_and_diff_look_at_what_is_in_force() {
    let cells = |more: &[&str]| {
        let output = portcullis(&[&["matrix", "-f", WORLD, POLICIES, "-o", "json"], more].concat());
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        let cells = document(&output)["cells"].as_array().expect("a list").clone();
        let to_web = cells
            .into_iter()
            .filter(|cell| cell["from"] == "ops/mon" && cell["to"] == "shop/web");
        let mut reach: Vec<String> = to_web
            .map(|cell| cell["reach"].as_str().expect("text").to_owned())
            .collect();
        reach.sort();
        reach
    };
    assert_eq!(cells(&[]), ["all"]);
    assert_eq!(cells(&["--audit-as-enforced"]), ["none", "some"]);

    let folder = tempfile::tempdir().expect("a folder");
    let enforced = folder.path().join("enforced.yaml");
    let text = fs::read_to_string(testdata().join(POLICIES)).expect("policies");
    fs::write(&enforced, text.replace("mode: audit", "mode: enforce")).expect("written");
    let enforced = enforced.to_str().expect("text");
    for (more, status, opened, why) in [
        (&[][..], 1, Some("closed"), "switching audit off denies"),
        (&["--audit-as-enforced"], 0, None, "nothing else has changed"),
    ] {
        let args = ["diff", "-f", WORLD, "-o", "json", POLICIES, enforced];
        let output = portcullis(&[&args[..], more].concat());
        assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{why}");
        let differences = document(&output)["differences"].as_array().expect("a list").clone();
        let mut changes: Vec<&str> = differences.iter().filter_map(|one| one["change"].as_str()).collect();
        changes.dedup();
        assert_eq!(changes.first().copied(), opened, "{why}");
        assert!(changes.len() < 2, "{why}: {changes:?}");
    }
}

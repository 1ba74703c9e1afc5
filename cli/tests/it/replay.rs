//! `replay`.

mod forms;
mod memory;
mod options;

use insta::assert_snapshot;
use serde_json::Value;

use crate::run::{Output, portcullis, portcullis_with};

fn replay(log: &str, more: &[&str]) -> Output {
    let args = ["replay", "-f", "world.yaml", "-f", "policy.yaml", log];
    portcullis(&[&args[..], more].concat())
}

fn json(args: &[&str]) -> Value {
    let output = portcullis(&[args, &["-o", "json"]].concat());
    assert!(!output.stderr.contains("error"), "{args:?}: {}", output.stderr);
    serde_json::from_str(&output.stdout).expect("JSON")
}

/// The groups as `change from → to port request ×flows`.
fn summary(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let groups = report["groups"].as_array().expect("a list").iter();
    let words = groups.map(|group| {
        format!(
            "{} {} → {} {}/{} {} ×{}",
            text(&group["change"]),
            text(&group["from"]["name"]),
            text(&group["to"]["name"]),
            group["port"],
            text(&group["protocol"]),
            text(&group["request"]),
            group["flows"]
        )
    });
    words.collect()
}

#[test]
fn every_form_of_log_is_understood() {
    for (name, why) in [
        ("hubble", "Cilium's flows: pods, labels, names, messages"),
        ("flows", "the plugin's own, with reasons and rules"),
        ("istio", "an access log without a plugin: a proxy that knew no policy"),
    ] {
        let output = replay(&format!("replay/{name}.jsonl"), &[]);
        assert_eq!(output.status, 1, "{why}: {}", output.stderr);
        assert_snapshot!(format!("replay_{name}"), output.stdout);
    }
}

#[test]
fn the_answer_has_a_form_for_programs() {
    let output = replay("replay/flows.jsonl", &["-o", "json"]);
    assert_snapshot!("replay_for_programs", output.stdout);
}

/// Lines that a real Envoy wrote while policies changed: the demo, with its listeners on other ports.
const DEMO_PORTS: [&str; 8] = [
    "--map-port",
    "20080=80",
    "--map-port",
    "28080=8080",
    "--map-port",
    "20053=53",
    "--map-port",
    "29090=9090",
];

fn demo(stage: &str) -> Value {
    let stage = format!("../../examples/empire/stages/{stage}.yaml");
    let world = "../../examples/empire/world.yaml";
    let args = [
        "replay",
        "-f",
        world,
        "-f",
        &stage,
        "replay/demo.log",
        "--fqdn",
        "cilium.io=127.20.0.14",
    ];
    json(&[&args[..], &DEMO_PORTS].concat())
}

#[test]
fn a_real_access_log_under_every_stage() {
    for (stage, want, why) in [
        ("0-no-policy", "12 opened, 0 closed", "without policy everything passes"),
        (
            "1-within-namespace",
            "0 opened, 10 closed",
            "what later stages opened is closed",
        ),
        ("3-prometheus", "2 opened, 7 closed", "in the middle"),
        ("5b-world", "3 opened, 3 closed", "with the last policy"),
    ] {
        let report = demo(stage);
        let counts = format!("{} opened, {} closed", report["opened"], report["closed"]);
        assert_eq!(counts, want, "{why}: {:#?}", summary(&report));
        assert_eq!(report["lines"], 28, "{why}");
    }
}

/// What a group says must be what `trace` says of its first line: each is another way to the engine.
#[test]
fn trace_confirms_every_group() {
    let mut confirmed = 0;
    for stage in ["0-no-policy", "1-within-namespace", "3-prometheus", "5b-world"] {
        let report = demo(stage);
        let policy = format!("../../examples/empire/stages/{stage}.yaml");
        let files = [
            "trace",
            "-f",
            "../../examples/empire/world.yaml",
            &policy,
            "--fqdn",
            "cilium.io=127.20.0.14",
        ];
        for group in report["groups"].as_array().expect("a list") {
            let options = group["first"]["trace"].as_array().expect("options");
            let options: Vec<&str> = options.iter().map(|option| option.as_str().expect("text")).collect();
            let output = portcullis(&[&files[..], &options, &["-o", "json"]].concat());
            let trace: Value = serde_json::from_str(&output.stdout).expect("JSON");
            for key in ["verdict", "reason", "rule"] {
                assert_eq!(group["now"][key], trace[key], "{stage} {options:?}: {key}");
            }
            confirmed += 1;
        }
    }
    assert!(confirmed > 25, "only {confirmed} groups");
}

#[test]
fn lines_that_are_none_are_named_and_stop_nothing() {
    let output = replay("replay/broken.jsonl", &[]);
    assert_eq!(output.status, 0, "{}", output.stderr);
    assert_snapshot!("replay_broken", output.stdout);
}

#[test]
fn nothing_judged_is_no_answer() {
    for (log, status, part, why) in [
        ("", 0, "0 lines", "an empty log has no change"),
        ("\n\n", 0, "0 lines", "nor have blank lines"),
        (
            "text\n",
            2,
            "error: no line could be judged",
            "but what is no log is a mistake",
        ),
        ("{\"a\":1}\n", 2, "error: no line could be judged", "whatever it is"),
    ] {
        let output = portcullis_with(&["replay", "-f", "world.yaml", "-f", "policy.yaml", "-"], log);
        assert_eq!(output.status, status, "{why}: {output:?}");
        assert!(output.stderr.contains(part), "{why}: {output:?}");
    }
}

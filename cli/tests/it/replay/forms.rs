//! The same flows in every form of log have the same answers, and each has exactly one.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::{Value, json};

use crate::run::portcullis_with;

const PODS: [(&str, &str); 8] = [
    ("empire/deathstar", "127.10.0.20"),
    ("empire/tiefighter", "127.10.0.11"),
    ("empire/xwing", "127.10.0.12"),
    ("kube-system/kube-dns", "127.10.1.53"),
    ("kube-system/kubernetes-dashboard", "127.10.1.90"),
    ("monitoring/prometheus-core", "127.10.2.90"),
    ("monitoring/grafana", "127.10.2.91"),
    ("default/intruder", "127.10.3.66"),
];

/// Source, destination, port, request: positions of [`PODS`], a request of HTTP or a connection.
type Flow = (usize, usize, u16, Option<(&'static str, &'static str)>);

fn flows() -> Vec<Flow> {
    let mut flows = Vec::new();
    for (from, to) in (0..PODS.len()).flat_map(|from| (0..PODS.len()).map(move |to| (from, to))) {
        for port in [53, 80, 8080] {
            flows.push((from, to, port, None));
            for request in [("GET", "/metrics"), ("POST", "/metrics"), ("GET", "/v1")] {
                flows.push((from, to, port, Some(request)));
            }
        }
    }
    flows
}

fn access_log((from, to, port, request): Flow, allowed: bool) -> Value {
    let verdict = if allowed { "allow" } else { "deny" };
    let (source, destination) = (format!("{}:4000", PODS[from].1), format!("{}:{port}", PODS[to].1));
    let mut line = json!({"source": source, "destination": destination, "verdict": verdict});
    if let Some((method, path)) = request {
        line["method"] = method.into();
        line["path"] = path.into();
        line["authority"] = "a.example".into();
    }
    line
}

/// A flow whose ends are as told.
fn hubble((from, to, port, request): Flow, allowed: bool, end: impl Fn(usize) -> Value) -> Value {
    let mut flow = json!({
        "verdict": if allowed { "FORWARDED" } else { "DROPPED" },
        "drop_reason_desc": "POLICY_DENIED",
        "source": end(from), "destination": end(to), "l4": {"TCP": {"destination_port": port}},
    });
    if let Some((method, path)) = request {
        let url = format!("http://a.example{path}");
        flow["l7"] = json!({"type": "REQUEST", "http": {"method": method, "url": url}});
    }
    json!({"flow": flow})
}

fn replay(stage: &str, lines: impl Iterator<Item = Value>) -> Value {
    let mut log = String::new();
    for line in lines {
        // Writing to a string cannot fail.
        let _ = writeln!(log, "{line}");
    }
    let stage = format!("../../examples/empire/stages/{stage}.yaml");
    let args = [
        "replay",
        "-f",
        "../../examples/empire/world.yaml",
        "-f",
        &stage,
        "-o",
        "json",
        "-",
    ];
    let output = portcullis_with(&args, &log);
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn count(report: &Value, key: &str) -> u64 {
    report[key].as_u64().expect("a number")
}

#[test]
fn a_flow_passes_or_not_and_every_form_of_log_agrees() {
    for stage in ["0-no-policy", "1-within-namespace", "3-prometheus", "5b-world"] {
        let run = |allowed| replay(stage, flows().into_iter().map(move |flow| access_log(flow, allowed)));
        let (passed, refused) = (run(true), run(false));
        let mut labels: BTreeMap<String, Value> = BTreeMap::new();
        for side in [&passed, &refused]
            .into_iter()
            .flat_map(|report| report["groups"].as_array().expect("a list"))
        {
            for end in [&side["from"], &side["to"]] {
                labels.insert(end["name"].as_str().expect("text").to_owned(), end["labels"].clone());
            }
        }
        assert_eq!(labels.len(), PODS.len(), "{stage}: everybody is in some group");
        // Of a connection that passes for some requests alone, nobody can say what the policies would have done to it.
        let unknown = count(&passed, "lines") - count(&passed, "judged");
        assert_eq!(
            count(&refused, "lines"),
            count(&refused, "judged"),
            "{stage}: but it is opened"
        );
        assert_eq!(
            count(&passed, "closed") + count(&refused, "opened"),
            count(&passed, "lines"),
            "{stage}: what passes is opened, what does not is closed, and nothing is both"
        );
        assert_eq!(unknown > 0, stage == "3-prometheus" || stage == "5b-world", "{stage}");

        let named = |pod: usize| {
            let (namespace, name) = PODS[pod].0.split_once('/').expect("a name");
            json!({"namespace": namespace, "pod_name": name})
        };
        let labelled = |pod: usize| json!({"pod_name": "other", "labels": labels[PODS[pod].0]});
        for (form, allowed, report) in [
            ("names", true, &passed),
            ("names", false, &refused),
            ("labels", true, &passed),
        ] {
            let lines = flows().into_iter().map(|flow| match form {
                "names" => hubble(flow, allowed, named),
                _ => hubble(flow, allowed, labelled),
            });
            let other = replay(stage, lines);
            for key in ["lines", "judged", "same", "opened", "closed"] {
                assert_eq!(other[key], report[key], "{stage}: {key} of flows with {form}");
            }
        }
    }
}

//! `diff`.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::run::{Output, portcullis};

const WORLD: &str = "../../examples/empire/world.yaml";
const STAGES: [&str; 7] = [
    "0-no-policy",
    "1-within-namespace",
    "2-kube-dns",
    "3-prometheus",
    "4-cilium-io",
    "5-outside-client",
    "5b-world",
];

fn stage(name: &str) -> String {
    format!("../../examples/empire/stages/{name}.yaml")
}

fn diff(world: &str, old: &str, new: &str, more: &[&str]) -> Output {
    portcullis(&[&["diff", "-f", world, old, new], more].concat())
}

fn json(world: &str, old: &str, new: &str) -> Value {
    let output = diff(world, old, new, &["-o", "json"]);
    assert!(!output.stderr.contains("error"), "{old} {new}: {}", output.stderr);
    serde_json::from_str(&output.stdout).expect("JSON")
}

/// Every witness must have the verdicts on either side that the difference says it has.
fn confirm(world: &str, old: &str, new: &str, report: &Value) {
    for difference in report["differences"].as_array().expect("a list") {
        let options = difference["witness"]["trace"].as_array().expect("a list");
        let options: Vec<&str> = options.iter().map(|option| option.as_str().expect("text")).collect();
        let opened = difference["change"] == "opened";
        for (policy, allows) in [(old, !opened), (new, opened)] {
            let output = portcullis(&[&["trace", "-f", world, policy], &options[..]].concat());
            assert_eq!(
                output.status == 0,
                allows,
                "{policy} {options:?}: {}{}",
                output.stdout,
                output.stderr
            );
        }
    }
}

/// `opened FROM → TO on PORTS showing …`, for each difference.
fn summary(report: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let names = |classes: &Value| {
        let members = list(classes).into_iter().flat_map(|class| list(&class["members"]));
        members
            .map(|name| name.as_str().expect("text").to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let words = |value: &Value| {
        list(value)
            .iter()
            .map(|word| word.as_str().expect("text").to_owned())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let of = |difference: &Value| {
        let (from, to) = (names(&difference["from"]), names(&difference["to"]));
        let change = difference["change"].as_str().expect("text");
        let showing = words(&difference["showing"]);
        format!("{change} {from} → {to} on {} {showing}", words(&difference["ports"]))
            .trim_end()
            .to_owned()
    };
    list(&report["differences"]).iter().map(of).collect()
}

#[test]
fn the_stages_open_what_they_say() {
    let pods = "empire/deathstar empire/tiefighter empire/xwing";
    let metrics = format!("monitoring/prometheus-core → {pods} on 8080/TCP GET /metrics");
    let others = "default/intruder kube-system/kube-dns kube-system/kubernetes-dashboard monitoring/grafana monitoring/prometheus-core";
    let want: [Vec<String>; 6] = [
        vec![
            format!("closed {others} IPv4 IPv6 → {pods} on every port"),
            format!("closed {pods} → {others} reserved:host IPv4 IPv6 on every port"),
        ],
        vec![format!("opened {pods} → kube-system/kube-dns on every port")],
        vec![format!("opened {metrics}")],
        vec![
            format!("opened {pods} → cilium.io on every port"),
            format!("closed {metrics}"),
        ],
        vec![
            format!("opened {metrics}"),
            format!("opened 127.30.0.7/32 → {pods} on every port"),
        ],
        vec![format!("opened IPv4 IPv6 cilium.io → {pods} on every port")],
    ];
    for (pair, want) in STAGES.windows(2).zip(want) {
        let (old, new) = (stage(pair[0]), stage(pair[1]));
        let report = json(WORLD, &old, &new);
        assert_eq!(summary(&report), want, "{pair:?}");
        assert_eq!(report["undecided"], Value::Array(Vec::new()), "{pair:?}");
        confirm(WORLD, &old, &new, &report);
    }
}

#[test]
fn a_difference_for_people() {
    let text = |old: &str, new: &str| diff(WORLD, &stage(old), &stage(new), &[]).stdout;
    assert_snapshot!("diff_that_opens_a_request", text("2-kube-dns", "3-prometheus"));
    assert_snapshot!("diff_that_opens_and_closes", text("3-prometheus", "4-cilium-io"));
    assert_snapshot!(
        "diff_for_programs",
        diff(WORLD, &stage("2-kube-dns"), &stage("3-prometheus"), &["-o", "json"]).stdout
    );
}

#[test]
fn the_status_tells_whether_anything_differs() {
    let [none, within, dns, ..] = STAGES.map(stage);
    for (old, new, fail_on, status, why) in [
        (&dns, &dns, "any", 0, "nothing differs"),
        (&within, &dns, "any", 1, "something opens"),
        (&within, &dns, "widening", 1, "which is a widening"),
        (&dns, &within, "any", 1, "something closes"),
        (&dns, &within, "widening", 0, "which is no widening"),
        (&dns, &within, "narrowing", 1, "but a narrowing"),
        (&within, &dns, "narrowing", 0, "which an opening is not"),
        (&none, &within, "widening", 0, "nor is the first policy"),
    ] {
        let output = diff(WORLD, old, new, &["--fail-on", fail_on]);
        assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{why}");
    }
    let output = diff(WORLD, &dns, &dns, &[]);
    assert_eq!(output.stdout, "no difference\n");
}

#[test]
fn bundles_compare_like_their_objects() {
    let folder = tempfile::tempdir().expect("a folder");
    let compile = |name: &str| {
        let path = folder.path().join(name).to_str().expect("text").to_owned();
        let output = portcullis(&["compile", "-f", WORLD, &stage(name), "-o", &path]);
        assert_eq!(output.status, 0, "{output:?}");
        path
    };
    let (old, new) = (compile("2-kube-dns"), compile("3-prometheus"));
    let output = portcullis(&["diff", &old, &new, "-o", "json"]);
    let of_objects = diff(WORLD, &stage("2-kube-dns"), &stage("3-prometheus"), &["-o", "json"]);
    assert_eq!(output.stdout, of_objects.stdout);
    let output = diff(WORLD, &old, &new, &[]);
    assert_eq!(output.status, 2, "{output:?}");
    assert!(output.stderr.contains("is a bundle, which is complete"), "{output:?}");
}

/// A policy for the pods of `shop` from `world.yaml`.
fn policy(spec: &str) -> String {
    format!(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: p, namespace: shop}}\nspec:\n  endpointSelector: {{matchLabels: {{app: web}}}}\n{spec}\n"
    )
}

fn http(rules: &str) -> String {
    policy(&format!(
        "  ingress: [{{fromEndpoints: [{{matchLabels: {{app: db}}}}], toPorts: [{{ports: [{{port: '80', protocol: TCP}}], rules: {{http: [{rules}]}}}}]}}]"
    ))
}

#[test]
fn every_kind_of_rule_has_a_witness() {
    let ports = |ports: &str| {
        policy(&format!(
            "  ingress: [{{fromEndpoints: [{{matchLabels: {{app: db}}}}], toPorts: [{{ports: [{ports}]}}]}}]"
        ))
    };
    let egress = |rest: &str| policy(&format!("  egress: [{{{rest}}}]"));
    let sni = |name: &str| {
        egress(&format!(
            "toEntities: [world], toPorts: [{{ports: [{{port: '443', protocol: TCP}}], serverNames: ['{name}']}}]"
        ))
    };
    let dns = |name: &str| {
        egress(&format!(
            "toEntities: [world], toPorts: [{{ports: [{{port: '53', protocol: UDP}}], rules: {{dns: [{{matchPattern: '{name}'}}]}}}}]"
        ))
    };
    let kafka = |topic: &str| {
        policy(&format!(
            "  ingress: [{{fromEndpoints: [{{matchLabels: {{app: db}}}}], toPorts: [{{ports: [{{port: '9092', protocol: TCP}}], rules: {{kafka: [{{role: produce, topic: {topic}}}]}}}}]}}]"
        ))
    };
    let auth = |mode: &str| {
        policy(&format!(
            "  ingress: [{{fromEndpoints: [{{matchLabels: {{app: db}}}}], authentication: {{mode: {mode}}}}}]"
        ))
    };
    for (old, new, parts, why) in [
        (
            ports("{port: '80', protocol: TCP}"),
            ports("{port: '80', endPort: 90, protocol: TCP}"),
            vec!["opened|81-90/TCP|"],
            "a wider range",
        ),
        (
            ports("{port: '53', protocol: TCP}"),
            ports("{port: '53', protocol: ANY}"),
            vec!["opened|53/UDP+SCTP|"],
            "more protocols",
        ),
        (
            ports("{port: '80', protocol: TCP}"),
            http("{method: GET}"),
            vec!["closed|80/TCP|POST /"],
            "looked into now",
        ),
        (
            http("{method: GET, path: /a.*}"),
            http("{method: GET, path: /a/.*}"),
            vec!["closed|80/TCP|GET /a"],
            "expressions that look alike",
        ),
        (
            http("{path: '/[a-m]+'}"),
            http("{path: '/[a-z]+'}"),
            vec!["opened|80/TCP|GET /other"],
            "a wider class",
        ),
        (
            http("{method: GET}"),
            http("{method: GET, headers: ['X-Key: 1']}"),
            vec!["closed|80/TCP|GET /"],
            "a header more",
        ),
        (
            http("{host: 'a\\.example'}"),
            http("{host: '.*\\.example'}"),
            vec!["opened|80/TCP|GET / host other.example"],
            "a wider host",
        ),
        (
            sni("a.example"),
            sni("*.example"),
            vec!["opened|443/TCP|TLS any.example"],
            "a wider server name",
        ),
        (
            dns("a.example"),
            dns("*.example"),
            vec!["opened|53/UDP|DNS any.example"],
            "a wider DNS name",
        ),
        (
            kafka("orders"),
            kafka("returns"),
            vec![
                "opened|9092/TCP|Kafka produce returns client",
                "closed|9092/TCP|Kafka produce orders client",
            ],
            "another topic",
        ),
        (
            auth("disabled"),
            auth("required"),
            vec!["closed|every port|without proof of identity"],
            "a proof that is needed",
        ),
        (
            egress("toCIDR: [192.0.2.0/24]"),
            egress("toCIDRSet: [{cidr: 192.0.2.0/24, except: [192.0.2.128/25]}]"),
            vec!["closed|every port|"],
            "an exception",
        ),
        (
            egress("toCIDR: [0.0.0.0/0]"),
            egress("toEntities: [world]"),
            vec!["opened|every port|"],
            "the world has IPv6",
        ),
        (
            egress("toFQDNs: [{matchName: a.example}]"),
            egress("toFQDNs: [{matchPattern: '*.example'}]"),
            vec!["opened|every port|"],
            "more names",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name).to_str().expect("text").to_owned();
            fs::write(&path, text).expect("write");
            path
        };
        let (old, new) = (write("old.yaml", &old), write("new.yaml", &new));
        let report = json("world.yaml", &old, &new);
        let differences = report["differences"].as_array().expect("a list");
        let text = |value: &Value| {
            value
                .as_array()
                .expect("a list")
                .first()
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let got: Vec<String> = differences
            .iter()
            .map(|difference| {
                let change = difference["change"].as_str().expect("text");
                format!(
                    "{change}|{}|{}",
                    text(&difference["ports"]),
                    text(&difference["showing"])
                )
            })
            .collect();
        assert_eq!(got, parts, "{why}: {report:#}");
        confirm("world.yaml", &old, &new, &report);
    }
}

#[test]
fn what_no_flow_shows_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name).to_str().expect("text").to_owned();
        fs::write(&path, text).expect("write");
        path
    };
    let one = write("one.yaml", &http("{method: GET, path: '/a[b-y]*'}"));
    let part = write(
        "part.yaml",
        &http(
            "{method: GET, path: '/a[b-y]*'}, {method: GET, path: /abc}, {method: GET, path: '/a[b-y]*', headers: [X-A]}",
        ),
    );
    let output = diff("world.yaml", &one, &part, &[]);
    assert_eq!(
        (output.status, output.stdout.as_str()),
        (0, "no difference\n"),
        "both are part of what was allowed"
    );
    let halves = write(
        "halves.yaml",
        &http("{method: GET, path: '/a([b-m][b-y]*)?'}, {method: GET, path: '/a[n-y][b-y]*'}"),
    );
    let output = diff("world.yaml", &one, &halves, &["--fail-on", "widening"]);
    assert_eq!(
        (output.status, output.stderr.as_str()),
        (1, ""),
        "nobody can say that nothing opened"
    );
    assert_snapshot!("diff_that_no_flow_shows", output.stdout);
}

#[test]
fn workloads_of_one_side_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let pod = |name: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop}}\n");
    let write = |name: &str, text: String| {
        let path = folder.path().join(name).to_str().expect("text").to_owned();
        fs::write(&path, text).expect("write");
        path
    };
    let (old, new) = (write("old.yaml", pod("gone")), write("new.yaml", pod("fresh")));
    let output = diff("world.yaml", &old, &new, &[]);
    let want = "not compared: only OLD has shop/gone\n\nnot compared: only NEW has shop/fresh\n\nno difference\n";
    assert_eq!((output.status, output.stdout.as_str()), (0, want));
}

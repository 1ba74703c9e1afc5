//! `validate`.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::run::{portcullis, portcullis_with};

#[test]
fn errors_show_their_lines() {
    let output = portcullis(&["validate", "-f", "invalid.yaml"]);
    assert_eq!((output.status, output.stderr.as_str()), (1, ""));
    assert_snapshot!("errors_show_their_lines", output.stdout);
}

#[test]
fn errors_have_a_form_for_programs() {
    let output = portcullis(&["validate", "-f", "invalid.yaml", "-o", "json"]);
    assert_eq!((output.status, output.stderr.as_str()), (1, ""));
    assert_snapshot!("errors_have_a_form_for_programs", output.stdout);
}

#[test]
fn what_is_valid_says_so() {
    let output = portcullis(&["validate", "-f", "world.yaml", "-f", "policy.yaml"]);
    assert_eq!(
        (output.status, output.stdout.as_str()),
        (0, "valid: no errors, no warnings\n")
    );
    let folder = portcullis(&["validate", "-f", "."]);
    assert_eq!(folder.status, 1, "the folder has an invalid file: {folder:?}");
}

/// Specs that are wrong in one way each, with the rule that says so.
const BROKEN: [(&str, &str); 10] = [
    ("A3", "{endpointSelector: {}}"),
    ("A4", "{ingress: [{}]}"),
    ("A6", "{endpointSelector: {matchLabels: {'a:b:c': d}}, ingress: [{}]}"),
    (
        "B1",
        "{endpointSelector: {}, ingress: [{fromEndpoints: [{}], fromEntities: [world]}]}",
    ),
    ("B3", "{endpointSelector: {}, ingress: [{fromEntities: [wrld]}]}"),
    ("B4", "{endpointSelector: {}, ingress: [{fromCIDR: [10.0.0.300/8]}]}"),
    (
        "B6",
        "{endpointSelector: {}, egress: [{toCIDRSet: [{cidr: 10.0.0.0/8, except: [11.0.0.0/16]}]}]}",
    ),
    (
        "C1",
        "{endpointSelector: {}, ingress: [{icmps: [{fields: [{type: 8}]}], toPorts: [{ports: [{port: '1', protocol: TCP}]}]}]}",
    ),
    (
        "C3",
        "{endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: '65536', protocol: TCP}]}]}]}",
    ),
    (
        "C7",
        "{endpointSelector: {}, ingress: [{toPorts: [{ports: [{port: '80', protocol: UDP}], rules: {http: [{}]}}]}]}",
    ),
];

#[test]
fn a_thousand_policies_are_checked_in_one_run_and_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut want = Vec::new();
    for i in 0..1000 {
        let broken = (i % 10 == 7).then(|| BROKEN[i / 10 % BROKEN.len()]);
        let spec = broken.map_or(
            "{endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}",
            |(_, spec)| spec,
        );
        let name = format!("p{i:04}.yaml");
        let head =
            format!("apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: p{i}, namespace: shop}}");
        fs::write(folder.path().join(&name), format!("{head}\nspec: {spec}\n")).expect("a file");
        want.extend(broken.map(|(code, _)| (name, code.to_owned())));
    }
    let path = folder.path().to_str().expect("text");
    let output = portcullis(&["validate", "-f", path, "-o", "json"]);
    assert_eq!((output.status, output.stderr.as_str()), (1, ""));
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let errors = report["diagnostics"].as_array().expect("a list").iter();
    let errors = errors.filter(|diagnostic| diagnostic["severity"] == "error");
    let got: Vec<(String, String)> = errors
        .map(|error| {
            let file = error["location"]["file"].as_str().expect("a file");
            let name = file.rsplit('/').next().unwrap_or(file);
            (name.to_owned(), error["code"].as_str().expect("a code").to_owned())
        })
        .collect();
    assert_eq!(got, want, "every problem, in the order of the files");
    assert_eq!((want.len(), &report["errors"]), (100, &100.into()));
    let text = portcullis(&["validate", "-f", path]);
    assert!(
        text.status == 1 && text.stdout.contains("invalid: 100 errors"),
        "{}",
        text.stdout
    );
}

#[test]
fn a_policy_without_namespace_goes_where_it_is_sent() {
    let policy = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a}, \
                  spec: {endpointSelector: {}, ingress: [{fromEntities: [all]}]}}";
    let lost = portcullis_with(&["validate", "-f", "-"], policy);
    assert!(
        lost.stdout.contains("applies to every namespace") && lost.stdout.contains("with `-n`"),
        "{lost:?}"
    );
    for option in ["-n", "--namespace"] {
        let sent = portcullis_with(&["validate", "-f", "-", option, "shop"], policy);
        assert_eq!(
            (sent.status, sent.stdout.as_str()),
            (0, "valid: no errors, no warnings\n")
        );
    }
    let bundle = portcullis_with(&["compile", "-f", "-", "-n", "shop"], policy);
    assert!(bundle.stdout.contains(r#""namespace":"shop""#), "{bundle:?}");
}

#[test]
fn what_is_no_object_is_invalid() {
    let output = portcullis_with(&["validate", "-f", "-"], "hello");
    assert_eq!(output.status, 1);
    assert!(output.stdout.contains("<stdin>:1:1"), "{output:?}");
}

#[test]
fn warnings_fail_only_when_denied() {
    let policy = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a, namespace: b}, \
                  spec: {endpointSelector: {}, ingress: [{fromEndpoints: []}]}}";
    let lenient = portcullis_with(&["validate", "-f", "-"], policy);
    assert!(
        lenient.status == 0 && lenient.stdout.contains("1 warning"),
        "{lenient:?}"
    );
    let strict = portcullis_with(&["validate", "-f", "-", "--deny-warnings"], policy);
    assert!(
        strict.status == 1 && strict.stdout.contains("invalid: no errors, 1 warning"),
        "{strict:?}"
    );
}

#[test]
fn colours_come_on_demand() {
    let output = portcullis(&["validate", "-f", "invalid.yaml", "--color", "always"]);
    assert!(
        output.stdout.contains("\u{1b}[1m\u{1b}[31minvalid\u{1b}[0m"),
        "{output:?}"
    );
}

//! `validate`.

use insta::assert_snapshot;

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

#[test]
fn a_policy_without_namespace_goes_where_it_is_sent() {
    let policy = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a}, \
                  spec: {endpointSelector: {}, ingress: [{}]}}";
    let lost = portcullis_with(&["validate", "-f", "-"], policy);
    assert!(lost.status == 1 && lost.stdout.contains("with `-n`"), "{lost:?}");
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

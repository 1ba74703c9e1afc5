//! `test`.

mod example;
mod malformed;
mod watch;

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;

use crate::run::{Output, portcullis};

fn test(args: &[&str]) -> Output {
    portcullis(&[&["test"][..], args].concat())
}

#[test]
fn a_report_for_people() {
    for (name, args, status) in [
        (
            "suites_that_pass",
            &["suite/passing.yaml", "suite/inside.yaml", "--fail-uncovered"][..],
            0,
        ),
        ("a_suite_that_fails", &["suite/failing.yaml"], 1),
        ("a_suite_with_invalid_objects", &["suite/invalid/suite.yaml"], 1),
    ] {
        let output = test(args);
        assert_eq!(
            (output.status, output.stderr.as_str()),
            (status, ""),
            "{name}: {output:?}"
        );
        assert_snapshot!(name, output.stdout);
    }
}

#[test]
fn a_report_for_programs() {
    let output = test(&["suite/failing.yaml", "-o", "json"]);
    assert_eq!((output.status, output.stderr.as_str()), (1, ""));
    let mut report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let cases = report["suites"][0]["cases"].as_array_mut().expect("a list");
    assert_eq!(cases.len(), 9);
    // One that fails and one that passes show the form.
    cases.retain(|case| {
        ["the monitor may post", "a <table> & \"quotes\": ops/mon web"].contains(&case["name"].as_str().expect("text"))
    });
    assert_snapshot!(
        "a_suite_for_programs",
        serde_json::to_string_pretty(&report).expect("JSON")
    );
}

#[test]
fn a_report_for_build_servers() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("junit.xml");
    let suites = ["suite/failing.yaml", "suite/invalid/suite.yaml"];
    let output = test(&[&suites[..], &["--junit", file.to_str().expect("text")]].concat());
    assert_eq!((output.status, output.stderr.as_str()), (1, ""));
    assert_snapshot!("a_suite_for_build_servers", fs::read_to_string(&file).expect("a file"));
    let output = test(&["suite/passing.yaml", "--junit", "none/junit.xml"]);
    assert_eq!(output.status, 2);
    assert!(output.stderr.contains("cannot write none/junit.xml"), "{output:?}");
}

#[test]
fn what_cases_leave_out_fails_only_on_demand() {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join("suite.yaml");
    let data = crate::run::testdata();
    let path = suite.to_str().expect("text");
    let write = |because: &str| {
        let text = format!(
            "files: [{data}/world.yaml, {data}/suite/objects/idle.yaml]\n\
             cases:\n- {{from: ops/mon, to: shop/db, port: 1, expect: allow}}\n{because}",
            data = data.display()
        );
        fs::write(&suite, text).expect("written");
    };
    let allowed = "- {from: 'ns=ops,app=x', to: ops/mon, port: 1, expect: allow}\n";
    let denied = "- {from: shop/db, to: ops/mon, port: 1, expect: deny}\n";
    for (more, uncovered, never_denied, why) in [
        ("", 1, 1, "a case that has nothing to do with the policy"),
        (allowed, 0, 1, "one that the rule allows"),
        (denied, 1, 0, "one that the policy denies"),
        (&format!("{allowed}{denied}"), 0, 0, "both"),
    ] {
        write(more);
        let output = test(&[path, "-o", "json"]);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{why}");
        let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
        let coverage = &report["coverage"][0];
        let count = |key: &str| coverage[key].as_array().expect("a list").len();
        assert_eq!(
            (count("uncovered"), count("never_denied")),
            (uncovered, never_denied),
            "{why}: {coverage}"
        );
        let full = uncovered + never_denied == 0;
        let output = test(&[path, "--fail-uncovered"]);
        assert_eq!(
            (output.status, output.stdout.contains("failed:")),
            (i32::from(!full), !full),
            "{why}"
        );
    }
}

#[test]
fn threads_change_nothing() {
    let one = test(&[
        "suite/passing.yaml",
        "../../examples/empire/tests",
        "--jobs",
        "1",
        "-o",
        "json",
    ]);
    let many = test(&[
        "suite/passing.yaml",
        "../../examples/empire/tests",
        "--jobs",
        "7",
        "-o",
        "json",
    ]);
    assert_eq!((one.status, one.stdout), (0, many.stdout));
    let none = test(&["suite/passing.yaml", "--jobs", "0"]);
    assert_eq!(none.status, 2, "nobody to ask");
}

#[test]
fn suites_about_the_same_policies_share_their_coverage() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, case: &str| {
        let data = crate::run::testdata();
        let text = format!("files: {}\ncases:\n- {case}\n", data.join("policy.yaml").display());
        let world = format!("[{}, ", data.join("world.yaml").display());
        let text = text
            .replacen("files: ", &format!("files: {world}"), 1)
            .replacen(".yaml\ncases", ".yaml]\ncases", 1);
        fs::write(folder.path().join(name), text).expect("written");
    };
    write("a.yaml", "{from: shop/db, to: shop/web, port: 8080, expect: allow}");
    write("b.yaml", "{from: shop/banned, to: shop/web, port: 8080, expect: deny}");
    let output = test(&[folder.path().to_str().expect("text"), "-o", "json"]);
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(
        (output.status, report["coverage"].as_array().expect("a list").len()),
        (0, 1),
        "{output:?}"
    );
    let coverage = &report["coverage"][0];
    assert_eq!(coverage["suites"].as_array().expect("a list").len(), 2);
    assert_eq!(
        coverage["covered"], 3,
        "an element, its ports, and the deny of the other suite: {coverage}"
    );
}

//! The suites of the example cluster: they pass, they notice when its policy changes, and they leave nothing out.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use wasm_host::artefact;

use super::test;
use crate::run::Output;

const SUITES: &str = "../../examples/empire/tests";

/// A copy of the example, to change.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        let copy = tempfile::tempdir().expect("a folder");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/empire");
        for name in ["world.yaml", "policy.yaml", "tests/policy.yaml"] {
            let to = copy.path().join(name);
            fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            fs::copy(example.join(name), to).expect("a copy");
        }
        Self(copy)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn change(&self, name: &str, change: impl Fn(&str) -> String) {
        let text = fs::read_to_string(self.file(name)).expect("readable");
        let changed = change(&text);
        assert_ne!(changed, text, "nothing has changed in {name}");
        fs::write(self.file(name), changed).expect("written");
    }

    fn test(&self, more: &[&str]) -> Output {
        let suite = self.file("tests/policy.yaml");
        test(&[&[suite.to_str().expect("text")][..], more].concat())
    }
}

#[test]
fn every_stage_passes_and_nothing_is_left_out() {
    let output = test(&[SUITES, "--fail-uncovered"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    assert!(
        output
            .stdout
            .contains("passed: 159 cases in 8 suites; 38 of 38 rules exercised\n"),
        "{}",
        output.stdout
    );
}

#[test]
fn a_changed_line_of_the_policy_fails_and_says_why() {
    for (before, after, parts, why) in [
        (
            "method: \"GET\"",
            "method: \"POST\"",
            &[
                "Prometheus reads metrics: expected allow, seen deny",
                "missed: method GET is not POST",
            ][..],
            "another method",
        ),
        (
            "app: prometheus",
            "app: grafana",
            &[
                "expected allow, seen deny",
                "missed: label app is prometheus, wanted grafana",
            ],
            "another peer",
        ),
        (
            "\"cilium.io\"",
            "\"google.com\"",
            &[
                "empire/tiefighter google.com: expected deny, seen allow",
                "specs[3].egress[0]",
            ],
            "another name",
        ),
    ] {
        let copy = Copy::new();
        copy.change("policy.yaml", |text| text.replacen(before, after, 1));
        let output = copy.test(&[]);
        assert_eq!(output.status, 1, "{why}: {output:?}");
        for part in parts {
            assert!(output.stdout.contains(part), "{why}: no `{part}` in {}", output.stdout);
        }
    }
}

#[test]
fn a_deleted_case_leaves_its_rule_uncovered() {
    let copy = Copy::new();
    copy.change("tests/policy.yaml", |text| {
        let (start, end) = (text.find("- name: they call cilium.io"), text.find("tables:"));
        format!(
            "{}{}",
            &text[..start.expect("the case")],
            &text[end.expect("the next part")..]
        )
    });
    let output = copy.test(&["--fail-uncovered"]);
    assert_eq!(output.status, 1, "{output:?}");
    let line = "no case exercises  CiliumNetworkPolicy/empire/allow-within-namespace specs[3].egress[0]\n";
    assert!(output.stdout.contains(line), "{}", output.stdout);
    assert_eq!(copy.test(&[]).status, 0, "only a remark, unless asked for");
}

#[test]
fn the_plugin_says_the_same() {
    if let Err(error) = artefact::locate() {
        // Not `eprintln!`, which is swallowed when the test passes.
        let _ = writeln!(std::io::stderr(), "NOT TESTED: suites with the plugin: {error:#}");
        return;
    }
    let json = |engine| test(&[SUITES, "--engine", engine, "-o", "json"]);
    let (native, wasm) = (json("native"), json("wasm"));
    assert_eq!((wasm.status, wasm.stdout), (0, native.stdout), "{}", wasm.stderr);
}

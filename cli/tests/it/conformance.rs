//! `conformance`, and with it the verdicts themselves.

use std::{fs, io::Write as _};

use wasm_host::artefact;

use crate::run::{corpus, portcullis};

const CASES: &str = "eval/cases.jsonl";
const KNOWN: &str = "../../conformance/known-differences.toml";

#[test]
fn verdicts_are_as_expected() {
    // Where one is, all are.
    let seed = corpus("seed.jsonl");
    let all = seed.as_ref().and_then(|path| path.parent()?.to_str());
    let args: Vec<&str> = ["conformance", "--known", KNOWN, CASES]
        .into_iter()
        .chain(all)
        .collect();
    let output = portcullis(&args);
    assert_eq!(output.status, 0, "{}", output.stdout);
}

#[test]
fn the_plugin_answers_the_same() {
    if let Err(error) = artefact::locate() {
        // Not `eprintln!`, which is swallowed when the test passes.
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: the plugin against the engine: {error:#}"
        );
        return;
    }
    let seed = corpus("seed.jsonl");
    let seed = seed.as_ref().map(|path| path.to_str().expect("text"));
    let args: Vec<&str> = ["conformance", "--engine", "both", CASES]
        .into_iter()
        .chain(seed)
        .collect();
    let output = portcullis(&args);
    assert_eq!(output.status, 0, "{}{}", output.stdout, output.stderr);
}

#[test]
fn every_kind_of_difference_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"a","name":"b"}}"#;
    let flow = r#""from":"a/b","to":"a/b","protocol":"TCP","port":1"#;
    let line = |name: &str, more: &str| format!(r#"{{"name":"{name}","tags":["t"],"objects":[{pod}],{more}}}"#);
    let lines = [
        line(
            "same",
            &format!(r#""rejected":[],"flows":[{{{flow},"expect":"allow","layer":"l4","proxied":false}}]"#),
        ),
        line(
            "verdict",
            &format!(r#""flows":[{{{flow},"expect":"allow"}},{{{flow},"expect":"conflict"}}]"#),
        ),
        line(
            "layer",
            &format!(r#""flows":[{{{flow},"expect":"allow","layer":null}}]"#),
        ),
        line(
            "proxied",
            &format!(r#""flows":[{{{flow},"expect":"allow","proxied":true}}]"#),
        ),
        line(
            "authentication",
            &format!(r#""flows":[{{{flow},"expect":"allow","auth":"spire"}}]"#),
        ),
        line("object", r#""rejected":["CiliumNetworkPolicy/a/c"]"#),
        line(
            "unsupported",
            &format!(r#""flows":[{{{flow},"kafka":{{"topics":["t"]}},"expect":"allow"}}]"#),
        ),
        line("no answer", r#""options":{"none":1}"#),
    ];
    fs::write(folder.path().join("corpus.jsonl"), lines.join("\n")).expect("a corpus");
    fs::write(folder.path().join("other.txt"), "not a corpus").expect("a file");
    let path = folder.path().to_str().expect("text");
    let output = portcullis(&["conformance", path]);
    assert_eq!((output.status, output.stderr.as_str()), (1, ""));
    insta::assert_snapshot!("every_kind_of_difference", output.stdout);
    let json: serde_json::Value =
        serde_json::from_str(&portcullis(&["conformance", "-o", "json", path]).stdout).expect("JSON");
    assert_eq!(
        (&json["total"]["disagreed"], &json["total"]["unsupported"]),
        (&1.into(), &1.into())
    );
    assert_eq!(json["differences"][0]["flow"], 1);
}

#[test]
fn known_differences_do_not_count_and_stale_ones_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("text").to_owned()
    };
    let corpus = write(
        "corpus.jsonl",
        r#"{"name":"a","objects":[{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"a","name":"b"}}],
            "flows":[{"from":"a/b","to":"a/b","protocol":"TCP","port":1,"expect":"deny"}]}"#
            .replace('\n', "")
            .as_str(),
    );
    let entry = |corpus: &str, line: &str| {
        format!(
            "[[difference]]\ncorpus = \"{corpus}\"\nnames = [\"{line}\"]\nflows = [0]\nours = \"allow\"\n\
             theirs = \"deny\"\nreason = \"to see\"\n"
        )
    };
    for (list, status, known, part, why) in [
        (
            String::new(),
            1,
            0,
            "a flow 0: another verdict",
            "an empty list knows nothing",
        ),
        (entry("corpus.jsonl", "a"), 0, 1, "", "the difference is known"),
        (
            entry("corpus.jsonl", "a") + &entry("other.jsonl", "a"),
            0,
            1,
            "",
            "a corpus that was not run says nothing about its entries",
        ),
        (
            entry("corpus.jsonl", "a") + &entry("corpus.jsonl", "b"),
            1,
            1,
            "b flow 0: a stale entry",
            "an entry that does not apply is an error",
        ),
    ] {
        let list = write("known.toml", &list);
        let output = portcullis(&["conformance", "--known", &list, &corpus]);
        assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{why}");
        assert!(output.stdout.contains(part), "{why}: {}", output.stdout);
        let json = portcullis(&["conformance", "--known", &list, "-o", "json", &corpus]).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["total"]["known"], known, "{why}");
    }
}

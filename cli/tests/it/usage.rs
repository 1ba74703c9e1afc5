//! Exit status and messages when the question could not be asked.

use crate::run::{portcullis, portcullis_with};

#[test]
fn what_cannot_be_asked_is_status_2() {
    let trace = [
        "trace",
        "-f",
        "world.yaml",
        "policy.yaml",
        "--from",
        "shop/db",
        "--to",
        "shop/web",
        "--port",
        "8080",
    ];
    let with = |more: &[&'static str]| [&trace[..], more].concat();
    for (args, part, why) in [
        (vec![], "Usage:", "no command"),
        (vec!["validate"], "--file <PATH>", "no input"),
        (
            vec!["validate", "-f", "none.yaml"],
            "error: cannot read `none.yaml`: No such file or directory (os error 2)\n",
            "no such file",
        ),
        (
            vec!["validate", "-f", "-", "-"],
            "standard input can be read only once",
            "standard input twice",
        ),
        (
            vec!["compile", "-f", "world.yaml", "-o", "none/bundle.json"],
            "cannot write none/bundle.json",
            "no such folder",
        ),
        (vec!["eval", "none.jsonl"], "cannot read none.jsonl", "no such lines"),
        (vec!["conformance", "none"], "none does not exist", "no such corpus"),
        (
            vec!["conformance", "."],
            ". has no .jsonl file",
            "a folder without corpora",
        ),
        (
            vec!["conformance", "--known", "none.toml", "eval"],
            "cannot read none.toml: No such file",
            "no such list",
        ),
        (
            vec!["conformance", "--known", "world.yaml", "eval"],
            "world.yaml is not a list of differences",
            "no list",
        ),
        (
            with(&["--kafka", "grab a"]),
            "`grab` is no Kafka request",
            "an unknown request",
        ),
        (
            with(&["--dns", "a.example", "--kafka", "fetch a"]),
            "cannot be used with",
            "two messages at once",
        ),
        (
            with(&["--host", "a.example"]),
            "--http <METHOD PATH>",
            "a host without a request",
        ),
        (
            [&trace[..4], &["--from", "shop/nobody"], &trace[6..]].concat(),
            "no pod `shop/nobody`",
            "an unknown pod",
        ),
        (
            [&trace[..4], &["--from", "nobody"], &trace[6..]].concat(),
            "`nobody` is not a peer",
            "no peer at all",
        ),
    ] {
        let output = portcullis(&args);
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{why}: {output:?}");
        assert!(output.stderr.contains(part), "{why}: {output:?}");
    }
}

#[test]
fn every_command_shows_an_example() {
    for command in [
        "",
        "validate",
        "compile",
        "trace",
        "eval",
        "conformance",
        "test",
        "replay",
        "doctor",
    ] {
        let args: Vec<&str> = [command, "--help"].into_iter().filter(|arg| !arg.is_empty()).collect();
        let output = portcullis(&args);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""));
        let example = format!("Example:\n  portcullis {command}");
        assert!(output.stdout.contains(&example), "{command}: {}", output.stdout);
    }
}

#[test]
fn standard_input_is_a_file() {
    let output = portcullis_with(&["validate", "-f", "-"], "{");
    assert_eq!(output.status, 1);
    assert!(output.stdout.contains("<stdin>:1:"), "{output:?}");
}

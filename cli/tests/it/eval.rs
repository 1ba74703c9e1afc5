//! `eval`.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

use insta::assert_snapshot;

use crate::run::{command, portcullis, portcullis_with, testdata};

#[test]
fn lines_that_cannot_be_answered_do_not_stop_the_others() {
    let output = portcullis(&["eval", "eval/malformed.jsonl"]);
    assert_eq!((output.status, output.stderr.as_str()), (1, ""));
    assert_snapshot!("malformed", output.stdout);
}

#[test]
fn what_is_not_supported_is_never_allowed() {
    let output = portcullis(&["eval", "eval/unsupported.jsonl"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    assert_snapshot!("unsupported", output.stdout);
}

#[test]
fn answers_have_the_agreed_form() {
    let cases = fs::read_to_string(testdata().join("eval/cases.jsonl")).expect("cases");
    for name in ["requests", "one side at a time", "an invalid object is left out"] {
        let start = format!(r#"{{"name":"{name}","#);
        let line = cases.lines().find(|line| line.starts_with(&start)).expect(name);
        let output = portcullis_with(&["eval"], line);
        assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{name}");
        // One flow a line: easier to read, and a difference is easier to see.
        assert_snapshot!(
            name.replace(' ', "_"),
            output.stdout.replace(r#"{"verdict""#, "\n  {\"verdict\"")
        );
    }
}

#[test]
fn the_same_line_has_the_same_answer() {
    let once = portcullis(&["eval", "eval/cases.jsonl"]);
    let cases = fs::read_to_string(testdata().join("eval/cases.jsonl")).expect("cases");
    let twice = portcullis_with(&["eval", "-"], &format!("{cases}{cases}"));
    assert_eq!((once.status, twice.status), (0, 0));
    assert!(
        twice.stdout == format!("{0}{0}", once.stdout),
        "answers depend on what was asked before"
    );
}

#[test]
fn an_answer_does_not_wait_for_the_next_line() {
    let mut child = command(&["eval"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start");
    let mut input = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for name in ["first", "second"] {
        writeln!(input, r#"{{"name":"{name}"}}"#).expect("write");
        let answer = answers.next().expect("an answer").expect("text");
        assert_eq!(answer, format!(r#"{{"name":"{name}","rejected":[],"flows":[]}}"#));
    }
    drop(input);
    assert!(answers.next().is_none() && child.wait().expect("finish").success());
}

//! What the options change.

use std::{fs, io::Write as _};

use super::{json, replay, summary};
use crate::run::{portcullis, portcullis_with, testdata};

const FILES: [&str; 5] = ["replay", "-f", "world.yaml", "-f", "policy.yaml"];

#[test]
fn the_exit_status_counts_what_was_asked_for() {
    // `flows` has both; of these lines one is opened, and one is closed.
    let text = fs::read_to_string(testdata().join("replay/flows.jsonl")).expect("readable");
    let line = |number: usize| format!("{}\n", text.lines().nth(number).expect("a line"));
    let (same, closed, opened) = (line(0), line(1), line(2));
    for (log, fail_on, status, why) in [
        (&same, "any", 0, "nothing changes"),
        (&closed, "any", 1, "something does"),
        (&closed, "widening", 0, "nothing opens"),
        (&closed, "narrowing", 1, "something closes"),
        (&opened, "widening", 1, "something opens"),
        (&opened, "narrowing", 0, "nothing closes"),
    ] {
        let output = portcullis_with(&[&FILES[..], &["-", "--fail-on", fail_on]].concat(), log);
        assert_eq!(output.status, status, "{fail_on}: {why}: {}", output.stderr);
    }
}

#[test]
fn audited_policies_have_no_effect_unless_asked_for() {
    let policy = fs::read_to_string(testdata().join("policy.yaml")).expect("readable");
    let audited = policy.replace("metadata:\n", "metadata:\n  annotations: {portcullis.io/mode: audit}\n");
    assert_ne!(policy, audited);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("audited.yaml");
    fs::write(&path, audited).expect("written");
    let flows = fs::read_to_string(testdata().join("replay/flows.jsonl")).expect("readable");
    let closed = flows.lines().nth(1).expect("a line");
    let files = ["replay", "-f", "world.yaml", "-f", path.to_str().expect("text"), "-"];
    for (options, status, why) in [
        (&[][..], 0, "as in a proxy"),
        (&["--audit-as-enforced"][..], 1, "what would break"),
    ] {
        let output = portcullis_with(&[&files[..], options].concat(), closed);
        assert_eq!(output.status, status, "{why}: {}", output.stderr);
    }
}

#[test]
fn a_direction_leaves_one_side_unasked() {
    // The egress policy of the web server does not know this port; the ingress policy of the database knows nothing.
    let line = r#"{"source":"10.0.0.1:40000","destination":"10.0.0.2:6379","verdict":"allow","sni":null}"#;
    for (direction, closed, why) in [
        ("both", 1, "the source may not"),
        ("egress", 1, "the source may not"),
        ("ingress", 0, "the destination does not mind"),
    ] {
        let output = portcullis_with(
            &[&FILES[..], &["-", "-o", "json", "--direction", direction]].concat(),
            line,
        );
        let text = format!("\"closed\": {closed},");
        assert!(output.stdout.contains(&text), "{direction}: {why}: {}", output.stdout);
    }
}

#[test]
fn a_destination_is_what_the_plugin_was_told_it_is() {
    let line = r#"{"source":"10.0.0.1:40000","destination":"10.0.9.9:443","upstream":"10.0.0.2:5432","verdict":"allow",
        "method":"GET","path":"/","authority":"example.com:443"}"#;
    let line = line.replace('\n', "");
    for (destination, closed, why) in [
        ("address", 1, "an address that nobody has"),
        ("authority", 0, "a name that a rule allows"),
        ("upstream", 0, "the database, on a port that a rule allows"),
    ] {
        let args = [&FILES[..], &["-", "-o", "json", "--destination", destination]].concat();
        let output = portcullis_with(&args, &line);
        let text = format!("\"closed\": {closed},");
        assert!(output.stdout.contains(&text), "{destination}: {why}: {output:?}");
    }
}

#[test]
fn a_proof_of_identity_counts() {
    let line = |source: &str, peer: &str| {
        format!(
            r#"{{"source":"{source}:4000","destination":"10.0.0.1:8080","verdict":"allow","reason":"allowed-by-rule",
            "peer":{peer},"method":"GET","path":"/metrics"}}"#
        )
        .replace('\n', "")
    };
    for (source, peer, want, why) in [
        ("192.0.2.1", "null", "\"closed\": 1,", "an address outside"),
        (
            "192.0.2.1",
            r#""ns=ops pod=mon""#,
            "\"closed\": 0,",
            "with the certificate of the monitor",
        ),
        (
            "192.0.2.1",
            r#""ns=shop pod=banned""#,
            "\"closed\": 1,",
            "with that of another",
        ),
        (
            "10.0.0.3",
            r#""ns=ops pod=mon""#,
            "contradicting-identity",
            "who has another's address",
        ),
        ("192.0.2.1", r#""ns=ops po...""#, "unknown-peer", "cut off"),
    ] {
        let output = portcullis_with(&[&FILES[..], &["-", "-o", "json"]].concat(), &line(source, peer));
        assert!(output.stdout.contains(want), "{why}: {output:?}");
    }
}

#[test]
fn a_gzipped_log_reads_as_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let packed = folder.path().join("log.gz");
    let text = fs::read(testdata().join("replay/hubble.jsonl")).expect("readable");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&text).expect("memory");
    let bytes = encoder.finish().expect("memory");
    fs::write(&packed, &bytes).expect("writable");
    let packed = packed.to_str().expect("text");
    let plain = json(&[&FILES[..], &["replay/hubble.jsonl"]].concat());
    assert_eq!(summary(&json(&[&FILES[..], &[packed]].concat())), summary(&plain));

    let torn = folder.path().join("torn.gz");
    fs::write(&torn, &bytes[..bytes.len() / 2]).expect("writable");
    let output = replay(torn.to_str().expect("text"), &[]);
    assert_eq!(
        (output.status, output.stdout.as_str()),
        (2, ""),
        "a torn archive is no answer"
    );
    assert!(output.stderr.contains("after line"), "{}", output.stderr);
}

#[test]
fn the_answer_does_not_depend_on_threads_and_not_on_how_a_log_is_cut() {
    let text = fs::read_to_string(testdata().join("replay/hubble.jsonl")).expect("readable");
    // More than one batch, so that threads have something to share.
    let long = text.repeat(400);
    let run = |jobs| portcullis_with(&[&FILES[..], &["-", "-o", "json", "--jobs", jobs]].concat(), &long).stdout;
    assert_eq!(run("1"), run("3"));

    let twice = json(&[&FILES[..], &["replay/istio.jsonl", "replay/flows.jsonl"]].concat());
    let places: Vec<_> = twice["groups"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|group| &group["first"]["file"])
        .collect();
    assert!(places.iter().any(|file| *file == "replay/flows.jsonl"), "{places:?}");
    assert_eq!(twice["lines"], 19);
}

#[test]
fn more_groups_than_fit_are_counted() {
    let line = |n: usize| {
        format!(
            r#"{{"source":"10.0.0.1:4","destination":"10.0.0.2:{}","verdict":"allow"}}"#,
            n + 6000
        ) + "\n"
    };
    let log: String = (0..5_010).map(line).collect();
    let output = portcullis_with(&[&FILES[..], &["-", "--show", "1"]].concat(), &log);
    assert!(
        output.stdout.contains("and 4999 more groups with 4999 flows"),
        "{}",
        output.stdout
    );
    assert!(
        output
            .stdout
            .contains("and 10 flows in more groups than the 5000 that are kept: 0 opened, 10 closed")
    );
    assert!(
        output
            .stdout
            .ends_with("5010 flows: 5010 closed, 0 opened, 0 the same\n"),
        "{}",
        output.stdout
    );
}

#[test]
fn what_cannot_be_asked_is_status_2() {
    for (args, part, why) in [
        (vec!["replay", "x.log"], "--file <PATH>", "no policies"),
        (vec!["replay", "-f", "world.yaml"], "<LOG>", "no log"),
        (
            vec!["replay", "-f", "world.yaml", "none.log"],
            "cannot read none.log",
            "no such log",
        ),
        (
            vec!["replay", "-f", "-", "-"],
            "standard input can be read only once",
            "standard input twice",
        ),
        (
            vec!["replay", "-f", "world.yaml", "replay"],
            "cannot read replay",
            "a folder",
        ),
        (
            vec![
                "replay",
                "-f",
                "world.yaml",
                "x.log",
                "--destination",
                "authority",
                "--direction",
                "ingress",
            ],
            "asks the policy of the source",
            "two options that exclude each other",
        ),
    ] {
        let output = portcullis(&args);
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{why}: {output:?}");
        assert!(output.stderr.contains(part), "{why}: {output:?}");
    }
    let output = portcullis(&["replay", "-f", "invalid.yaml", "replay/demo.log"]);
    assert_eq!(
        (output.status, output.stdout.as_str()),
        (1, ""),
        "invalid policies have no answer"
    );
}

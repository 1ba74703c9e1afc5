//! `doctor`, on the real Envoy: it says nothing of a healthy one, and finds each fault that was planted.

mod plant;
mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use envoy_e2e::world::net::Network;
use insta::assert_snapshot;
use policy_core::Bundle;
use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Output, portcullis, testdata};
use plant::{PLANTED, Planted};
use world::{Draft, World, as_bytes, compile, digest, packed};

/// Asks the Envoy of this world.
fn ask(world: &World, options: &[&str]) -> Output {
    portcullis(&[&["doctor", "--admin", &world.admin()], options].concat())
}

/// The answer for programs.
fn report(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {output:?}"))
}

/// The codes of what was found, each with the listeners that have it.
fn findings(report: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for finding in report["findings"].as_array().expect("a list") {
        let listeners = finding["listeners"].as_array().expect("a list");
        found
            .entry(text(&finding["code"]))
            .or_default()
            .extend(listeners.iter().map(text));
    }
    found
}

/// A folder with the saved pages of the test data, in which the configurations of the plugin are packed.
fn pages() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let from = testdata().join("doctor");
    for file in ["config_dump.json", "listeners.json", "stats.json", "server_info.json"] {
        let text = fs::read_to_string(from.join(file)).expect("a page");
        let bare = r#"{"version":1,"direction":"listener","bundle":{"version":1}}"#;
        let quoted = |text: &str| Value::from(text).to_string();
        let text = text.replace(&quoted(bare), &quoted(&packed(bare)));
        fs::write(folder.path().join(file), text).expect("a file");
    }
    folder
}

/// The digest of the policy in them.
fn digest_of_pages() -> String {
    let bundle = Bundle::from_json(br#"{"version":1}"#).expect("a bundle");
    bundle.digest.expect("reading finds the digest")
}

/// Asks those saved pages.
fn ask_pages(options: &[&str]) -> Output {
    let folder = pages();
    let path = folder.path().to_str().expect("text");
    portcullis(&[&["doctor", "--from", path], options].concat())
}

#[test]
fn nothing_is_said_of_a_healthy_envoy() {
    let as_text: fn(&mut Draft) = |_| ();
    for change in [as_text, as_bytes] {
        assert_nothing_is_said(change);
    }
}

fn assert_nothing_is_said(change: fn(&mut Draft)) {
    let Some(world) = World::start(change) else { return };
    // What the policy denies is the plugin's business, and no sign that a guard had to step in.
    for name in ["web", "echo", "gateway"] {
        world.send(name, b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    }
    let output = ask(&world, &["--digest", &digest(), "--all"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""), "{output:?}");
    let words = output
        .stdout
        .lines()
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>());
    let names = world.listeners();
    let expected: Vec<_> = names.iter().map(|name| vec!["guarded", name]).collect();
    assert_eq!(words.collect::<Vec<_>>(), expected, "{output:?}");
}

#[test]
fn each_planted_fault_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for Planted {
        code,
        listeners,
        before,
        after,
    } in PLANTED
    {
        let Some(world) = World::start(before) else { return };
        after(&world);
        let output = ask(&world, &["-o", "json", "--digest", &digest()]);
        let report = report(&output);
        let expected = listeners.iter().map(|&name| name.to_owned()).collect();
        let found = findings(&report);
        if found != BTreeMap::from([((*code).to_owned(), expected)]) {
            wrong.push(format!("{code}: {found:?}"));
        }
        let errors = report["errors"] != 0;
        assert_eq!(
            (output.status, report["healthy"] == false),
            (i32::from(errors), errors),
            "{code}"
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_refusal_is_not_forgotten_when_it_is_repeated() {
    let Some(world) = World::start(|_| ()) else { return };
    for expected in ["update-refused", "update-unclear"] {
        world.push("{}");
        let found = findings(&report(&ask(&world, &["-o", "json"])));
        assert!(found.contains_key(expected), "{expected}: {found:?}");
    }
    world.push(&compile(&["--plugin-config", "listener"]));
    let found = findings(&report(&ask(&world, &["-o", "json", "--digest", &digest()])));
    assert_eq!(
        found.into_keys().collect::<Vec<_>>(),
        ["update-unclear"],
        "the counters stay"
    );
}

#[test]
fn what_is_wrong_is_said_to_people() {
    let output = ask_pages(&["--digest", "sha256:8", "--all"]);
    assert_eq!((output.status, output.stderr.as_str()), (1, ""), "{output:?}");
    assert_snapshot!(output.stdout);
}

#[test]
fn and_to_programs() {
    let output = ask_pages(&["--all", "-o", "json"]);
    assert_eq!((output.status, output.stderr.as_str()), (1, ""), "{output:?}");
    assert_snapshot!(output.stdout);
}

#[test]
fn saved_pages_are_as_good_as_envoy() {
    let Some(world) = World::start(|_| ()) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for (path, file) in [
        ("/config_dump", "config_dump.json"),
        ("/listeners?format=json", "listeners.json"),
        ("/stats?format=json", "stats.json"),
        ("/server_info", "server_info.json"),
    ] {
        fs::write(folder.path().join(file), world.page(path)).expect("a file");
    }
    let path = folder.path().to_str().expect("text");
    let (saved, running) = (portcullis(&["doctor", "--from", path]), ask(&world, &[]));
    assert_eq!((saved.status, saved.stdout), (running.status, running.stdout));
}

#[test]
fn the_bundle_may_be_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bundle.json");
    fs::write(&path, compile(&[])).expect("a file");
    let path = path.to_str().expect("text");
    let output = ask_pages(&["--bundle", path]);
    assert_eq!(output.status, 1, "{output:?}");
    let said = format!("its bundle is {}, not {}", digest_of_pages(), digest());
    assert!(output.stdout.contains(&said), "{output:?}");
}

#[test]
fn what_cannot_be_read_is_status_2() {
    // A port on which nobody listens.
    let nobody = Network::new().free(1).expect("a free port").to_string();
    for (args, part, why) in [
        (
            &["--admin", nobody.as_str()][..],
            "cannot read `/config_dump`",
            "no Envoy",
        ),
        (&["--from", "none"], "cannot read none/config_dump.json", "no folder"),
        (
            &["--from", "doctor", "--bundle", "world.yaml"],
            "world.yaml is not a bundle",
            "no bundle",
        ),
        (
            &["--from", "doctor", "--admin", "127.0.0.1:1"],
            "cannot be used with",
            "two sources",
        ),
        (
            &["--from", "doctor", "--digest", "x", "--bundle", "y"],
            "cannot be used with",
            "two policies",
        ),
    ] {
        let output = portcullis(&[&["doctor"], args].concat());
        assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{why}: {output:?}");
        assert!(output.stderr.contains(part), "{why}: {output:?}");
    }
}

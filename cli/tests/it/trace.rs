//! `trace`.

use insta::assert_snapshot;
use serde_json::Value;

use crate::run::{Output, portcullis};

fn trace(from: &str, to: &str, port: &str, more: &[&str]) -> Output {
    let args = [
        "trace",
        "-f",
        "world.yaml",
        "policy.yaml",
        "--from",
        from,
        "--to",
        to,
        "--port",
        port,
    ];
    portcullis(&[&args[..], more].concat())
}

#[test]
fn an_explanation_for_people() {
    for (name, from, to, port, more, status) in [
        ("allowed_by_a_rule", "shop/db", "shop/web", "8080", &[][..], 0),
        (
            "a_request_through_a_service",
            "ops/mon",
            "10.96.0.1",
            "80",
            &["--http", "GET /admin", "--host", "web"],
            1,
        ),
        ("requests_decided_later", "ns=ops,app=mon", "shop/web", "8080", &[], 0),
        ("denied_by_a_rule", "ns=shop,app=banned", "shop/web", "8080", &[], 1),
        ("denied_by_default", "shop/web", "ops/mon", "443", &[], 1),
        ("from_outside", "reserved:world", "shop/web", "8080", &[], 1),
        (
            "to_a_name",
            "shop/web",
            "93.184.216.34",
            "443",
            &["--fqdn", "example.com=93.184.216.34"],
            0,
        ),
        ("to_no_port_of_a_service", "shop/db", "10.96.0.1", "81", &[], 1),
        ("nobody_to_ask", "1.1.1.1", "8.8.8.8", "8/ICMP", &[], 1),
    ] {
        let output = trace(from, to, port, more);
        assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{name}");
        assert_snapshot!(name, output.stdout);
    }
}

#[test]
fn an_explanation_for_programs() {
    let request = [
        "--http",
        "POST /metrics",
        "--header",
        "X-A: 1",
        "--header",
        "X-A: 2",
        "-o",
        "json",
    ];
    let output = trace("ops/mon", "10.0.0.1", "8080", &request);
    assert_eq!((output.status, output.stderr.as_str()), (1, ""));
    assert_snapshot!("an_explanation_for_programs", output.stdout);
}

#[test]
fn what_a_connection_shows() {
    let shop = |name: &str, from: &str, to: &str, port: &str, more: &[&str], status: i32| {
        let args = [
            "trace",
            "-f",
            "world.yaml",
            "shows.yaml",
            "--from",
            from,
            "--to",
            to,
            "--port",
            port,
        ];
        let output = portcullis(&[&args[..], more].concat());
        assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{name}");
        assert_snapshot!(name, output.stdout);
    };
    let (web, db, out) = ("shop/web", "shop/db", "198.51.100.7");
    shop(
        "a_server_name_that_is_allowed",
        web,
        out,
        "443",
        &["--sni", "a.example"],
        0,
    );
    shop("a_server_name_that_is_not", web, out, "443", &["--sni", "b.example"], 1);
    shop(
        "a_name_that_may_be_asked_for",
        web,
        out,
        "53/UDP",
        &["--dns", "a.example"],
        0,
    );
    shop("a_name_that_may_not", web, out, "53/UDP", &["--dns", "b.example"], 1);
    shop("a_topic", db, web, "9092", &["--kafka", "produce orders me"], 0);
    shop(
        "another_topic",
        db,
        web,
        "9092",
        &["--kafka", "produce orders,returns"],
        1,
    );
    shop("looked_into_later", web, out, "443", &[], 0);
    shop("an_authenticated_peer", "ops/mon", web, "80", &[], 0);
    shop(
        "an_unauthenticated_peer",
        "ops/mon",
        web,
        "80",
        &["--unauthenticated"],
        1,
    );
    shop(
        "changed_headers",
        db,
        web,
        "81",
        &["--http", "GET /", "--header", "X-A: 2"],
        0,
    );
    shop("a_conflict", db, "shop/torn", "80", &[], 1);
}

/// Name, policy, source, destination, port, more arguments, status.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    i32,
);

/// One question of every kind, for the whole walkthrough and for its form for programs.
const WALKS: [Row; 11] = [
    ("allowed", "policy.yaml", "shop/db", "shop/web", "8080", &[], 0),
    (
        "missed_peer",
        "policy.yaml",
        "ns=ops,app=other",
        "shop/web",
        "8080",
        &[],
        1,
    ),
    (
        "denied_by_rule",
        "policy.yaml",
        "shop/banned",
        "shop/web",
        "8080",
        &[],
        1,
    ),
    (
        "missed_request",
        "policy.yaml",
        "ops/mon",
        "shop/web",
        "8080",
        &["--http", "HEAD /metrics"],
        1,
    ),
    ("missed_name", "policy.yaml", "shop/web", "8.8.8.8", "443", &[], 1),
    (
        "missed_server_name",
        "shows.yaml",
        "shop/web",
        "198.51.100.7",
        "443",
        &["--sni", "b.example"],
        1,
    ),
    (
        "missed_topic",
        "shows.yaml",
        "shop/db",
        "shop/web",
        "9092",
        &["--kafka", "produce returns me"],
        1,
    ),
    ("in_conflict", "shows.yaml", "shop/db", "shop/torn", "80", &[], 1),
    ("outside_peer", "policy.yaml", "203.0.113.9", "shop/web", "8080", &[], 1),
    (
        "through_a_service",
        "policy.yaml",
        "shop/db",
        "10.96.0.1",
        "80",
        &["--fqdn", "example.com=10.96.0.1"],
        0,
    ),
    ("not_isolated", "policy.yaml", "shop/web", "shop/db", "5432", &[], 0),
];

fn walk(row: Row, form: &[&str]) -> Output {
    let (name, policy, from, to, port, more, status) = row;
    let args = [
        "trace",
        "-f",
        "world.yaml",
        policy,
        "--from",
        from,
        "--to",
        to,
        "--port",
        port,
    ];
    let output = portcullis(&[&args[..], more, form].concat());
    assert_eq!((output.status, output.stderr.as_str()), (status, ""), "{name}");
    output
}

#[test]
fn the_whole_walkthrough() {
    for row in WALKS {
        assert_snapshot!(format!("walk_{}", row.0), walk(row, &["--explain", "full"]).stdout);
    }
}

#[test]
fn programs_get_the_same() {
    for row in WALKS {
        let text = walk(row, &["--explain", "full"]).stdout;
        let short = walk(row, &[]).stdout;
        let json = walk(row, &["-o", "json"]).stdout;
        assert_eq!(
            json,
            walk(row, &["-o", "json", "--explain", "full"]).stdout,
            "{}",
            row.0
        );
        let json: Value = serde_json::from_str(&json).expect("JSON");
        for side in json["sides"].as_array().expect("a list") {
            // Every rule that was considered is in the text, with its place, and with its condition if it missed one.
            for considered in side["considered"].as_array().expect("a list") {
                let rule = considered["rule"].as_str().expect("text");
                let (object, path) = rule.split_once(' ').expect("an object and a path");
                let line = &json["places"][rule]["line"];
                assert!(
                    text.contains(object) && text.contains(&format!("{path}  ")),
                    "{rule}: {text}"
                );
                assert!(text.contains(&format!("yaml:{line}\n")), "{rule} at {line}: {text}");
                assert_eq!(considered["missed"].is_null(), considered["matches"] == true, "{rule}");
                assert_eq!(
                    considered["missed"].is_null(),
                    considered["condition"].is_null(),
                    "{rule}"
                );
            }
            if let Some(missed) = side["nearest"]["missed"].as_str() {
                let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(words(&short).contains(&words(missed)), "{missed}: {short}");
                assert!(side["nearest"]["condition"]["condition"].is_string(), "{side}");
            }
        }
    }
    let json = walk(WALKS[4], &["-o", "json"]).stdout;
    assert_snapshot!("walk_missed_name_for_programs", json);
}

#[test]
fn colours_only_paint() {
    let plain = walk(WALKS[3], &["--explain", "full"]).stdout;
    let coloured = walk(WALKS[3], &["--explain", "full", "--color", "always"]).stdout;
    assert_ne!(plain, coloured);
    let mut painted = coloured.split('\u{1b}');
    let first = painted.next().unwrap_or_default().to_owned();
    let bare = painted.fold(first, |text, part| {
        text + part.split_once('m').map_or(part, |(_, rest)| rest)
    });
    assert_eq!(bare, plain);
}

#[test]
fn verdict_and_status_agree() {
    for (from, to, port, why) in [
        ("shop/db", "shop/web", "8080", "the named port"),
        ("shop/db", "shop/web", "8081", "another port"),
        ("shop/web", "shop/db", "5432/TCP", "egress"),
        ("shop/web", "shop/db", "5432/UDP", "another protocol"),
        ("reserved:host", "shop/web", "22", "the host"),
        ("10.0.0.2", "10.0.0.1", "8080", "addresses of pods"),
    ] {
        let output = trace(from, to, port, &["-o", "json"]);
        let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
        assert_eq!(output.status == 0, json["verdict"] == "allow", "{why}: {output:?}");
        for side in json["sides"].as_array().expect("a list") {
            let refused = side["verdict"] != "allow";
            assert!(
                !refused || json["verdict"] != "allow",
                "{why}: a side that refuses is not overruled: {json}"
            );
        }
    }
}

#[test]
fn invalid_objects_are_not_traced() {
    let args = [
        "trace",
        "-f",
        "world.yaml",
        "invalid.yaml",
        "--from",
        "shop/db",
        "--to",
        "shop/web",
        "--port",
        "1",
    ];
    let output = portcullis(&args);
    assert_eq!((output.status, output.stdout.as_str()), (1, ""));
    assert!(output.stderr.contains("unknown entity `wrld`"), "{output:?}");
}

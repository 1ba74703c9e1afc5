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

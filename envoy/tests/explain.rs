//! What a denied client is told if the operator wants it to know why: a header, or a document.

mod common;

use common::policy::{Configuration, RULE, SERVICES, from_client};
use common::{World, start_plugin};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{Request, Response};
use serde_json::{Value, json};

/// What a rule wants in a header, and nobody is to learn.
const SECRET: &str = "hush-42";

/// `GET /public`, and `/key` with the secret; no TCP. Denials are explained as `how` says, if it says anything.
fn start(how: Option<&str>) -> Option<(World, EnvoyProcess)> {
    start_plugin(|world| {
        let key = json!([{ "name": "x-key", "expected": { "value": SECRET }, "secret": true }]);
        let http =
            json!([{ "method": "GET", "path": "/public" }, { "method": "GET", "path": "/key", "headerMatches": key }]);
        let policy = Configuration::ingress(world, SERVICES, json!([from_client(80, Some(http))]));
        match how {
            Some(how) => policy.with("explain", json!({ "denials": how })),
            None => policy,
        }
    })
}

const HEADER: &str = "x-portcullis-reason";

fn denied(world: &World, request: &Request) -> Response {
    world.http_client().send(request).unwrap()
}

/// A rule on requests.
fn http_rule(number: usize) -> String {
    format!("{RULE}.ingress[0].toPorts[0].rules.http[{number}]")
}

#[test]
fn nobody_is_told_unless_that_is_wanted() {
    for how in [None, Some("none")] {
        let Some((world, _envoy)) = start(how) else { return };
        let response = denied(&world, &Request::new("POST", "/public", "app"));
        assert_eq!((response.status, response.text().as_str()), (403, "Access denied\r\n"));
        assert_eq!(response.header("content-type"), Some("text/plain"));
        assert_eq!(response.header(HEADER), None, "{how:?}");
    }
}

#[test]
fn a_header_names_the_reason_and_the_nearest_miss() {
    let Some((world, _envoy)) = start(Some("header")) else {
        return;
    };
    let response = denied(&world, &Request::new("HEAD", "/public", "app"));
    let words = response.header(HEADER).unwrap();
    let rule = http_rule(0);
    assert!(words.starts_with(&format!("no-http-rule-matches; {rule}: ")), "{words}");
    assert!(words.contains("HEAD") && words.contains("GET"), "{words}");

    let response = denied(&world, &Request::new("POST", "/public", "app"));
    assert_eq!(response.text(), "Access denied\r\n", "the body is the same");
    let allowed = denied(&world, &Request::new("GET", "/public", "app"));
    assert_eq!((allowed.status, allowed.header(HEADER)), (200, None));
}

#[test]
fn a_call_of_grpc_is_explained_in_its_headers_only() {
    let call = || {
        let call = Request::new("POST", "/public", "app").header("Content-Type", "application/grpc");
        call.header("Content-Length", "0")
    };
    for how in ["header", "body"] {
        let Some((world, _envoy)) = start(Some(how)) else {
            return;
        };
        let response = denied(&world, &call());
        assert_eq!(
            (response.status, response.header("grpc-status")),
            (200, Some("7")),
            "{how}"
        );
        assert!(response.body.is_empty(), "{how}");
        assert_eq!(response.header("content-type"), Some("application/grpc"), "{how}");
        assert_eq!(response.header(HEADER).is_some(), how == "header");
    }
}

#[test]
fn a_document_says_the_same_in_json() {
    let Some((world, envoy)) = start(Some("body")) else {
        return;
    };
    let response = denied(&world, &Request::new("POST", "/public", "app").body("x"));
    assert_eq!(
        (response.status, response.header("content-type")),
        (403, Some("application/json"))
    );
    assert_eq!(response.header(HEADER), None);
    let document: Value = serde_json::from_str(&response.text()).unwrap();
    let expected = json!({
        "verdict": "deny",
        "reason": "no-http-rule-matches",
        "rule": format!("{RULE}.ingress[0].toPorts[0]"),
        "isolated_by": [RULE],
        "nearest": { "rule": http_rule(0), "missed": document["nearest"]["missed"] },
    });
    assert_eq!(document, expected);
    let missed = document["nearest"]["missed"].as_str().unwrap();
    assert!(missed.contains("POST") && missed.contains("GET"), "{missed}");
    let line = envoy
        .wait_for_access(|line| line["status"] == 403, common::TIMEOUT)
        .unwrap();
    assert_eq!(line["rule"], document["rule"], "the access log says the same");

    let head = b"HEAD /public HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n";
    let answer = world.raw("app", head);
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
}

#[test]
fn what_a_client_sends_cannot_add_to_the_response() {
    let requests: [(&[u8], &[u8]); 5] = [
        (b"/key", b"a\xff\xfe\"}"),
        (b"/secret%0d%0aSet-Cookie:%20a=b", b"1"),
        (b"/secret\"},\"verdict\":\"allow", b"1"),
        (b"/secret\\", b"\t"),
        (b"/key", &[b'k'; 20_000]),
    ];
    for how in ["header", "body"] {
        let Some((world, envoy)) = start(Some(how)) else { return };
        for (path, key) in requests {
            let request = [
                b"GET ",
                path,
                b" HTTP/1.1\r\nHost: app\r\nX-Key: ",
                key,
                b"\r\nConnection: close\r\n\r\n",
            ];
            let answer = world.raw("app", &request.concat());
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 403") && !answer.contains(SECRET), "{answer}");
            let names: Vec<_> = head
                .lines()
                .skip(1)
                .map(|line| line.split_once(": ").unwrap().0)
                .collect();
            assert!(names.len() <= 5 && !names.contains(&"set-cookie"), "{answer}");
            let printable = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            assert!(head.lines().all(printable) && head.len() < 2048, "{answer}");
            if how == "header" {
                assert!(names.contains(&HEADER) && body == "Access denied\r\n", "{answer}");
            } else {
                assert!(printable(body) && body.len() < 16 * 1024, "{answer}");
                let document: Value = serde_json::from_str(body).unwrap();
                assert_eq!(document["verdict"], "deny");
            }
        }
        assert_eq!(world.app.connections(), 0);
        assert_eq!(
            envoy
                .admin()
                .stat("wasmcustom.portcullis_panics_total")
                .unwrap()
                .unwrap_or(0),
            0
        );
    }
}

#[test]
fn refusals_of_the_plugin_itself_have_a_reason_too() {
    for how in ["header", "body"] {
        let Some((world, _envoy)) = start(Some(how)) else {
            return;
        };
        let response = denied(&world, &Request::new("GET", "/public;a=b", "app"));
        assert_eq!(response.status, 403);
        let said = response.header(HEADER).map_or_else(|| response.text(), str::to_owned);
        assert!(
            said.contains("ambiguous-path") || said.contains("no-http-rule-matches"),
            "{said}"
        );
    }
}

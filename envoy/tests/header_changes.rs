//! What rules change in the requests that they allow, as the application gets it.

mod common;

use common::policy::{Configuration, SERVICES, from_client};
use common::{TIMEOUT, start_plugin};
use envoy_e2e::world::client::Request;
use serde_json::{Value, json};

/// A header that is changed if it has not this value.
fn expect(name: &str, value: &str, mismatch: &str) -> Value {
    json!({ "name": name, "expected": { "value": value }, "mismatch": mismatch })
}

#[test]
fn the_application_gets_the_headers_that_the_rules_want() {
    let matches = json!([
        expect("x-added", "yes", "ADD"),
        expect("x-role", "guest", "REPLACE"),
        expect("x-new", "set", "REPLACE"),
        expect("x-debug", "off", "DELETE"),
        expect("x-token", "secret", "LOG"),
    ]);
    let http = json!([{ "path": "/changed", "headerMatches": matches }, { "path": "/plain" }]);
    let Some((world, envoy)) =
        start_plugin(|world| Configuration::ingress(world, SERVICES, json!([from_client(80, Some(http))])))
    else {
        return;
    };
    let sent = |path| {
        let request = Request::new("GET", path, "app").header("X-Added", "no");
        let request = request.header("X-Role", "admin").header("x-role", "root");
        let request = request.header("X-Debug", "on").header("X-Debug", "more");
        request.header("X-Token", "wrong").header("X-Bytes", b"a\xff\xfe")
    };
    let unchanged: [(&str, &[&[u8]]); 6] = [
        ("x-added", &[b"no"]),
        ("x-role", &[b"admin", b"root"]),
        ("x-new", &[]),
        ("x-debug", &[b"on", b"more"]),
        ("x-token", &[b"wrong"]),
        ("x-bytes", &[b"a\xff\xfe"]),
    ];
    let changed: [(&str, &[&[u8]]); 6] = [
        ("x-added", &[b"no", b"yes"]),
        ("x-role", &[b"guest"]),
        ("x-new", &[b"set"]),
        ("x-debug", &[]),
        ("x-token", &[b"wrong"]),
        ("x-bytes", &[b"a\xff\xfe"]),
    ];
    for (path, expected) in [("/plain", unchanged), ("/changed", changed), ("/plain", unchanged)] {
        assert_eq!(world.http_client().send(&sent(path)).unwrap().status, 200, "{path}");
        let seen = world.app.requests().pop().unwrap();
        for (name, values) in expected {
            let same = |(known, _): &&(String, Vec<u8>)| known.eq_ignore_ascii_case(name);
            let found: Vec<_> = seen
                .headers
                .iter()
                .filter(same)
                .map(|(_, value)| value.as_slice())
                .collect();
            assert_eq!(found, values, "{name} on {path}");
        }
    }
    let denied = world.http_client().send(&sent("/other")).unwrap();
    assert_eq!(denied.status, 403);
    assert_eq!(world.app.requests().len(), 3);
    let line = envoy
        .wait_for_access(|line| line["path"] == "/changed", TIMEOUT)
        .unwrap();
    assert_eq!(
        (&line["verdict"], &line["reason"], line["rule"].is_string()),
        (&json!("allow"), &Value::Null, true)
    );
}

#[test]
fn a_request_cannot_be_turned_into_another_one() {
    let names = [":path", ":authority", "host", "content-length", "transfer-encoding"];
    let rule = |(n, name)| json!({ "path": format!("/{n}"), "headerMatches": [expect(name, "1", "REPLACE")] });
    let http: Vec<Value> = names.into_iter().enumerate().map(rule).collect();
    let Some((world, envoy)) =
        start_plugin(|world| Configuration::ingress(world, SERVICES, json!([from_client(80, Some(json!(http)))])))
    else {
        return;
    };
    for (n, name) in names.into_iter().enumerate() {
        let path = format!("/{n}");
        let answer = world.http_client().send(&Request::new("GET", &path, "app")).unwrap();
        assert_eq!(answer.status, 403, "{name}");
        let line = envoy.wait_for_access(|line| line["path"] == path, TIMEOUT).unwrap();
        assert_eq!(line["reason"], "unchangeable-header", "{name}");
    }
    assert_eq!(world.app.connections(), 0);
}

//! Requests that try to look like others to the policy than they do to the application.

mod common;

use common::policy::{Configuration, SERVICES, from_client};
use common::{TIMEOUT, World, start_plugin};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{self, Request};
use serde_json::{Value, json};

/// The client may send these requests; nobody else may do anything.
fn start(http: Value) -> Option<(World, EnvoyProcess)> {
    start_plugin(|world| Configuration::ingress(world, SERVICES, json!([from_client(80, Some(http))])))
}

fn get(path: &str) -> Request {
    Request::new("GET", path, "app")
}

fn status(world: &World, request: &Request) -> u16 {
    world.http_client().send(request).unwrap().status
}

#[test]
fn forwarding_headers_change_nobodys_identity() {
    let Some((world, envoy)) = start(json!([{ "path": "/public" }])) else {
        return;
    };
    let (client, stranger) = (world.client().to_string(), world.stranger().to_string());
    let claims = |claimed: &str| {
        [
            ("X-Forwarded-For", claimed.to_owned()),
            ("X-Forwarded-For", format!("10.0.0.1, {claimed}")),
            ("X-Forwarded-For", format!("{claimed}, {claimed}")),
            ("Forwarded", format!("for={claimed}")),
            ("X-Real-Ip", claimed.to_owned()),
            ("X-Envoy-External-Address", claimed.to_owned()),
        ]
    };
    for (name, value) in claims(&client) {
        let request = get("/public").header(name, &value);
        let answer = client::request(world.stranger(), world.listener("app"), &request, TIMEOUT);
        // The connection as such is denied already.
        assert!(answer.is_err(), "the stranger with {name}: {value} got {answer:?}");
    }
    assert_eq!(world.app.connections(), 0);
    for (name, value) in claims(&stranger) {
        let answers = ["/public", "/secret"].map(|path| status(&world, &get(path).header(name, &value)));
        assert_eq!(answers, [200, 403], "the client with {name}: {value}");
    }
    let line = envoy
        .wait_for_access(|line| line["path"] == "/public", TIMEOUT)
        .unwrap();
    assert!(line["source"].as_str().unwrap().starts_with(&client), "{line}");
}

#[test]
fn a_request_on_an_accepted_connection_is_still_that_of_its_peer() {
    // Whoever gets as far as a request: its source is that of the connection, whatever it claims.
    let Some((world, _envoy)) = start_plugin(|world| {
        let anyone = json!({ "peers": "any", "ports": from_client(80, Some(json!([{ "path": "/anyone" }])))["ports"] });
        let client = from_client(80, Some(json!([{ "path": "/client" }])));
        Configuration::ingress(world, SERVICES, json!([anyone, client]))
    }) else {
        return;
    };
    for (source, claimed, expected) in [
        (world.client(), world.stranger(), [200, 200]),
        (world.stranger(), world.client(), [200, 403]),
    ] {
        let answers = ["/anyone", "/client"].map(|path| {
            let request = get(path).header("X-Forwarded-For", claimed.to_string());
            client::request(source, world.listener("app"), &request, TIMEOUT)
                .unwrap()
                .status
        });
        assert_eq!(answers, expected, "{source}");
    }
}

#[test]
fn a_repeated_header_is_one_value() {
    let Some((world, _envoy)) = start(json!([{ "headers": [{ "name": "x-key", "value": "a" }] }])) else {
        return;
    };
    let rows: [(&[&str], u16, &str); 8] = [
        (&["a"], 200, "exactly the value"),
        (&[], 403, "no value"),
        (&["b"], 403, "another value"),
        (&["a", "b"], 403, "the first alone would do"),
        (&["b", "a"], 403, "the last alone would do"),
        (&["a", "a"], 403, "twice the value is `a,a`"),
        (&["a", ""], 403, "`a,`"),
        (&["a,"], 403, "the same in one line"),
    ];
    for (values, expected, why) in rows {
        let request = values
            .iter()
            .fold(get("/"), |request, value| request.header("X-Key", value));
        assert_eq!(status(&world, &request), expected, "{values:?}: {why}");
    }
    let mixed = get("/").header("x-KEY", "a").header("X-key", "b");
    assert_eq!(status(&world, &mixed), 403, "names have no case");
}

#[test]
fn a_path_is_judged_as_the_application_gets_it() {
    let Some((world, _envoy)) = start(json!([{ "path": "/metrics" }, { "path": "/x/.*" }])) else {
        return;
    };
    let metrics = [
        "/metrics",
        "/a/../metrics",
        "//metrics",
        "///x/..//metrics",
        "/%6detrics",
        "/%6Detrics",
        "/x%2f..%2fmetrics",
        "/x/%2e%2e/metrics",
        "/x/%2E%2E%2Fmetrics",
        "/./metrics",
        r"/x\..\metrics",
        "/x%5c..%5cmetrics",
    ];
    for path in metrics {
        assert_eq!(status(&world, &get(path)), 200, "{path}");
        assert_eq!(world.app.requests().pop().unwrap().target, "/metrics", "{path}");
    }
    let before = world.app.requests().len();
    for path in [
        "/x/../secret",
        "/x%2f..%2fsecret",
        "/x/%2e%2e/secret",
        "/x/..%2fsecret",
        r"/x\..\secret",
        "/x%5c..%5csecret",
        "//secret",
        "/metrics/../secret",
        "/secret/x/",
        "/%73ecret",
        "/metrics?a",
        // Envoy reads parameters of a segment once; the application may read what is left again.
        "/x/..;/secret",
        "/x/%2e%2e;/secret",
        "/x/%2E.;a=b/secret",
    ] {
        assert_eq!(status(&world, &get(path)), 403, "{path}");
    }
    assert_eq!(world.app.requests().len(), before);
    // Decoded twice, as by one server behind another, it would lead out of `/x`.
    assert_eq!(status(&world, &get("/x/%252e%252e/secret")), 403);
    assert_eq!(world.app.requests().len(), before);
    // What stays there however often it is decoded goes on as it came.
    let path = "/x/100%2525";
    assert_eq!(status(&world, &get(path)), 200);
    assert_eq!(world.app.requests().pop().unwrap().target, path);
}

#[test]
fn the_absolute_form_is_judged_by_its_own_authority_and_path() {
    let Some((world, _envoy)) = start(json!([{ "host": "app", "path": "/public" }])) else {
        return;
    };
    for (target, host, expected) in [
        ("http://app/public", "app", 200),
        ("http://app/public", "evil.example", 200),
        ("http://evil.example/public", "app", 403),
        ("http://app/secret", "app", 403),
        ("http://app/x/../secret", "app", 403),
    ] {
        assert_eq!(
            status(&world, &Request::new("GET", target, host)),
            expected,
            "{target}, host {host}"
        );
    }
    let two_hosts = get("/public").header("Host", "evil.example");
    assert_ne!(status(&world, &two_hosts), 200, "two authorities");
}

#[test]
fn a_websocket_upgrade_is_judged_as_its_request() {
    let Some((world, envoy)) = start(json!([{ "path": "/public" }])) else {
        return;
    };
    let upgrade = |path| {
        let request = get(path).header("Connection", "Upgrade").header("Upgrade", "websocket");
        request
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
    };
    let denied = world.http_client().send(&upgrade("/secret")).unwrap();
    assert_eq!((denied.status, denied.text().as_str()), (403, "Access denied\r\n"));
    assert_eq!(world.app.connections(), 0);
    assert_eq!(
        status(&world, &upgrade("/public")),
        200,
        "the application does not switch"
    );
    let seen = world.app.requests().pop().unwrap();
    assert_eq!(seen.header("upgrade"), Some("websocket"));
    for (path, verdict) in [("/secret", "deny"), ("/public", "allow")] {
        let line = envoy.wait_for_access(|line| line["path"] == path, TIMEOUT).unwrap();
        assert_eq!(line["verdict"], verdict, "{path}");
    }
}

#[test]
fn old_http_is_judged_like_the_new() {
    let Some((world, envoy)) = start(json!([{ "path": "/public" }])) else {
        return;
    };
    for (request, expected) in [
        ("GET /public HTTP/1.0\r\nHost: app\r\n\r\n", "200"),
        ("GET /secret HTTP/1.0\r\nHost: app\r\n\r\n", "403"),
        ("GET /x/../secret HTTP/1.0\r\nHost: app\r\n\r\n", "403"),
        ("GET /public HTTP/1.0\r\n\r\n", "400"),
        ("GET /public\r\n\r\n", "400"),
    ] {
        let answer = world.raw("app", request.as_bytes());
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{request}\n{answer}");
    }
    assert_eq!(world.app.requests().len(), 1);
    let is_old = |line: &Value| line["protocol"] == "HTTP/1.0" && line["path"] == "/secret";
    let line = envoy.wait_for_access(is_old, TIMEOUT).unwrap();
    assert_eq!(
        (&line["verdict"], &line["reason"]),
        (&json!("deny"), &json!("no-http-rule-matches"))
    );
}

#[test]
fn pipelined_requests_are_judged_one_by_one() {
    let Some((world, _envoy)) = start(json!([{ "path": "/public" }])) else {
        return;
    };
    let request = |path, rest| format!("GET {path} HTTP/1.1\r\nHost: app\r\n{rest}\r\n");
    for (paths, expected) in [
        (["/public", "/secret"], ["200", "403"]),
        (["/secret", "/public"], ["403", "200"]),
    ] {
        let bytes = request(paths[0], "") + &request(paths[1], "Connection: close\r\n");
        let answer = world.raw("app", bytes.as_bytes());
        let heads = answer.match_indices("HTTP/1.1 ");
        let statuses: Vec<_> = heads.map(|(at, head)| &answer[at + head.len()..][..3]).collect();
        assert_eq!(statuses, expected, "{paths:?}: {answer}");
    }
    let seen = world.app.requests();
    assert!(
        seen.len() == 2 && seen.iter().all(|request| request.target == "/public"),
        "{seen:?}"
    );
}

#[test]
fn a_tunnel_is_judged_and_never_made() {
    let Some((world, envoy)) = start(json!([{ "path": "/public" }])) else {
        return;
    };
    let target = world.echo.address();
    let connect = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    let denied = world.raw("app", connect.as_bytes());
    assert!(
        denied.starts_with("HTTP/1.1 403 ") && denied.ends_with("Access denied\r\n"),
        "{denied}"
    );
    let line = envoy
        .wait_for_access(|line| line["method"] == "CONNECT", TIMEOUT)
        .unwrap();
    assert_eq!(
        (&line["verdict"], &line["reason"]),
        (&json!("deny"), &json!("no-http-rule-matches"))
    );
    let allow = Configuration::allow_all(&world).text();
    assert!(envoy.push(allow.as_bytes()).unwrap().accepted());
    let allowed = world.raw("app", connect.as_bytes());
    assert!(
        allowed.starts_with("HTTP/1.1 404 "),
        "no route is for tunnels: {allowed}"
    );
    assert_eq!((world.echo.accepted(), world.app.connections()), (0, 0));
}

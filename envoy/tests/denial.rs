//! What a denied client gets from the real plugin, for each kind of request.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::policy::{Configuration, SERVICES, from_client};
use common::{TIMEOUT, World, envoy_version, start_plugin};
use envoy_e2e::config::EnvoyVersion;
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::Request;
use envoy_e2e::world::net;
use envoy_e2e::world::tcp::Probe;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// Requests for `/public`, gRPC calls of `/demo.Service/Public`; no TCP.
fn start() -> Option<(World, EnvoyProcess)> {
    start_plugin(|world| {
        let http = json!([{ "path": "/public" }, { "path": "/demo.Service/Public" }]);
        Configuration::ingress(world, SERVICES, json!([from_client(80, Some(http))]))
    })
}

#[test]
fn a_denied_request_gets_this_answer_and_its_connection_goes_on() {
    let Some((world, _envoy)) = start() else { return };
    let mut client = world.http_client();
    let rows = [
        Request::new("GET", "/secret", "app"),
        Request::new("POST", "/secret", "app").header("Content-Length", "0"),
        Request::new("GET", "/secret", "app").header("Accept", "application/json"),
    ];
    for request in rows {
        let response = client.send(&request).unwrap();
        assert_eq!(
            (response.status, response.text().as_str()),
            (403, "Access denied\r\n"),
            "{request:?}"
        );
        assert_eq!(response.header("content-type"), Some("text/plain"), "{request:?}");
        assert_eq!(response.header("content-length"), Some("15"), "{request:?}");
        assert_eq!(response.header("connection"), None, "{request:?}");
        assert_eq!(response.header("server"), None, "nothing says who denied: {request:?}");
        assert_eq!(
            client.send(&Request::new("GET", "/public", "app")).unwrap().status,
            200,
            "{request:?}"
        );
    }
    let seen = world.app.requests();
    assert!(seen.iter().all(|request| request.target == "/public"), "{seen:?}");
}

#[test]
fn a_denied_request_with_a_body_gets_the_same_answer() {
    let Some((world, _envoy)) = start() else { return };
    for length in [1, 100_000] {
        let request = Request::new("POST", "/secret", "app").body(vec![b'x'; length]);
        let response = world.http_client().send(&request).unwrap();
        assert_eq!(
            (response.status, response.text().as_str()),
            (403, "Access denied\r\n"),
            "{length} bytes"
        );
    }
    assert_eq!(world.app.connections(), 0);
}

#[test]
fn a_denied_head_has_no_body() {
    let Some((world, _envoy)) = start() else { return };
    // Read raw: a client that knows that there is no body would not notice one.
    let request = b"HEAD /secret HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n";
    let answer = world.raw("app", request);
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\n") && !answer.contains("Access denied"),
        "{answer}"
    );
    let mut client = world.http_client();
    for (path, expected) in [("/secret", 403), ("/public", 200), ("/secret", 403)] {
        assert_eq!(
            client.send(&Request::new("HEAD", path, "app")).unwrap().status,
            expected,
            "{path}"
        );
    }
}

#[test]
fn a_denied_grpc_call_over_http_1_has_a_grpc_status() {
    let Some((world, _envoy)) = start() else { return };
    let mut client = world.http_client();
    for content_type in ["application/grpc", "application/grpc+proto"] {
        let call = Request::new("POST", "/demo.Service/Secret", "app").header("Content-Type", content_type);
        let response = client.send(&call.header("Content-Length", "0")).unwrap();
        assert_eq!(
            (response.status, response.header("grpc-status")),
            (200, Some("7")),
            "{content_type}"
        );
        assert!(response.body.is_empty(), "{content_type}");
    }
    let call = Request::new("POST", "/demo.Service/Public", "app").header("Content-Type", "application/grpc");
    let response = client.send(&call.header("Content-Length", "0")).unwrap();
    assert_eq!(
        response.header("grpc-status"),
        None,
        "allowed: the application's own answer"
    );
    assert_eq!(world.app.requests().len(), 1);
}

/// A call over HTTP/2 on a connection of its own: status, `grpc-status` in its headers, and whether anything followed.
fn grpc_over_http_2(world: &World, path: &str) -> (u16, Option<String>, bool) {
    let connection = net::connect(world.client(), world.listener("app"), TIMEOUT).unwrap();
    connection.set_nonblocking(true).unwrap();
    let request = http::Request::post(format!("http://app{path}")).header("content-type", "application/grpc");
    let request = request.header("te", "trailers").body(()).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let call = async move {
        let connection = TcpStream::from_std(connection).unwrap();
        let (sender, connection) = h2::client::handshake(connection).await.unwrap();
        tokio::spawn(connection);
        let mut sender = sender.ready().await.unwrap();
        let (response, mut body) = sender.send_request(request, false).unwrap();
        // An empty message: not compressed, no bytes. A denial may come before it, and end the stream.
        drop(body.send_data(Bytes::from_static(&[0; 5]), true));
        let response = response.await.unwrap();
        let status = response.headers().get("grpc-status");
        let status = status.map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), status, !response.body().is_end_stream())
    };
    runtime.block_on(async { timeout(TIMEOUT, call).await.unwrap() })
}

#[test]
fn a_denied_grpc_call_over_http_2_has_a_grpc_status_and_nothing_else() {
    let Some((world, envoy)) = start() else { return };
    let answer = grpc_over_http_2(&world, "/demo.Service/Secret");
    assert_eq!(answer, (200, Some("7".into()), false));
    assert_eq!(world.app.connections(), 0);
    // Envoy speaks HTTP/2 to the application then, which does not; that it was contacted is enough.
    grpc_over_http_2(&world, "/demo.Service/Public");
    assert_eq!(world.app.connections(), 1);
    for (path, verdict) in [("/demo.Service/Secret", "deny"), ("/demo.Service/Public", "allow")] {
        let line = envoy.wait_for_access(|line| line["path"] == path, TIMEOUT).unwrap();
        assert_eq!(
            (&line["protocol"], &line["verdict"]),
            (&json!("HTTP/2"), &json!(verdict)),
            "{path}"
        );
    }
}

#[test]
fn a_denied_connection_is_closed_before_the_service_hears_of_it() {
    let Some((world, envoy)) = start() else { return };
    for bytes in [&b""[..], b"hello\n"] {
        assert_eq!(world.probe("echo", bytes), Probe::Closed, "{bytes:?}");
    }
    // The service would see a connection a moment later, if there were one.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(world.echo.accepted(), 0);
    let is_tcp = |line: &serde_json::Value| line["listener"] == "echo";
    let line = envoy.wait_for_access(is_tcp, TIMEOUT).unwrap();
    let shown = json!([line["l4"], line["upstream"], line["closed"]]);
    // Older versions do not log who closed it.
    let closed = (envoy_version() >= EnvoyVersion::V1_38).then_some("wasm_downstream_close");
    assert_eq!(shown, json!(["deny", null, closed]));
}

//! HTTP/1 requests that servers are known to read differently: what Envoy forwards is what the policy judged.

mod common;

use common::policy::Configuration;
use common::rows::{Row, check};
use common::shared::Shared;
use common::start_plugin;
use serde_json::json;

/// `/public` for everyone who means `app`, `/key` for those who bring a header, too.
static SHARED: Shared = Shared::new(|| {
    start_plugin(|world| {
        let key = json!([{ "name": "x-key", "value": "a" }]);
        let public = json!({ "method": "GET|POST", "path": "/public", "host": "app" });
        let with_key = json!({ "method": "GET|POST", "path": "/key", "host": "app", "headers": key });
        Configuration::requests(world, json!([public, with_key]))
    })
});

/// A request that the policy denies, for places where only one of two servers sees a request.
const SECRET: &str = "GET /secret HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n";
/// The same after a body of no chunk.
const CHUNKS_AND_SECRET: &str = "0\r\n\r\nGET /secret HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n";

const PUBLIC: &[&str] = &["GET /public"];
const POSTED: &[&str] = &["POST /public"];

/// `POST /public` with these header lines and this body.
fn post(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /public HTTP/1.1\r\nHost: app\r\n{headers}\r\n{body}").into_bytes()
}

/// The same with the header lines before those that belong to a body in chunks.
fn chunked(headers: &str, body: &str) -> Vec<u8> {
    post(&format!("{headers}Transfer-Encoding: chunked\r\n"), body)
}

/// `GET` with these header lines, on a connection that then ends.
fn get(target: &str, headers: &str) -> Vec<u8> {
    line(&format!("GET {target} HTTP/1.1"), headers)
}

/// Any request line with these header lines, on a connection that then ends.
fn line(line: &str, headers: &str) -> Vec<u8> {
    format!("{line}\r\n{headers}Connection: close\r\n\r\n").into_bytes()
}

#[test]
fn a_body_whose_end_is_disputed_is_refused() {
    let Some(turn) = SHARED.turn() else { return };
    let coding = |value: &str| post(&format!("Transfer-Encoding:{value}\r\n"), CHUNKS_AND_SECRET);
    let length = |value: &str| post(&format!("Content-Length: {value}\r\n"), SECRET);
    let rows = vec![
        Row::refused(
            400,
            "length and chunks",
            chunked("Content-Length: 5\r\n", CHUNKS_AND_SECRET),
        ),
        Row::refused(400, "chunks and length", coding(" chunked\r\nContent-Length: 5")),
        Row::refused(400, "two lengths", length("0\r\nContent-Length: 60")),
        Row::refused(400, "twice the same length", length("0\r\nContent-Length: 0")),
        Row::refused(400, "two lengths in one line", length("0, 60")),
        Row::refused(400, "a signed length", length("+0")),
        Row::refused(400, "a negative length", length("-1")),
        Row::refused(400, "a hexadecimal length", length("0x0")),
        Row::refused(400, "a length of nothing", length("")),
        Row::refused(400, "a length beyond 64 bits", length("18446744073709551616")),
        Row::refused(501, "an unknown coding", coding(" xchunked")),
        Row::refused(501, "chunks, then nothing", coding(" chunked, identity")),
        Row::refused(
            501,
            "two codings in two lines",
            coding(" chunked\r\nTransfer-Encoding: identity"),
        ),
        Row::refused(501, "chunks twice", coding(" chunked\r\nTransfer-Encoding: chunked")),
        Row::refused(400, "a vertical tab before the coding", coding("\x0bchunked")),
        Row::refused(
            400,
            "a blank before the colon",
            post("Transfer-Encoding : chunked\r\n", CHUNKS_AND_SECRET),
        ),
        Row::refused(
            400,
            "a blank before the colon of a length",
            post("Content-Length : 60\r\n", SECRET),
        ),
    ];
    check(&turn.world, rows);
}

#[test]
fn what_follows_a_body_is_judged_as_a_request_of_its_own() {
    let Some(turn) = SHARED.turn() else { return };
    let both = |why, bytes| Row::new(why, bytes, &[200, 403], POSTED);
    let inside = format!("Content-Length: {}\r\nConnection: close\r\n", SECRET.len());
    let rows = vec![
        Row::new("in a body it is a body", post(&inside, SECRET), &[200], POSTED),
        both("after a body of a length", post("Content-Length: 0\r\n", SECRET)),
        both("after no body", post("", SECRET)),
        both(
            "after the last chunk",
            chunked("", &format!("3\r\nabc\r\n{CHUNKS_AND_SECRET}")),
        ),
        both(
            "an extension of a chunk is none",
            chunked("", &format!("1;a=GET /secret\r\nb\r\n{CHUNKS_AND_SECRET}")),
        ),
        both("after trailers", chunked("", &format!("0\r\nX-Key: a\r\n\r\n{SECRET}"))),
        both(
            "a folded line is a value, and no coding",
            post("X-A: b\r\n Transfer-Encoding: chunked\r\n", SECRET),
        ),
        both(
            "a folded coding is a coding",
            post("Transfer-Encoding:\r\n chunked\r\n", CHUNKS_AND_SECRET),
        ),
    ];
    check(&turn.world, rows);
}

#[test]
fn a_body_in_broken_chunks_ends_its_connection() {
    let Some(turn) = SHARED.turn() else { return };
    // The head was judged, and may be at the application already; what is broken never gets there, nor what follows.
    let rows = vec![
        Row::refused(400, "no such size", chunked("", "zz\r\n")),
        Row::refused(400, "a negative size", chunked("", "-1\r\n")),
        Row::refused(400, "a size beyond 64 bits", chunked("", "10000000000000000\r\n")),
        Row::refused(400, "line feeds alone", chunked("", &format!("0\n\n{SECRET}"))),
        Row::refused(
            400,
            "a line feed that ends an extension",
            chunked("", &format!("1;a\nb\r\n{CHUNKS_AND_SECRET}")),
        ),
        Row::refused(
            400,
            "more than the size says",
            chunked("", &format!("1\r\nbcd{CHUNKS_AND_SECRET}")),
        ),
    ];
    check(&turn.world, rows);
}

#[test]
fn odd_bytes_around_lines_are_refused_or_judged() {
    let Some(turn) = SHARED.turn() else { return };
    let feeds = |path| format!("GET {path} HTTP/1.1\nHost: app\nConnection: close\n\n").into_bytes();
    let app = |headers: &str| get("/public", &format!("Host: app\r\n{headers}\r\n"));
    let rows = vec![
        Row::new("line feeds alone", feeds("/public"), &[200], PUBLIC),
        Row::denied("the same, denied", feeds("/secret")),
        Row::denied(
            "a carriage return starts no header",
            get("/key", "Host: app\r\nX-A: b\rX-Key: a\r\n"),
        ),
        Row::refused(400, "NUL in a value", app("X-A: b\0c")),
        Row::refused(400, "NUL in a name", app("X\0A: b")),
        Row::refused(400, "another control character", app("X-A: b\x01")),
        Row::refused(400, "NUL in the path", get("/public\0", "Host: app\r\n")),
        Row::refused(400, "an encoded NUL in the path", get("/public%00", "Host: app\r\n")),
        Row::refused(400, "NUL in the authority", get("/public", "Host: app\0\r\n")),
        Row::refused(400, "a header without colon", app("X-A")),
        Row::refused(400, "a header without name", app(": b")),
        Row::refused(
            400,
            "a blank before the first header",
            get("/public", " X-A: b\r\nHost: app\r\n"),
        ),
        Row::refused(400, "a blank in the path", get("/public /secret", "Host: app\r\n")),
        Row::new(
            "two blanks in the request line are one",
            get(" /public", "Host: app\r\n"),
            &[200],
            PUBLIC,
        ),
        Row::denied(
            "a tab in the request line is a blank",
            get("\t/secret", "Host: app\r\n"),
        ),
        Row::denied("an empty line before the request", format!("\r\n{SECRET}").into_bytes()),
    ];
    check(&turn.world, rows);
}

#[test]
fn versions_and_methods_that_nobody_speaks_are_refused_or_judged() {
    let Some(turn) = SHARED.turn() else { return };
    let line = |text| line(text, "Host: app\r\n");
    let rows = vec![
        Row::denied("the future", line("GET /secret HTTP/1.2")),
        Row::new(
            "HTTP/2 in the words of HTTP/1 is HTTP/1",
            line("GET /public HTTP/2.0"),
            &[200],
            PUBLIC,
        ),
        Row::denied("the same, denied", line("GET /secret HTTP/2.0")),
        Row::refused(400, "another protocol", line("GET /public ICE/1.0")),
        Row::refused(400, "a version in lower case", line("GET /public http/1.1")),
        Row::refused(400, "no version", line("GET /public")),
        Row::refused(400, "a method in lower case", line("get /public HTTP/1.1")),
        Row::refused(400, "no such method", line("GETX /public HTTP/1.1")),
        Row::denied("another method", line("DELETE /public HTTP/1.1")),
        Row::denied("a method that sends everything back", line("TRACE /public HTTP/1.1")),
    ];
    check(&turn.world, rows);
}

#[test]
fn only_one_authority_counts() {
    let Some(turn) = SHARED.turn() else { return };
    let hosts = |hosts: &str| get("/public", &format!("{hosts}\r\n"));
    let rows = vec![
        Row::new("the one", hosts("Host: app"), &[200], PUBLIC),
        Row::refused(400, "none", get("/public", "")),
        Row::denied("empty", hosts("Host:")),
        Row::denied("two that differ", hosts("Host: app\r\nHost: evil")),
        Row::denied("the other order", hosts("Host: evil\r\nHost: app")),
        Row::denied("twice the same", hosts("Host: app\r\nHost: app")),
        Row::refused(400, "a list", hosts("Host: app, evil")),
        Row::refused(400, "a path", hosts("Host: app/secret")),
        Row::refused(400, "a fragment", hosts("Host: app#evil")),
        Row::refused(400, "a blank within", hosts("Host: app evil")),
        Row::denied("a user", hosts("Host: evil@app")),
        Row::denied("a port is no part of the name", hosts("Host: app:80")),
        Row::denied("names are compared as they are", hosts("Host: APP")),
        Row::new(
            "an absolute target counts",
            get("http://app/public", "Host: evil\r\n"),
            &[200],
            PUBLIC,
        ),
        Row::denied(
            "also when it is the wrong one",
            get("http://evil/public", "Host: app\r\n"),
        ),
        Row::new(
            "also with two others",
            get("http://app/public", "Host: a\r\nHost: b\r\n"),
            &[200],
            PUBLIC,
        ),
        Row::denied("also with a user", get("http://app@evil/public", "Host: app\r\n")),
    ];
    check(&turn.world, rows);
    let seen = turn.world.app.requests();
    assert!(
        seen.iter().all(|request| request.header("host") == Some("app")),
        "{seen:?}"
    );
}

#[test]
fn other_forms_of_the_target_are_no_way_around() {
    let Some(turn) = SHARED.turn() else { return };
    let to = |target| get(target, "Host: app\r\n");
    let rows = vec![
        Row::refused(400, "another scheme", to("ftp://app/secret")),
        Row::denied("a scheme in upper case", to("HTTP://app/secret")),
        Row::denied("no path", to("http://app")),
        Row::refused(404, "a query in the place of a path", to("http://app?/public")),
        Row::refused(400, "an asterisk", to("*")),
        Row::refused(
            404,
            "an asterisk where one belongs",
            line("OPTIONS * HTTP/1.1", "Host: app\r\n"),
        ),
        Row::refused(400, "no leading slash", to("public")),
        Row::refused(400, "a fragment", to("/public#/secret")),
        Row::refused(400, "an authority in the place of a path", to("app:80")),
        Row::denied("an authority without scheme is a path", to("//app/public")),
    ];
    check(&turn.world, rows);
}

#[test]
fn a_header_that_a_rule_wants_has_to_reach_the_application() {
    let Some(turn) = SHARED.turn() else { return };
    let key = |lines: &str| get("/key", &format!("Host: app\r\n{lines}\r\n"));
    let keyed = |why, lines| Row::new(why, key(lines), &[200], &["GET /key"]);
    let late =
        "POST /key HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\nTrailer: X-Key\r\n\r\n0\r\nX-Key: a\r\n\r\n";
    let rows = vec![
        keyed("the header", "X-Key: a"),
        keyed("blanks around the value", "X-Key: \t a \t"),
        keyed("a folded value", "X-Key:\r\n a"),
        Row::refused(400, "a blank before the colon", key("X-Key : a")),
        Row::refused(400, "an underscore", key("X_Key: a")),
        Row::denied("twice", key("X-Key: a\r\nx-key: b")),
        Row::denied("a value that is no text", key("X-Key: a\u{fe}")),
        Row::denied("in trailers it comes too late", late.into()),
        Row::denied("a header that is for Envoy alone", key("X-Key: a\r\nConnection: x-key")),
        Row::refused(
            400,
            "nobody takes the true source away",
            key("X-Key: a\r\nConnection: x-forwarded-for"),
        ),
    ];
    check(&turn.world, rows);
    for request in turn
        .world
        .app
        .requests()
        .iter()
        .filter(|request| request.target == "/key")
    {
        let got = ["x-key", "connection"].map(|name| request.header(name));
        assert_eq!(got, [Some("a"), None], "{request:?}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let Some(turn) = SHARED.turn() else { return };
    let header = |name: usize, value: usize| {
        get(
            "/public",
            &format!("Host: app\r\n{}: {}\r\n", "x".repeat(name), "a".repeat(value)),
        )
    };
    let many = |count| get("/public", &format!("Host: app\r\n{}", "X-A: b\r\n".repeat(count)));
    let long = |length| format!("/public?{}", "a".repeat(length));
    let rows = vec![
        Row::new("a long value", header(3, 50_000), &[200], PUBLIC),
        Row::refused(431, "too long a value", header(3, 62_000)),
        Row::refused(431, "too long a name", header(62_000, 1)),
        Row::new("many headers", many(95), &[200], PUBLIC),
        Row::refused(431, "too many", many(101)),
        Row::denied("a long path", get(&long(50_000), "Host: app\r\n")),
        Row::refused(431, "too long a path", get(&long(62_000), "Host: app\r\n")),
        Row::refused(431, "a path without end", format!("GET {}", long(100_000)).into_bytes()),
    ];
    check(&turn.world, rows);
}

#[test]
fn an_upgrade_to_http_2_stays_a_request_of_http_1() {
    let Some(turn) = SHARED.turn() else { return };
    let upgrade = |target, to| {
        let settings = "HTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: Upgrade, HTTP2-Settings";
        get(target, &format!("Host: app\r\nUpgrade: {to}\r\n{settings}\r\n"))
    };
    let rows = vec![
        Row::new("allowed", upgrade("/public", "h2c"), &[200], PUBLIC),
        Row::denied("denied", upgrade("/secret", "h2c")),
        Row::denied(
            "together with another one, which is not offered",
            upgrade("/public", "websocket, h2c"),
        ),
        Row::denied("to something that nobody offers", upgrade("/public", "TLS/1.0")),
    ];
    check(&turn.world, rows);
    for request in turn.world.app.requests() {
        let asked = ["upgrade", "http2-settings"].map(|name| request.header(name));
        assert_eq!(asked, [None, None], "the application is not asked to switch");
    }
}

#[test]
fn whoever_asks_whether_to_continue_is_judged_first() {
    let Some(turn) = SHARED.turn() else { return };
    let expect = |target, what| {
        let head = format!("POST {target} HTTP/1.1\r\nHost: app\r\nExpect: {what}\r\nConnection: close\r\n");
        format!("{head}Content-Length: 2\r\n\r\nhi").into_bytes()
    };
    let rows = vec![
        Row::new("allowed", expect("/public", "100-continue"), &[100, 200], POSTED),
        // Envoy answers for itself; the application hears nothing.
        Row::new("denied", expect("/secret", "100-continue"), &[100, 403], &[]),
        Row::denied("an unknown wish", expect("/secret", "miracles")),
    ];
    check(&turn.world, rows);
}

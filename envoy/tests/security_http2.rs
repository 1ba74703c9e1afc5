//! HTTP/2 requests that no client library would send, to an application that speaks HTTP/1.

mod common;

use std::thread::sleep;
use std::time::Duration;

use common::envoy_version;
use common::h2_wire::{Exchange, Field, Frame, Outcome};
use common::policy::Configuration;
use common::shared::{Shared, Turn};
use common::translating;
use envoy_e2e::config::EnvoyVersion;
use serde_json::json;

/// `/public` for everyone who means `app`, `/key` and `/cookie` for those who bring a header, too.
static SHARED: Shared = Shared::new(|| {
    translating::start(|world| {
        let key = json!([{ "name": "x-key", "value": "a" }]);
        let public = json!({ "method": "GET|POST", "path": "/public", "host": "app" });
        let with_key = json!({ "method": "GET|POST", "path": "/key", "host": "app", "headers": key });
        let cookie = json!({ "path": "/cookie", "headers": [{ "name": "cookie", "value": "a=1" }] });
        Configuration::requests(world, json!([public, with_key, cookie]))
    })
});

const METHOD: Field = (b":method", b"GET");
const SCHEME: Field = (b":scheme", b"http");
const AUTHORITY: Field = (b":authority", b"app");
const PUBLIC: Field = (b":path", b"/public");
const SECRET: Field = (b":path", b"/secret");
const KEY: Field = (b":path", b"/key");

/// Envoy ends a connection on which something is sent that no client means, and says nothing.
const CLOSED: Outcome = Outcome::Gone(None);
const DENIED: Outcome = Outcome::Status(403);
const PASSED: Outcome = Outcome::Status(200);

/// What Envoy 1.36 does with some of them. It is more lenient, and judges what it lets pass.
const IN_1_36: [(&str, Outcome); 6] = [
    ("a path after a header", PASSED),
    ("a scheme with more in it", PASSED),
    ("an empty scheme", PASSED),
    ("an empty authority", DENIED),
    ("two hosts", PASSED),
    ("a length that is no number", Outcome::Reset(1)),
];

/// What becomes of a row's request in the version at hand.
fn in_this_version(why: &str, expected: Outcome) -> Outcome {
    let old = IN_1_36
        .iter()
        .find(|(row, _)| *row == why && envoy_version() == EnvoyVersion::V1_36);
    old.map_or(expected, |(_, outcome)| *outcome)
}

/// Why, the fields of a request, and what becomes of it.
type Row<'a> = (&'a str, &'a [Field<'a>], Outcome);

fn check(turn: &Turn, rows: &[Row]) {
    let rows = rows
        .iter()
        .map(|(why, fields, outcome)| (*why, vec![Frame::request(fields)], *outcome));
    check_frames(turn, rows.collect());
}

/// Sends each row's frames on a connection of its own; as many as get 200 are what the application sees.
fn check_frames(turn: &Turn, rows: Vec<(&str, Vec<Frame>, Outcome)>) {
    let rows = rows
        .into_iter()
        .map(|(why, frames, expected)| (why, frames, in_this_version(why, expected)));
    let rows: Vec<_> = rows.collect();
    let before = turn.world.app.requests().len();
    let passing = rows.iter().filter(|(.., expected)| *expected == PASSED).count();
    // All at once: each end of a connection takes a while.
    let started = rows
        .iter()
        .map(|(why, frames, expected)| (why, Exchange::start(&turn.world, frames), expected));
    let started: Vec<_> = started.collect();
    let ended = started
        .into_iter()
        .map(|(why, exchange, expected)| (why, exchange.outcome(), expected));
    let wrong: Vec<_> = ended.filter(|(_, outcome, expected)| outcome != *expected).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(turn.world.http_passes("/public"));
    let seen = &turn.world.app.requests()[before..];
    assert_eq!(seen.len(), passing + 1, "{seen:?}");
    assert!(
        seen.iter()
            .all(|request| ["/public", "/cookie"].contains(&request.target.as_str())
                && request.header("x-key").is_none()),
        "{seen:?}"
    );
}

#[test]
fn pseudo_headers_are_there_once_and_first() {
    let Some(turn) = SHARED.turn() else { return };
    let rows: &[Row] = &[
        ("all four", &[METHOD, SCHEME, AUTHORITY, PUBLIC], PASSED),
        ("another path", &[METHOD, SCHEME, AUTHORITY, SECRET], DENIED),
        ("any order", &[PUBLIC, AUTHORITY, SCHEME, METHOD], PASSED),
        ("two paths", &[METHOD, SCHEME, AUTHORITY, PUBLIC, SECRET], CLOSED),
        (
            "two paths, the other order",
            &[METHOD, SCHEME, AUTHORITY, SECRET, PUBLIC],
            CLOSED,
        ),
        (
            "two authorities",
            &[METHOD, SCHEME, AUTHORITY, (b":authority", b"evil"), PUBLIC],
            CLOSED,
        ),
        (
            "two methods",
            &[METHOD, (b":method", b"POST"), SCHEME, AUTHORITY, PUBLIC],
            CLOSED,
        ),
        (
            "two schemes",
            &[METHOD, SCHEME, (b":scheme", b"https"), AUTHORITY, PUBLIC],
            CLOSED,
        ),
        ("no path", &[METHOD, SCHEME, AUTHORITY], CLOSED),
        ("no method", &[SCHEME, AUTHORITY, PUBLIC], CLOSED),
        ("no scheme", &[METHOD, AUTHORITY, PUBLIC], CLOSED),
        ("no authority", &[METHOD, SCHEME, PUBLIC], CLOSED),
        (
            "a path after a header",
            &[METHOD, SCHEME, AUTHORITY, (b"x-a", b"b"), PUBLIC],
            CLOSED,
        ),
        (
            "a second path after a header",
            &[METHOD, SCHEME, AUTHORITY, PUBLIC, (b"x-a", b"b"), SECRET],
            CLOSED,
        ),
        (
            "an unknown one",
            &[METHOD, SCHEME, AUTHORITY, PUBLIC, (b":evil", b"a")],
            CLOSED,
        ),
        (
            "one of responses",
            &[METHOD, SCHEME, AUTHORITY, PUBLIC, (b":status", b"200")],
            CLOSED,
        ),
        (
            "an upper-case name",
            &[METHOD, SCHEME, AUTHORITY, (b":Path", b"/public")],
            CLOSED,
        ),
        ("nothing at all", &[], CLOSED),
    ];
    check(&turn, rows);
}

#[test]
fn no_value_becomes_a_line_or_a_request() {
    let Some(turn) = SHARED.turn() else { return };
    let request = [METHOD, SCHEME, AUTHORITY, PUBLIC];
    let with = |field: Field<'static>| [&request[..], &[field]].concat();
    let path = |path: &'static [u8]| vec![METHOD, SCHEME, AUTHORITY, (b":path", path)];
    let rows = [
        ("a line in a value", with((b"x-a", b"b\r\nx-key: a")), CLOSED),
        ("a line feed in a value", with((b"x-a", b"b\nx-key: a")), CLOSED),
        ("a carriage return in a value", with((b"x-a", b"b\rx-key: a")), CLOSED),
        ("NUL in a value", with((b"x-a", b"b\0")), CLOSED),
        ("a line in a name", with((b"x-a: b\r\nx-key", b"a")), CLOSED),
        ("a colon in a name", with((b"x-a: b", b"c")), CLOSED),
        ("a blank in a name", with((b"x-a ", b"b")), CLOSED),
        ("an upper-case name", with((b"X-A", b"b")), CLOSED),
        ("an empty name", with((b"", b"b")), CLOSED),
        ("an underscore in a name", with((b"x_key", b"a")), Outcome::Reset(2)),
        ("a name that is no text", with((b"\xff", b"a")), CLOSED),
        (
            "a value that is no text is a value",
            with((b"x-a", b"\xff\xfe")),
            PASSED,
        ),
        (
            "a request in the path",
            path(b"/public HTTP/1.1\r\nHost: app\r\n\r\nGET /secret"),
            CLOSED,
        ),
        ("a version in the path", path(b"/public HTTP/1.1"), CLOSED),
        ("a tab in the path", path(b"/public\tx"), CLOSED),
        ("NUL in the path", path(b"/public\0"), CLOSED),
        ("a fragment", path(b"/public#/secret"), Outcome::Status(400)),
        ("a path that is no text", path(b"/public\xff"), DENIED),
        ("no leading slash", path(b"public"), CLOSED),
        ("an empty path", path(b""), CLOSED),
        ("an asterisk", path(b"*"), CLOSED),
        ("a whole URL", path(b"http://app/public"), CLOSED),
        ("an authority without scheme is a path", path(b"//app/public"), DENIED),
        ("dot segments", path(b"/x/../secret"), DENIED),
    ];
    let rows: Vec<Row> = rows
        .iter()
        .map(|(why, fields, outcome)| (*why, &fields[..], *outcome))
        .collect();
    check(&turn, &rows);
}

#[test]
fn the_other_pseudo_headers_hold_what_they_should() {
    let Some(turn) = SHARED.turn() else { return };
    let method = |value| vec![(&b":method"[..], value), SCHEME, AUTHORITY, PUBLIC];
    let scheme = |value| vec![METHOD, (&b":scheme"[..], value), AUTHORITY, PUBLIC];
    let authority = |value| vec![METHOD, SCHEME, (&b":authority"[..], value), PUBLIC];
    let rows: [(&str, Vec<Field>, Outcome); 16] = [
        (
            "a request in the method",
            method(b"GET /secret HTTP/1.1\r\nhost: app\r\n\r\nGET"),
            CLOSED,
        ),
        ("a path in the method", method(b"GET /secret"), CLOSED),
        ("a method in lower case", method(b"get"), DENIED),
        ("an empty method", method(b""), CLOSED),
        ("a scheme with more in it", scheme(b"http://app/secret?"), CLOSED),
        ("a scheme that nobody speaks", scheme(b"ftp"), PASSED),
        ("an empty scheme", scheme(b""), CLOSED),
        ("the other scheme", scheme(b"https"), PASSED),
        ("a user", authority(b"evil@app"), CLOSED),
        ("a path in the authority", authority(b"app/secret"), CLOSED),
        ("a line in the authority", authority(b"app\r\nx-key: a"), CLOSED),
        ("a list of authorities", authority(b"app,evil"), DENIED),
        ("an empty authority", authority(b""), CLOSED),
        ("a port", authority(b"app:80"), DENIED),
        ("another authority", authority(b"evil"), DENIED),
        ("upper case", authority(b"APP"), DENIED),
    ];
    let rows: Vec<Row> = rows
        .iter()
        .map(|(why, fields, outcome)| (*why, &fields[..], *outcome))
        .collect();
    check(&turn, &rows);
}

#[test]
fn two_authorities_are_one_for_policy_and_application() {
    let Some(turn) = SHARED.turn() else { return };
    let rows: &[Row] = &[
        (
            "a host that differs",
            &[METHOD, SCHEME, AUTHORITY, PUBLIC, (b"host", b"evil")],
            PASSED,
        ),
        (
            "the other way round",
            &[METHOD, SCHEME, (b":authority", b"evil"), PUBLIC, (b"host", b"app")],
            DENIED,
        ),
        ("a host alone", &[METHOD, SCHEME, PUBLIC, (b"host", b"app")], PASSED),
        (
            "another one alone",
            &[METHOD, SCHEME, PUBLIC, (b"host", b"evil")],
            DENIED,
        ),
        (
            "two hosts",
            &[METHOD, SCHEME, PUBLIC, (b"host", b"app"), (b"host", b"evil")],
            CLOSED,
        ),
    ];
    check(&turn, rows);
    let seen = turn.world.app.requests();
    assert!(
        seen.iter().all(|request| request.header("host") == Some("app")),
        "{seen:?}"
    );
}

#[test]
fn the_crumbs_of_a_cookie_are_one_value() {
    let Some(turn) = SHARED.turn() else { return };
    let head = [METHOD, SCHEME, AUTHORITY, (b":path", b"/cookie")];
    let with = |cookies: &[Field<'static>]| [&head[..], cookies].concat();
    let rows = [
        ("the cookie", with(&[(b"cookie", b"a=1")]), PASSED),
        ("none", with(&[]), DENIED),
        (
            "and another one behind it",
            with(&[(b"cookie", b"a=1"), (b"cookie", b"b=2")]),
            DENIED,
        ),
        (
            "or before it",
            with(&[(b"cookie", b"b=2"), (b"cookie", b"a=1")]),
            DENIED,
        ),
    ];
    check(
        &turn,
        &rows
            .each_ref()
            .map(|(why, fields, outcome)| (*why, &fields[..], *outcome)),
    );
}

#[test]
fn what_belongs_to_connections_of_http_1_is_refused() {
    let Some(turn) = SHARED.turn() else { return };
    let post = [(&b":method"[..], &b"POST"[..]), SCHEME, AUTHORITY, PUBLIC];
    let with = |field: Field<'static>| [&post[..], &[field]].concat();
    let smuggled = b"0\r\n\r\nGET /secret HTTP/1.1\r\nHost: app\r\n\r\n";
    let rows = [
        ("a transfer coding", with((b"transfer-encoding", b"chunked"))),
        ("a connection header", with((b"connection", b"x-key"))),
        ("an upgrade", with((b"upgrade", b"websocket"))),
        ("keep-alive", with((b"keep-alive", b"1"))),
        (
            "a proxy's connection header",
            with((b"proxy-connection", b"keep-alive")),
        ),
        ("an encoding that is not trailers", with((b"te", b"chunked"))),
        (
            "two lengths",
            [&with((b"content-length", b"42"))[..], &[(b"content-length", b"0")]].concat(),
        ),
        ("a length that is no number", with((b"content-length", b"+42"))),
    ];
    let rows = rows.map(|(why, fields)| (why, vec![Frame::head(&fields), Frame::last_data(smuggled)], CLOSED));
    check_frames(&turn, rows.to_vec());
    let body = vec![Frame::head(&post), Frame::last_data(smuggled)];
    check_frames(&turn, vec![("without any of them it is a body", body, PASSED)]);
    assert_eq!(turn.world.app.requests().iter().rev().nth(1).unwrap().body, smuggled);
    // These are found out when the body comes: then the stream ends, and the head may have gone ahead.
    let before = turn.world.app.requests().len();
    for length in [&b"0"[..], b"1000"] {
        let head = Frame::head(&[&post[..], &[(b"content-length", length)]].concat());
        let outcome = Exchange::start(&turn.world, &[head, Frame::last_data(smuggled)]).outcome();
        assert_eq!(outcome, Outcome::Reset(1), "{length:?}");
    }
    // So it may come later than the end of the stream.
    sleep(Duration::from_millis(200));
    for request in &turn.world.app.requests()[before..] {
        assert_eq!((request.target.as_str(), &request.body[..]), ("/public", &b""[..]));
    }
}

#[test]
fn trailers_prove_nothing() {
    let Some(turn) = SHARED.turn() else { return };
    let post = (&b":method"[..], &b"POST"[..]);
    let head = Frame::head(&[post, SCHEME, AUTHORITY, KEY]);
    let public = Frame::head(&[post, SCHEME, AUTHORITY, PUBLIC]);
    let trailers = |fields: &[Field]| Frame::request(fields);
    let rows = vec![
        (
            "a header that a rule wants",
            vec![head, trailers(&[(b"x-key", b"a")])],
            DENIED,
        ),
        ("another path", vec![public.clone(), trailers(&[SECRET])], CLOSED),
        ("a line", vec![public, trailers(&[(b"x-a", b"b\r\nx-key: a")])], CLOSED),
    ];
    check_frames(&turn, rows);
}

#[test]
fn tunnels_are_judged_and_never_made() {
    let Some(turn) = SHARED.turn() else { return };
    let connect = (&b":method"[..], &b"CONNECT"[..]);
    let rows: &[Row] = &[
        ("a tunnel", &[connect, (b":authority", b"app:80")], DENIED),
        ("a tunnel with a path", &[connect, SCHEME, AUTHORITY, PUBLIC], CLOSED),
        (
            "a websocket",
            &[connect, (b":protocol", b"websocket"), SCHEME, AUTHORITY, PUBLIC],
            CLOSED,
        ),
        (
            "a protocol without tunnel",
            &[METHOD, (b":protocol", b"websocket"), SCHEME, AUTHORITY, PUBLIC],
            CLOSED,
        ),
    ];
    check(&turn, rows);
}

#[test]
fn a_head_without_end_is_cut() {
    let Some(turn) = SHARED.turn() else { return };
    let value = vec![b'a'; 16_000];
    let large = [(&b"x-a"[..], &value[..])];
    let mut frames = vec![Frame::open_head(&[METHOD, SCHEME, AUTHORITY, PUBLIC])];
    frames.extend((0..12).map(|_| Frame::open_continuation(&large)));
    let mut many = vec![Frame::open_head(&[METHOD, SCHEME, AUTHORITY, PUBLIC])];
    many.extend((0..2_000).map(|_| Frame::open_continuation(&[])));
    let rows = vec![
        ("too many bytes", frames, Outcome::Reset(2)),
        ("too many frames", many, CLOSED),
    ];
    check_frames(&turn, rows);
}

#[test]
fn streams_that_are_cancelled_at_once_end_their_connection() {
    let Some(turn) = SHARED.turn() else { return };
    let (head, cancel) = (Frame::request(&[METHOD, SCHEME, AUTHORITY, PUBLIC]), Frame::cancel());
    let streams = |last: u32| {
        (1..=last)
            .step_by(2)
            .flat_map(|stream| [(stream, &head), (stream, &cancel)])
    };
    // Envoy bears some hundreds.
    assert!(Exchange::start_on(&turn.world, streams(3_999)).ends());
    // What is on its way to the application by then is not another test's.
    sleep(Duration::from_millis(200));
    assert!(turn.world.http_passes("/public") && !turn.world.http_passes("/secret"));
}

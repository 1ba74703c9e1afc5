//! Requests, responses and local replies.

use wasm_host::{HttpOutcome, HttpStream, LogLevel, Request};

use crate::support::{connection, said, vm};

fn send(fixture: &str, request: Request) -> (wasm_host::Vm, HttpStream) {
    let vm = vm(fixture, "");
    let http = vm.http(connection(), request);
    (vm, http)
}

#[test]
fn headers_read_and_change_as_in_envoy() {
    let request = Request::get("a", "/")
        .header("X-a", "1")
        .header("x-A", b"\xff")
        .header("x-gone", "1");
    let (vm, mut http) = send("headers", request);
    let said_then = said(&vm);
    let statuses: Vec<&str> = said_then.iter().map(String::as_str).collect();
    // count and end of stream; first value; absent; no such map (twice); pairs of an absent map are
    // empty; no ninth map; size; three edits; all pairs
    let expected = ["07", "01", "00", "1", "01", "02", "02", "00", "", "02", "00"];
    assert_eq!(statuses[..11], expected);
    assert_eq!(statuses[12..16], ["00", "00", "00", "00"]);
    assert_eq!(statuses.len(), 17);

    let HttpOutcome::Continue { headers, body } = http.outcome() else {
        panic!("{:?}", http.outcome())
    };
    assert!(body.is_empty());
    assert_eq!(
        headers.all(b"x-a").collect::<Vec<_>>(),
        [b"new"],
        "all values are replaced"
    );
    assert_eq!((headers.text("x-gone"), headers.text("x-added")), (None, Some("new")));
    assert_eq!(headers.text(":authority"), Some("a"));

    let HttpOutcome::Continue { headers, .. } = http.response(200, &[("x-b", "1")], b"") else {
        panic!("the response goes on")
    };
    assert_eq!((headers.text(":status"), headers.len()), (Some("204"), 1));
    assert_eq!(said(&vm), ["02", "00"], "the request is gone; the response is replaced");
    http.log();
    assert_eq!(said(&vm), ["00", "new", "02"], "the log reads, and cannot write");
    http.log();
    assert!(said(&vm).is_empty(), "a request is logged once");
}

#[test]
fn a_body_that_is_held_back_comes_again() {
    let (vm, mut http) = send("body", Request::new("POST", "a", "/").more_to_come());
    assert!(http.outcome().is_continue());
    assert_eq!(*http.body(b"one", false), HttpOutcome::Paused);
    let HttpOutcome::Continue { body, .. } = http.body(b"two", true) else {
        panic!("the end goes on")
    };
    assert_eq!(body, b"BODY");
    assert_eq!(said(&vm), ["00", "onetwo", "00", "06", "00"]);
    let HttpOutcome::Continue { body, .. } = http.response(200, &[], b"answer") else {
        panic!("the response goes on")
    };
    assert_eq!(body, b"answerBODY");
    assert_eq!(said(&vm), ["00", "", "02", "00"]);

    let (_, http) = send("body", Request::new("POST", "a", "/").body(b"whole"));
    assert!(matches!(http.outcome(), HttpOutcome::Continue { body, .. } if body == b"BODY"));
}

#[test]
fn a_denial_is_a_local_reply_whatever_the_plugin_answers() {
    let (vm, http) = send("verdict", Request::get("a", "/").header("x-do", "d"));
    let HttpOutcome::LocalReply(reply) = http.outcome() else {
        panic!("{:?}", http.outcome())
    };
    assert_eq!((reply.status, reply.body.as_slice()), (403, &b"Access denied\r\n"[..]));
    assert_eq!(reply.details, "rbac_denied_policy[a_b]", "blanks do not survive");
    assert_eq!(reply.headers.text("x-why"), Some("policy"));
    assert_eq!(reply.headers.text("content-type"), Some("text/plain"));
    assert_eq!(
        reply.headers.text("x-seen"),
        Some("x-seen"),
        "the reply passes the response callback"
    );
    assert_eq!(reply.grpc_status, None);
    assert_eq!(said(&vm), ["00"]);
    assert_eq!(http.outcome().status(), Some(403));
}

#[test]
fn a_grpc_denial_is_a_status_in_the_headers() {
    let (_, http) = send("verdict", Request::grpc("a", "/pkg.Service/Method").header("x-do", "d"));
    let HttpOutcome::LocalReply(reply) = http.outcome() else {
        panic!("{:?}", http.outcome())
    };
    assert_eq!((reply.status, reply.grpc_status, reply.body.len()), (200, Some(7), 0));
    assert_eq!(reply.headers.text("grpc-message"), Some("Access denied%0D%0A"));
}

#[test]
fn a_stream_can_be_reset_and_paused() {
    let (vm, http) = send("verdict", Request::get("a", "/").header("x-do", "r"));
    assert_eq!(*http.outcome(), HttpOutcome::Reset);
    assert_eq!(said(&vm), ["00"]);

    let (vm, mut http) = send("verdict", Request::get("a", "/").header("x-do", "p"));
    assert_eq!(*http.outcome(), HttpOutcome::Paused);
    assert_eq!(vm.tick(), Ok(1));
    assert_eq!(
        said(&vm),
        ["02", "00", "00"],
        "an unknown context is refused, the paused one resumed"
    );
    assert!(http.poll().is_continue());

    let request = Request::new("POST", "a", "/").header("x-do", "p").more_to_come();
    let (vm, mut http) = send("verdict", request);
    assert_eq!(
        *http.body(b"behind", true),
        HttpOutcome::Paused,
        "the body waits behind the headers"
    );
    assert_eq!(vm.tick(), Ok(1));
    assert!(matches!(http.poll(), HttpOutcome::Continue { body, .. } if body == b"behind"));
}

#[test]
fn a_plugin_without_configuration_answers_500() {
    let plugin = crate::support::plugin("verdict");
    let vm = wasm_host::Vm::new(&plugin, wasm_host::VmConfig::default()).expect("it starts");
    assert_eq!(
        vm.http(connection(), Request::get("a", "/")).outcome().status(),
        Some(500)
    );
}

#[test]
fn a_missing_capability_is_an_error_or_a_hole() {
    let plugin = crate::support::plugin("verdict");
    let denied = |names: &[&str]| {
        let config = wasm_host::VmConfig::default().allow_only(names.iter().copied());
        let vm = wasm_host::Vm::new(&plugin, config).expect("it starts");
        assert_eq!(vm.configure(b""), Ok(true));
        let status = vm
            .http(connection(), Request::get("a", "/").header("x-do", "d"))
            .outcome()
            .status();
        (status, vm.logs())
    };
    let needed = [
        "proxy_on_request_headers",
        "proxy_get_header_map_value",
        "proxy_send_local_response",
    ];
    assert_eq!(denied(&needed).0, Some(403));
    let (status, logs) = denied(&needed[..2]);
    assert_eq!(status, None, "the reply was refused");
    assert!(
        logs.iter()
            .any(|line| line.level == LogLevel::Error
                && line.message == "restricted host call: proxy_send_local_response")
    );
    assert_eq!(
        denied(&needed[1..]).0,
        None,
        "the callback is never made: nothing is enforced"
    );
    assert_eq!(denied(&[]).0, Some(403), "an empty set allows everything");
}

#[test]
fn costs_are_counted_by_callback() {
    let vm = vm("verdict", "");
    let _ = vm.take_counters();
    drop(vm.http(connection(), Request::get("a", "/").header("x-do", "d")));
    let costs = vm.take_counters();
    assert_eq!(costs.calls("proxy_on_request_headers", "proxy_get_header_map_value"), 1);
    assert_eq!(
        costs.calls("proxy_on_response_headers", "proxy_add_header_map_value"),
        1
    );
    assert_eq!(costs.calls_in("proxy_on_request_headers"), 3);
    assert_eq!(costs.calls_of("proxy_log"), 1);
    assert_eq!((costs.allocations(), costs.allocated_bytes()), (1, 1));
    assert_eq!(vm.counters(), wasm_host::Counters::default());
}

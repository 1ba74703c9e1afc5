//! A timer that judges streams anew, and ends them.

use wasm_host::{CloseReason, HttpOutcome, Request, Vm};

use crate::support::{connection, said, vm};

/// What the timer of the fixture says before it acts: the property, or its status, and that of a header.
fn seen_by_timer(vm: &Vm) -> (Vec<String>, Vec<String>) {
    assert_eq!(vm.tick(), Ok(1));
    let mut lines = said(vm);
    assert_eq!(lines[..2], ["tick", "00"], "the stream is there to act for");
    let header = lines
        .iter()
        .position(|line| line == "02")
        .expect("no header is visible");
    let rest = lines.split_off(header + 1);
    (lines[2..header].to_vec(), rest)
}

#[test]
fn a_timer_reads_what_belongs_to_the_stream_and_no_header() {
    let request = || Request::get("a", "/x").header("x-forwarded-for", "10.8.8.8");
    let rows: &[(&str, &[&str], &str)] = &[
        ("source\0address", &["00", "10.8.8.8:0"], "what the headers made of it"),
        ("destination\0address", &["00", "10.0.0.2:8080"], "the connection's"),
        ("filter_state\0native", &["00", "bytes"], "another filter's"),
        ("request\0protocol", &["00", "HTTP/1.1"], "known without headers"),
        ("request\0path", &["01"], "the headers went on"),
        ("request\0headers\0x-forwarded-for", &["01"], "as did this one"),
    ];
    for (path, expected, why) in rows {
        let vm = vm("revoke", &format!("k{path}"));
        let http = vm.http(connection().filter_state("native", b"bytes"), request());
        let (property, acted) = seen_by_timer(&vm);
        assert_eq!(property, *expected, "{why}");
        assert!(acted.is_empty());
        assert!(http.outcome().is_continue(), "{why}");
        let written = http.filter_state("wasm.seen");
        assert_eq!(
            written.as_deref(),
            Some(&b"tick"[..]),
            "state is written for the stream"
        );
    }
}

#[test]
fn a_timer_closes_a_connection() {
    let vm = vm("revoke", "csource\0address");
    let mut tcp = vm.tcp(connection());
    tcp.new_connection();
    let (property, acted) = seen_by_timer(&vm);
    assert_eq!(property, ["00", "10.0.0.1:40000"]);
    assert_eq!(acted, ["00", "done", "log", "delete"]);
    assert_eq!(tcp.closed(), Some(CloseReason::PluginDownstream));
    assert_eq!(vm.live_contexts(), 1);
    assert_eq!(vm.tick(), Ok(1), "the root lives on");
    assert_eq!(said(&vm)[..2], ["tick", "02"], "and the connection is gone");
}

#[test]
fn a_timer_ends_a_request_at_once() {
    let refused = |outcome: &HttpOutcome| matches!(outcome, HttpOutcome::LocalReply(reply) if reply.status == 403);
    let reset = |outcome: &HttpOutcome| *outcome == HttpOutcome::Reset;
    type Check = fn(&HttpOutcome) -> bool;
    let rows: [(&str, bool, Check, &str); 4] = [
        ("r", false, reset, "while the upstream thinks"),
        ("r", true, reset, "while the response flows"),
        ("a", false, refused, "there is no response yet"),
        ("a", true, reset, "a second response cannot be sent"),
    ];
    for (what, answered, expected, why) in rows {
        let vm = vm("revoke", &format!("{what}request\0protocol"));
        let mut http = vm.http(connection(), Request::get("a", "/"));
        if answered {
            assert!(http.response(101, &[], b"").is_continue());
        }
        let (_, acted) = seen_by_timer(&vm);
        assert_eq!(acted, ["00", "log", "done", "delete"], "{why}");
        assert_eq!(
            vm.live_contexts(),
            1,
            "{why}: the handle is still there, the request is not"
        );
        assert!(expected(http.poll()), "{why}: {:?}", http.outcome());
        drop(http);
        assert!(said(&vm).is_empty(), "{why}: it does not end twice");
    }
}

#[test]
fn a_timer_of_period_zero_is_none() {
    let vm = vm("revoke", "ssource\0address");
    let tcp = vm.tcp(connection());
    assert_eq!(vm.tick(), Ok(1), "before any stream");
    let _ = said(&vm);
    let mut tcp = tcp;
    tcp.new_connection();
    assert_eq!(vm.tick(), Ok(1));
    assert_eq!(
        said(&vm).last().map(String::as_str),
        Some("00"),
        "stopped from the stream's context"
    );
    assert_eq!(vm.tick(), Ok(0));
    assert_eq!(tcp.closed(), None);
}

#[test]
fn a_replaced_root_ticks_as_long_as_it_has_streams() {
    let vm = vm("revoke", "ksource\0address");
    let mut tcp = vm.tcp(connection());
    tcp.new_connection();
    assert_eq!(vm.configure(b"ksource\0address"), Ok(true));
    assert_eq!(vm.tick(), Ok(2));
    drop(tcp);
    assert_eq!(vm.tick(), Ok(1));
}

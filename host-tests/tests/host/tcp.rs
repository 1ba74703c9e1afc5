//! Connections.

use wasm_host::{Action, CloseReason, ConnectMode, Delivery, Peer, Request, TcpStream, Vm};

use crate::support::{connection, said, vm};

fn open(configuration: &str) -> (Vm, TcpStream) {
    let vm = vm("tcp", configuration);
    let mut tcp = vm.tcp(connection().connect_mode(ConnectMode::OnDownstreamData));
    tcp.new_connection();
    let _ = said(&vm);
    (vm, tcp)
}

fn passed(bytes: &[u8]) -> Delivery {
    Delivery {
        action: Action::Continue,
        forwarded: bytes.to_vec(),
    }
}

fn held() -> Delivery {
    Delivery {
        action: Action::Pause,
        forwarded: Vec::new(),
    }
}

#[test]
fn a_denied_connection_is_closed_before_the_upstream_sees_anything() {
    let rows = [("d", CloseReason::PluginDownstream), ("u", CloseReason::PluginUpstream)];
    for (configuration, reason) in rows {
        let vm = vm("tcp", configuration);
        let mut tcp = vm.tcp(connection());
        assert_eq!(
            tcp.new_connection(),
            Action::Pause,
            "closed, though the plugin said continue"
        );
        assert_eq!(tcp.closed(), Some(reason));
        assert_eq!(
            said(&vm),
            ["00", "closed by", "01", "done", "delete"],
            "by the proxy, afterwards"
        );
        assert_eq!(tcp.downstream_data(b"k", false), held());
        assert_eq!(vm.live_contexts(), 1);
    }
}

#[test]
fn edits_at_the_ends_of_the_data_pass_on() {
    let rows = [
        ("untouched", "k1", "k1", None),
        ("replaced", "r1", "<", Some("00")),
        ("in front", "f1", "<f1", Some("00")),
        ("behind", "a1", "a1>", Some("00")),
        ("not in the middle", "m1", "m1", Some("02")),
        ("not towards the client", "u1", "u1", Some("02")),
    ];
    for (why, data, forwarded, status) in rows {
        let (vm, mut tcp) = open("k");
        assert_eq!(
            tcp.downstream_data(data.as_bytes(), false),
            passed(forwarded.as_bytes()),
            "{why}"
        );
        assert_eq!(said(&vm), Vec::from_iter(status), "{why}");
    }
    let (_, mut tcp) = open("k");
    assert_eq!(tcp.upstream_data(b"k1", false), passed(b"k1"));
    assert_eq!(tcp.upstream_data(b"d1", false), passed(b""), "dropped on the way back");
}

#[test]
fn held_data_comes_again_with_what_follows() {
    let (_, mut tcp) = open("k");
    assert_eq!(tcp.downstream_data(b"p1", false), held());
    assert_eq!(tcp.downstream_data(b"23", false), held());
    assert_eq!(
        tcp.upstream_data(b"p-", false),
        held(),
        "each direction has its own buffer"
    );
    assert_eq!(tcp.downstream_data(b"", true), passed(b"p123"));
    assert_eq!(tcp.upstream_data(b"x", true), passed(b"p-x"));
}

#[test]
fn a_full_buffer_is_a_dead_lock() {
    let vm = vm("tcp", "k");
    let mut tcp = vm.tcp(connection().buffer_limit(4));
    tcp.new_connection();
    assert_eq!(tcp.downstream_data(b"p123", false), held());
    let _ = vm.take_counters();
    assert_eq!(tcp.downstream_data(b"4", true), held());
    assert_eq!(
        vm.counters().calls_in("proxy_on_downstream_data"),
        0,
        "the filter is not called again"
    );
}

#[test]
fn data_can_close_a_connection_and_nothing_of_it_passes() {
    let (vm, mut tcp) = open("k");
    assert_eq!(tcp.downstream_data(b"d1", false), held());
    assert_eq!(tcp.closed().map(CloseReason::details), Some("wasm_downstream_close"));
    assert_eq!(said(&vm), ["00", "closed by", "01", "done", "delete"]);
}

#[test]
fn a_plugin_hears_of_an_upstream_that_it_was_told_to_forget() {
    let (vm, mut tcp) = open("k");
    assert_eq!(tcp.upstream_data(b"c1", true), held());
    let end = ["00", "closed by", "01", "done", "delete"];
    assert_eq!(said(&vm), [&end[..], &["upstream closed"]].concat(), "last of all");
    assert_eq!(vm.live_contexts(), 1);
    let (vm, mut tcp) = open("k");
    assert_eq!(tcp.upstream_data(b"c1", false), held());
    assert_eq!(said(&vm), end, "the upstream has not ended");
}

#[test]
fn peers_close_connections() {
    for (peer, number) in [(Peer::Local, "01"), (Peer::Remote, "02")] {
        let (vm, mut tcp) = open("k");
        tcp.close(peer);
        tcp.close(Peer::Local);
        assert_eq!(tcp.closed(), Some(CloseReason::Peer(peer)));
        assert_eq!(said(&vm), ["closed by", number, "done", "delete"]);
    }
    let (vm, mut tcp) = open("k");
    assert_eq!(tcp.upstream_data(b"k", true), passed(b"k"));
    assert_eq!(said(&vm), ["upstream closed"]);
    drop(tcp);
    assert_eq!(vm.live_contexts(), 1, "a dropped connection is closed");
}

#[test]
fn what_a_paused_connection_can_do_depends_on_when_the_proxy_connects() {
    let rows = [
        ("stuck", ConnectMode::Immediate, None, held()),
        ("waits for data", ConnectMode::OnDownstreamData, None, passed(b"k")),
        (
            "dies",
            ConnectMode::OnTlsHandshake,
            Some(CloseReason::InitializationFailure),
            held(),
        ),
    ];
    for (why, mode, closed, delivery) in rows {
        let vm = vm("tcp", "p");
        let mut tcp = vm.tcp(connection().connect_mode(mode));
        assert_eq!(tcp.new_connection(), Action::Pause, "{why}");
        assert_eq!(tcp.closed(), closed, "{why}");
        assert_eq!(tcp.downstream_data(b"k", false), delivery, "{why}");
    }
}

#[test]
fn a_timer_resumes_or_cuts_connections() {
    let vm = vm("tcp", "p");
    let mut tcp = vm.tcp(connection());
    tcp.new_connection();
    assert_eq!(tcp.downstream_data(b"k1", false), held());
    assert_eq!(vm.tick(), Ok(1));
    assert_eq!(
        said(&vm),
        ["12", "02", "00"],
        "upstream cannot be resumed, and there is no fifth stream"
    );
    assert_eq!(tcp.take_released(), b"k1");
    assert_eq!(tcp.downstream_data(b"k2", false), passed(b"k2"));

    let (vm, tcp) = open("k");
    assert_eq!(vm.tick(), Ok(1));
    assert_eq!(tcp.closed(), Some(CloseReason::PluginDownstream));
    assert_eq!(vm.live_contexts(), 1);
}

#[test]
fn connections_keep_their_root_context_over_an_update() {
    let (vm, mut tcp) = open("k");
    let before = tcp.context_id();
    assert_eq!(vm.configure(b"d"), Ok(true));
    assert_eq!(vm.live_contexts(), 3, "the old root lives as long as its connection");
    assert_eq!(tcp.downstream_data(b"k", false), passed(b"k"));
    assert_eq!(tcp.context_id(), before);
    let http = tcp.http(Request::get("a", "/"));
    tcp.close(Peer::Remote);
    assert_eq!(
        vm.live_contexts(),
        2,
        "the new root and the request, which belongs to it"
    );
    drop(http);
    assert_eq!(vm.live_contexts(), 1);
}

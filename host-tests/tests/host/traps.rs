//! How plugins die, and what that does to traffic.

use wasm_host::{Action, CloseReason, HttpOutcome, Plugin, Request, TrapKind, Vm, VmConfig};

use crate::support::{connection, module, said, vm, vm_with};

fn request(what: &str) -> Request {
    Request::get("a", "/").header("x-do", what)
}

#[test]
fn a_trap_kills_the_machine_and_every_stream_is_refused() {
    let rows = [
        ("t", TrapKind::Unreachable),
        ("o", TrapKind::OutOfBounds),
        ("s", TrapKind::StackOverflow),
        ("x", TrapKind::Exception),
    ];
    for (what, kind) in rows {
        let vm = vm("verdict", "");
        let other = vm.http(connection(), request("p"));
        let fatal = vm.http(connection(), request(what));
        let HttpOutcome::Trap(trap) = fatal.outcome() else {
            panic!("{what}: {:?}", fatal.outcome())
        };
        assert_eq!((trap.callback, trap.kind), ("proxy_on_request_headers", kind), "{what}");
        assert_eq!(fatal.outcome().status(), Some(503), "{what}");
        assert!(vm.is_dead() && vm.trap().as_ref() == Some(trap), "{what}");

        let next = vm.http(connection(), Request::get("a", "/"));
        let HttpOutcome::LocalReply(reply) = next.outcome() else {
            panic!("{:?}", next.outcome())
        };
        assert_eq!(
            (reply.status, reply.details.as_str()),
            (503, "wasm_fail_stream"),
            "{what}"
        );
        let mut tcp = vm.tcp(connection());
        assert_eq!(tcp.new_connection(), Action::Pause);
        assert_eq!(tcp.closed(), Some(CloseReason::PluginFailed), "{what}");
        assert!(vm.tick().is_err());

        assert!(vm.reload(), "{what}");
        assert!(
            vm.http(connection(), Request::get("a", "/")).outcome().is_continue(),
            "{what}"
        );
        drop((other, fatal));
        assert_eq!(
            vm.live_contexts(),
            1,
            "{what}: streams of the dead machine touch nothing"
        );
    }
}

#[test]
fn a_caught_exception_harms_nobody() {
    let vm = vm("verdict", "");
    for _ in 0..10_000 {
        assert!(vm.http(connection(), request("c")).outcome().is_continue());
    }
    assert_eq!(said(&vm).len(), 10_000);
    assert!(!vm.is_dead());
}

#[test]
fn connections_of_a_dead_machine_close() {
    let vm = vm("tcp", "k");
    let mut first = vm.tcp(connection());
    let mut second = vm.tcp(connection());
    assert_eq!(first.new_connection(), Action::Continue);
    assert_eq!(second.new_connection(), Action::Continue);
    assert_eq!(first.downstream_data(b"t", false).forwarded, b"");
    assert_eq!(first.closed(), Some(CloseReason::PluginFailed));
    assert_eq!(second.closed(), None, "nothing happened on it yet");
    assert!(vm.reload());
    assert_eq!(second.downstream_data(b"k", false).forwarded, b"");
    assert_eq!(
        second.closed(),
        Some(CloseReason::PluginFailed),
        "its context died with the machine"
    );
    let mut third = vm.tcp(connection());
    assert_eq!(third.new_connection(), Action::Continue);
}

#[test]
fn memory_stops_at_the_limit() {
    let config = VmConfig {
        memory_limit: 1 << 20,
        ..VmConfig::default()
    };
    let vm = vm_with("verdict", config, "");
    assert!(vm.http(connection(), request("m")).outcome().is_continue());
    assert_eq!(said(&vm), ["01"], "the plugin is told, and lives");
    assert_eq!(vm.memory_bytes(), 2 << 16);
    let vm = vm_with("verdict", VmConfig::default(), "");
    assert!(vm.http(connection(), request("m")).outcome().is_continue());
    assert_eq!(said(&vm), ["00"]);
}

#[test]
fn fuel_ends_an_endless_loop() {
    let plugin = Plugin::from_bytes_metered(&module("verdict")).expect("it compiles");
    let config = VmConfig {
        fuel: Some(100_000),
        ..VmConfig::default()
    };
    let vm = Vm::new(&plugin, config.clone()).expect("it starts");
    assert_eq!(vm.configure(b""), Ok(true));
    let cost = || {
        drop(vm.http(connection(), request("m")));
        vm.fuel_used()
    };
    assert!(cost() > 0 && cost() == cost(), "the same work costs the same");
    let http = vm.http(connection(), request("l"));
    assert!(matches!(http.outcome(), HttpOutcome::Trap(trap) if trap.kind == TrapKind::OutOfFuel));

    let unmetered = crate::support::plugin("verdict");
    assert!(Vm::new(&unmetered, config).is_err(), "fuel needs a metered plugin");
}

//! Root contexts, configuration and updates.

use wasm_host::{Plugin, Request, TrapKind, Update, Vm, VmConfig};

use crate::support::{connection, module, plugin, said};

fn fresh() -> Vm {
    let config = VmConfig {
        vm_configuration: b"vm config".to_vec(),
        ..VmConfig::default()
    };
    Vm::new(&plugin("root"), config).expect("it starts")
}

#[test]
fn an_update_creates_a_new_root_and_retires_the_old_one() {
    let vm = fresh();
    assert_eq!(said(&vm), ["initialize"]);
    assert_eq!(vm.configure(b"one"), Ok(true));
    let first = ["create", "01", "start", "00", "vm config", "01", "configure"];
    assert_eq!(said(&vm), first, "the plugin configuration is NotFound in on_vm_start");
    assert_eq!(vm.configure(b"again"), Ok(true));
    let mut second = first.map(str::to_owned).to_vec();
    second[1] = "02".to_owned();
    second.extend(["done", "01", "delete", "01"].map(str::to_owned));
    assert_eq!(said(&vm), second);
    assert_eq!(vm.live_contexts(), 1);
}

#[test]
fn a_refused_configuration_changes_nothing() {
    let vm = fresh();
    assert_eq!(vm.configure(b"n"), Ok(false));
    assert_eq!(
        vm.http(connection(), Request::get("a", "/")).outcome().status(),
        Some(500)
    );
    assert_eq!(vm.configure(b"one"), Ok(true));
    assert_eq!(vm.configure(b"n"), Ok(false));
    assert!(said(&vm).ends_with(&["done", "03", "delete", "03"].map(str::to_owned)));
    assert!(vm.http(connection(), Request::get("a", "/")).outcome().is_continue());
    assert_eq!(vm.live_contexts(), 1);
}

#[test]
fn a_root_that_is_not_done_stays_until_it_says_so() {
    let vm = fresh();
    assert_eq!(vm.configure(b"i"), Ok(true));
    assert_eq!(vm.configure(b"w"), Ok(true));
    assert_eq!(vm.live_contexts(), 2, "the first root is not done");
    let _ = said(&vm);
    assert_eq!(vm.tick(), Ok(1), "the old root's timer goes on");
    assert_eq!(said(&vm), ["tick", "00", "01", "delete", "01"], "done once");
    assert_eq!(vm.live_contexts(), 1);
    assert_eq!(vm.tick(), Ok(0), "and its timer goes with it");
}

#[test]
fn envoy_asks_a_canary_first() {
    let vm = fresh();
    assert_eq!(vm.configure_like_envoy(b"one"), Update::Accepted);
    let told = said(&vm);
    assert_eq!(
        told.iter().filter(|line| *line == "configure").count(),
        2,
        "canary and live"
    );
    assert_eq!(vm.configure_like_envoy(b"n"), Update::Rejected(None));
    let Update::Rejected(Some(trap)) = vm.configure_like_envoy(b"t") else {
        panic!("the canary traps")
    };
    assert_eq!(
        (trap.callback, trap.kind),
        ("proxy_on_configure", TrapKind::Unreachable)
    );
    assert!(!vm.is_dead(), "only the canary died");
    assert!(vm.http(connection(), Request::get("a", "/")).outcome().is_continue());
}

#[test]
fn a_failure_behind_the_canary_opens_the_proxy() {
    for configuration in ["s", "u"] {
        let vm = fresh();
        assert_eq!(vm.configure_like_envoy(b"one"), Update::Accepted);
        let update = vm.configure_like_envoy(configuration.as_bytes());
        assert!(matches!(update, Update::FailsOpen(_)), "{configuration}: {update:?}");
        assert!(vm.fails_open());
        // Traffic passes without a call to the plugin: no filter state, which is what a native
        // filter behind it can see.
        let request = Request::new("POST", "a", "/").body(b"x");
        let http = vm.http(connection(), request);
        assert!(http.outcome().is_continue());
        let mut tcp = vm.tcp(connection());
        tcp.new_connection();
        assert_eq!(tcp.downstream_data(b"x", false).forwarded, b"x");
        assert_eq!(
            vm.configure_like_envoy(b"one"),
            Update::Rejected(None),
            "the plugin is poisoned"
        );
    }
}

#[test]
fn a_dead_plugin_is_healed_by_an_update_or_a_reload() {
    let kill = |vm: &Vm| {
        drop(vm.http(connection(), Request::new("POST", "a", "/").body(b"x")));
        assert!(vm.is_dead());
    };
    let vm = fresh();
    assert_eq!(vm.configure_like_envoy(b"one"), Update::Accepted);
    kill(&vm);
    assert_eq!(vm.configure_like_envoy(b"again"), Update::Accepted);
    assert!(vm.http(connection(), Request::get("a", "/")).outcome().is_continue());

    kill(&vm);
    assert!(vm.reload());
    assert!(vm.http(connection(), Request::get("a", "/")).outcome().is_continue());
    assert!(
        said(&vm).iter().filter(|line| *line == "initialize").count() >= 3,
        "logs survive"
    );

    kill(&vm);
    assert!(
        vm.configure(b"again").is_err(),
        "a dead plugin takes no configuration directly"
    );

    let vm = fresh();
    assert_eq!(vm.configure(b"h"), Ok(true));
    kill(&vm);
    assert!(
        !vm.reload(),
        "the new instance refuses the configuration of the old one"
    );
    assert!(vm.is_dead());
    let http = vm.http(connection(), Request::get("a", "/"));
    assert_eq!(http.outcome().status(), Some(503));
}

#[test]
fn wasi_serves_the_environment() {
    let environment = [("A", "1"), ("B", "two")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = VmConfig {
        environment: environment.into(),
        ..VmConfig::default()
    };
    let vm = Vm::new(&plugin("wasi"), config).expect("it starts");
    let trap = vm.configure(b"").expect_err("it exits in on_configure");
    assert!(trap.message.contains("exited with code 7"), "{trap}");
    assert_eq!(vm.logs()[0].message, "A=1\0B=two\0");
}

#[test]
fn what_does_not_fit_is_refused_with_its_name() {
    let error = Plugin::from_bytes(&module("unknown_import"))
        .err()
        .expect("no such function");
    assert!(
        format!("{error:#}").contains("`env::proxy_fly_to_the_moon`"),
        "{error:#}"
    );
    let plugin = plugin("wrong_signature");
    let error = Vm::new(&plugin, VmConfig::default()).err().expect("a wrong signature");
    assert!(format!("{error:#}").contains("exports proxy_on_configure"), "{error:#}");
    assert!(Plugin::from_bytes(b"not wasm").is_err());
    assert!(Plugin::load("/nonexistent.wasm").is_err());
}

//! A plugin that traps while others are served: its VM is gone, and with it the verdicts of everyone on that worker.
//! Denied until there is a new VM, and right again from then on.
//!
//! The real plugin turns its panics into denials (`plugin_survives.rs`); this is about what it cannot catch.

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, iter};

use common::{TIMEOUT, World, envoy};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{self, Request, RequestError};

/// Says `allow` to every connection and to requests for `/a`, nothing to others, and traps at `/trap`.
fn trapping_module(dir: &Path) -> PathBuf {
    let source = r#"(module
        (import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
        (import "env" "proxy_get_property" (func $get_property (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 100) "portcullis_l4") (data (i32.const 120) "portcullis_http")
        (data (i32.const 140) "allow") (data (i32.const 160) "request\00path")
        (func (export "_initialize"))
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 4096))
        (func (export "proxy_on_context_create") (param i32 i32))
        (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
        (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
        (func $allow (param $key i32) (param $length i32)
            (drop (call $set_property (local.get $key) (local.get $length) (i32.const 140) (i32.const 5))))
        (func (export "proxy_on_new_connection") (param i32) (result i32)
            (call $allow (i32.const 100) (i32.const 13)) (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (local $length i32)
            (drop (call $get_property (i32.const 160) (i32.const 12) (i32.const 500) (i32.const 504)))
            (local.set $length (i32.load (i32.const 504)))
            (if (i32.eq (local.get $length) (i32.const 5)) (then (unreachable)))
            (if (i32.eq (local.get $length) (i32.const 2)) (then (call $allow (i32.const 120) (i32.const 15))))
            (i32.const 0)))"#;
    let path = dir.join("module.wasm");
    fs::write(&path, wat::parse_str(source).unwrap()).unwrap();
    path
}

/// What a request on a connection of its own gets; nothing if the connection is closed.
fn status(world: &World, path: &str) -> Option<u16> {
    let request = Request::new("GET", path, "app");
    match client::request(world.client(), world.listener("app"), &request, TIMEOUT) {
        Ok(response) => Some(response.status),
        Err(RequestError::Closed) => None,
        Err(error) => panic!("{path}: {error}"),
    }
}

/// How often Envoy made a VM anew.
fn reloads(envoy: &EnvoyProcess) -> u64 {
    let stats = envoy.admin().stats().unwrap();
    let reloads = stats.iter().filter(|(name, _)| name.ends_with("vm_reload_success"));
    reloads.map(|(_, count)| count).sum()
}

/// Sends `/a` and `/bb` on new and on kept connections until it is told to stop; returns how many `/a` passed.
fn traffic(world: &World, stop: &AtomicBool) -> usize {
    let mut passed = 0;
    let mut kept = world.http_client();
    while !stop.load(Ordering::SeqCst) {
        for path in ["/a", "/bb"] {
            let on_kept = kept
                .send(&Request::new("GET", path, "app"))
                .map(|response| response.status)
                .ok();
            if on_kept.is_none() {
                kept = world.http_client();
            }
            for answer in [on_kept, status(world, path)] {
                match (path, answer) {
                    ("/a", Some(200)) => passed += 1,
                    (_, Some(403 | 500 | 503) | None) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    passed
}

#[test]
fn a_trap_denies_until_there_is_a_new_vm() {
    let Some(envoy) = envoy() else { return };
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(&trapping_module(dir.path()));
    let running = world.start(&envoy, "{}");
    assert_eq!([status(&world, "/a"), status(&world, "/bb")], [Some(200), Some(403)]);
    let stop = AtomicBool::new(false);
    let passed: usize = thread::scope(|scope| {
        let clients: Vec<_> = iter::repeat_with(|| scope.spawn(|| traffic(&world, &stop)))
            .take(4)
            .collect();
        for _ in 0..12 {
            assert!(!matches!(status(&world, "/trap"), Some(200)));
            thread::sleep(Duration::from_millis(250));
        }
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    // Both workers come back: so many connections in a row meet both of them.
    let deadline = Instant::now() + TIMEOUT;
    let mut well = 0;
    while well < 16 {
        assert!(Instant::now() < deadline, "not well again");
        let answers = [status(&world, "/a"), status(&world, "/bb")];
        well = if answers == [Some(200), Some(403)] { well + 1 } else { 0 };
    }
    assert!(reloads(&running) > 0, "nothing trapped");
    let seen = world.app.requests();
    assert!(seen.len() > passed && seen.iter().all(|request| request.target == "/a"));
}

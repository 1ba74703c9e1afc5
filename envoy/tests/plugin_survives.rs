//! What clients can do to the real plugin: nothing ends its VM, and the next verdicts are right.

mod common;

use common::policy::{Configuration, SERVICES, from_client};
use common::{World, envoy, faulty_plugin};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{HttpClient, Request};
use serde_json::json;

/// Requests for `/public`, and for `/key` with a header; nothing else.
fn policy(world: &World) -> Configuration {
    let http = json!([{ "path": "/public" }, { "path": "/key", "headers": [{ "name": "x-key" }] }]);
    Configuration::ingress(world, SERVICES, json!([from_client(80, Some(http))]))
}

/// The plugin that also panics on demand.
fn start() -> Option<(World, EnvoyProcess)> {
    let (envoy, plugin) = (envoy()?, faulty_plugin()?);
    let world = World::new(&plugin);
    let running = world.start(&envoy, &policy(&world).text());
    Some((world, running))
}

fn get(path: &str) -> Request {
    Request::new("GET", path, "app")
}

fn status(client: &mut HttpClient, request: &Request) -> u16 {
    client.send(request).unwrap().status
}

/// The verdicts are what they were, in both workers: on connections that were there before, and on new ones.
fn assert_judges(world: &World, kept: &mut [HttpClient], after: &str) {
    for client in kept {
        let statuses = ["/public", "/secret"].map(|path| status(client, &get(path)));
        assert_eq!(statuses, [200, 403], "{after}: a kept connection");
    }
    for _ in 0..8 {
        let passes = ["/public", "/secret"].map(|path| world.http_passes(path));
        assert_eq!((passes, world.tcp_passes()), ([true, false], false), "{after}");
    }
}

fn panics(envoy: &EnvoyProcess) -> u64 {
    envoy
        .admin()
        .stat("wasmcustom.portcullis_panics_total")
        .unwrap()
        .unwrap_or(0)
}

/// How often Envoy had to make the VM anew; there is no such counter before the first time.
fn reloads(envoy: &EnvoyProcess) -> u64 {
    let stats = envoy.admin().stats().unwrap();
    stats
        .iter()
        .filter(|(name, _)| name.contains("vm_reload"))
        .map(|(_, count)| count)
        .sum()
}

#[test]
fn nothing_that_a_client_sends_ends_the_vm() {
    let Some((world, envoy)) = start() else { return };
    let rows: [(&str, Request, u16); 8] = [
        (
            "a value that is no text",
            get("/public").header("x-raw", b"\xff\xfe"),
            200,
        ),
        ("the same, denied", get("/secret").header("x-raw", b"\xff\xfe"), 403),
        (
            "the header that a rule looks at",
            get("/key").header("x-key", b"\xff\xfe"),
            200,
        ),
        (
            "a name that is no text: Envoy refuses it",
            get("/public").header(b"\xff\xfe", "x"),
            400,
        ),
        (
            "a path that is no text: Envoy refuses it",
            Request::new("GET", b"/\xff\xfe", "app"),
            400,
        ),
        (
            "50 kB, which Envoy lets through to the plugin",
            get("/key").header("x-key", vec![b'a'; 50_000]),
            200,
        ),
        (
            "the same, denied",
            get("/secret").header("x-key", vec![b'a'; 50_000]),
            403,
        ),
        (
            "70 kB, which is too much for Envoy",
            get("/public").header("x-long", vec![b'a'; 70_000]),
            431,
        ),
    ];
    let mut kept: Vec<_> = (0..8).map(|_| world.http_client()).collect();
    assert_judges(&world, &mut kept, "at first");
    for (what, request, expected) in rows {
        // Several times, so that every worker gets it.
        for _ in 0..6 {
            assert_eq!(status(&mut world.http_client(), &request), expected, "{what}");
        }
        assert_judges(&world, &mut kept, what);
    }
    assert_eq!((panics(&envoy), reloads(&envoy)), (0, 0));
}

#[test]
fn a_panic_denies_its_request_and_no_other() {
    let Some((world, envoy)) = start() else { return };
    let mut kept: Vec<_> = (0..8).map(|_| world.http_client()).collect();
    let panicking = get("/public").header("x-portcullis-fault", "panic");
    let mut expected = 0;
    for round in 0..3 {
        for client in &mut kept {
            let response = client.send(&panicking).unwrap();
            assert_eq!((response.status, response.text().as_str()), (403, "Access denied\r\n"));
            expected += 1;
            // Right behind it, on the same connection and so in the same VM.
            assert_eq!(
                status(client, &get("/public").header("x-portcullis-fault", "none")),
                200
            );
        }
        assert_judges(&world, &mut kept, &format!("round {round}"));
        assert_eq!((panics(&envoy), reloads(&envoy)), (expected, 0), "round {round}");
    }
    let line = envoy
        .wait_for_access(|line| line["reason"] == "internal-error", common::TIMEOUT)
        .unwrap();
    assert_eq!((&line["verdict"], &line["http"]), (&json!("deny"), &json!("deny")));
    envoy.wait_for_log("panic on demand", common::TIMEOUT).unwrap();
    assert!(
        !world
            .app
            .requests()
            .iter()
            .any(|seen| seen.header("x-portcullis-fault") == Some("panic"))
    );
}

#[test]
fn a_policy_can_be_pushed_after_a_panic() {
    let Some((world, envoy)) = start() else { return };
    let panicking = get("/public").header("x-portcullis-fault", "panic");
    assert_eq!(status(&mut world.http_client(), &panicking), 403);
    for (configuration, expected) in [
        (Configuration::allow_all(&world), true),
        (Configuration::deny_all(&world), false),
    ] {
        assert!(envoy.push(configuration.text().as_bytes()).unwrap().accepted());
        for _ in 0..8 {
            assert_eq!((world.http_passes("/secret"), world.tcp_passes()), (expected, expected));
        }
    }
}

#[test]
fn the_shipped_plugin_does_not_panic_on_demand() {
    let Some((world, envoy)) = common::start_plugin(policy) else {
        return;
    };
    let request = get("/public").header("x-portcullis-fault", "panic");
    assert_eq!(status(&mut world.http_client(), &request), 200);
    assert_eq!(panics(&envoy), 0);
}

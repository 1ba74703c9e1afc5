//! Policies pushed to the running Envoy with the real plugin: every new one is obeyed, a broken one changes nothing.

mod common;

use std::thread;

use common::kept::{is_answered, status, tcp_connection};
use common::policy::{Configuration, SERVICES, from_client};
use common::{World, envoy, plugin, start_plugin};
use envoy_e2e::ecds::{Encoding, Layer};
use envoy_e2e::run::{Answer, EnvoyProcess, Pushed};
use envoy_e2e::world::client::HttpClient;
use envoy_e2e::world::tcp::Probe;
use serde_json::json;

/// Configurations that the plugin must refuse, and why.
fn broken() -> [(String, &'static str); 6] {
    let bare = r#"{"version":1,"bundle":{"version":1}}"#;
    let packed = Encoding::String.pack(bare.as_bytes()).unwrap();
    let packed = str::from_utf8(&packed).unwrap();
    // Four characters of base64 are three bytes.
    let (shorter, _) = packed.split_at(packed.len() - r#"AAAA"}"#.len());
    [
        (String::new(), "nothing"),
        ("{}".into(), "no policy is not an empty policy"),
        (bare[..30].into(), "cut off"),
        (packed.replace(r#""version":1"#, r#""version":2"#), "from the future"),
        (format!("{shorter}\"}}"), "a packed bundle that lacks its end"),
        (r#"{"version":1,"bundle":"AAAA"}"#.into(), "not a packed bundle"),
    ]
}

fn push(envoy: &EnvoyProcess, configuration: &Configuration) {
    let pushed = envoy.push(configuration.text().as_bytes()).unwrap();
    assert!(pushed.accepted(), "{pushed:?}: {}", envoy.log().unwrap());
}

/// How many publications a layer refused.
fn refusals(envoy: &EnvoyProcess, layer: Layer) -> u64 {
    let name = format!("{}.update_rejected", layer.stat_prefix());
    envoy.admin().stat(&name).unwrap().unwrap_or(0)
}

/// `GET` of this path, and nothing else.
fn only(world: &World, path: &str) -> Configuration {
    Configuration::requests(world, json!([{ "method": "GET", "path": path }]))
}

#[test]
fn a_kept_connection_obeys_every_stage() {
    let Some((world, envoy)) = start_plugin(Configuration::allow_all) else {
        return;
    };
    let mut client = world.http_client();
    assert_eq!([status(&mut client, "/a"), status(&mut client, "/b")], [200, 200]);
    let stages = [
        (only(&world, "/a"), [200, 403], "requests are looked at"),
        (only(&world, "/b"), [403, 200], "the other one"),
        (
            Configuration::deny_all(&world),
            [403, 403],
            "not even the connection would be allowed now",
        ),
        (Configuration::allow_all(&world), [200, 200], "back at the start"),
        (only(&world, "/a"), [200, 403], "an earlier stage again"),
    ];
    for (stage, expected, why) in stages {
        push(&envoy, &stage);
        assert_eq!(
            [status(&mut client, "/a"), status(&mut client, "/b")],
            expected,
            "{why}"
        );
    }
    let connections = envoy.access_log().unwrap_or_default();
    assert!(
        !connections.iter().any(|line| line["log"] == "connection"),
        "the connection was kept: {connections:?}"
    );
}

#[test]
fn a_kept_tcp_connection_ends_with_the_policy_that_allowed_it() {
    let Some((world, envoy)) = start_plugin(Configuration::allow_all) else {
        return;
    };
    let mut connection = tcp_connection(&world);
    assert!(is_answered(&mut connection));
    push(
        &envoy,
        &Configuration::ingress(&world, SERVICES, json!([from_client(7, None)])),
    );
    assert!(is_answered(&mut connection), "another policy, the same verdict");
    push(&envoy, &Configuration::deny_all(&world));
    assert!(!is_answered(&mut connection));
}

#[test]
fn a_broken_policy_between_two_stages_changes_nothing() {
    let Some((world, envoy)) = start_plugin(|world| only(world, "/a")) else {
        return;
    };
    let mut client = world.http_client();
    for (stage, expected) in [("/a", [200, 403]), ("/b", [403, 200])] {
        push(&envoy, &only(&world, stage));
        for (broken, why) in broken() {
            let before = Layer::ALL.map(|layer| refusals(&envoy, layer));
            let pushed = envoy.push(broken.as_bytes()).unwrap();
            let rejected = Pushed {
                network: Answer::Rejected,
                http: Some(Answer::Rejected),
            };
            assert_eq!(pushed, rejected, "{why}");
            let after = Layer::ALL.map(|layer| refusals(&envoy, layer));
            assert_eq!(after, before.map(|count| count + 1), "{why}");
            // Envoy does not look a second time, and says that it is well.
            assert_eq!(envoy.push(broken.as_bytes()).unwrap(), rejected, "{why}: once more");
            assert_eq!(
                [status(&mut client, "/a"), status(&mut client, "/b")],
                expected,
                "{why}"
            );
            assert_eq!(
                [world.http_passes("/a"), world.http_passes("/b")],
                expected.map(|status| status == 200),
                "{why}"
            );
            assert!(world.tcp_passes(), "{why}");
        }
    }
}

#[test]
fn a_policy_that_is_broken_at_first_denies_everything() {
    let (Some(envoy), Some(plugin)) = (envoy(), plugin()) else {
        return;
    };
    for (broken, why) in broken() {
        let world = World::new(&plugin);
        let running = world.start(&envoy, &broken);
        assert!(refusals(&running, Layer::Network) > 0, "{why}");
        for bytes in [&b""[..], b"hello\n"] {
            assert_eq!(world.probe("echo", bytes), Probe::Closed, "{why}");
        }
        if let Ok(response) = world.get("app", "app", "/") {
            assert_ne!(response.status, 200, "{why}");
        }
        assert_eq!((world.app.connections(), world.echo.accepted()), (0, 0), "{why}");
        push(&running, &Configuration::allow_all(&world));
        assert_eq!(
            (world.tcp_passes(), world.http_passes("/")),
            (true, true),
            "{why}: healed"
        );
    }
}

/// Connections of the client that are spread over both workers, as Envoy's statistics say.
fn clients_of_both_workers(world: &World, envoy: &EnvoyProcess) -> Vec<HttpClient> {
    let listener = world.listener("app");
    let name = |worker| {
        format!(
            "listener.{}_{}.worker_{worker}.downstream_cx_total",
            listener.ip(),
            listener.port()
        )
    };
    let mut clients = Vec::new();
    for _ in 0..64 {
        let mut client = world.http_client();
        // The connection is counted when it has been accepted, which an answer proves.
        status(&mut client, "/");
        clients.push(client);
        let counts = [0, 1].map(|worker| envoy.admin().stat(&name(worker)).unwrap().unwrap_or(0));
        if counts.iter().all(|&count| count >= 2) {
            return clients;
        }
    }
    panic!("64 connections, and none on one of the two workers");
}

#[test]
fn a_push_reaches_both_workers() {
    let Some((world, envoy)) = start_plugin(Configuration::allow_all) else {
        return;
    };
    let mut clients = clients_of_both_workers(&world, &envoy);
    for (stage, expected) in [("/a", [200, 403]), ("/b", [403, 200]), ("/a", [200, 403])] {
        push(&envoy, &only(&world, stage));
        for client in &mut clients {
            assert_eq!([status(client, "/a"), status(client, "/b")], expected, "{stage}");
        }
    }
}

#[test]
fn a_request_that_all_policies_allow_passes_while_they_change() {
    let Some((world, envoy)) = start_plugin(|world| only(world, "/a")) else {
        return;
    };
    let mut kept = world.http_client();
    let mut sent = 0;
    thread::scope(|scope| {
        let pushes = scope.spawn(|| {
            for _ in 0..5 {
                push(&envoy, &Configuration::allow_all(&world));
                for (broken, why) in broken() {
                    assert!(!envoy.push(broken.as_bytes()).unwrap().accepted(), "{why}");
                }
                push(&envoy, &only(&world, "/a"));
            }
        });
        while !pushes.is_finished() {
            assert_eq!(status(&mut kept, "/a"), 200, "on a kept connection, after {sent}");
            assert_eq!(
                status(&mut world.http_client(), "/a"),
                200,
                "on a new one, after {sent}"
            );
            sent += 1;
        }
    });
    assert!(sent > 10, "only {sent} requests were sent meanwhile");
}

//! Publishing to a running Envoy: what is accepted takes effect everywhere, what is not changes nothing.

mod common;

use common::module::Module;
use common::{TIMEOUT, World, envoy};
use envoy_e2e::config::Node;
use envoy_e2e::ecds::{self, Encoding, Layer};
use envoy_e2e::run::{Answer, EnvoyProcess, Pushed};
use envoy_e2e::world::client::{HttpClient, Request};

fn both(answer: Answer) -> Pushed {
    Pushed {
        network: answer,
        http: Some(answer),
    }
}

/// What `GET /` on the application gives.
fn status(world: &World) -> u16 {
    world.get("app", "app", "/").map_or(0, |response| response.status)
}

/// An Envoy whose plugin obeys its configuration: `-` closes, anything longer than one byte opens.
fn start(world: &World) -> Option<EnvoyProcess> {
    Some(world.start(&envoy()?, "-"))
}

/// The world of a plugin that obeys its configuration, see [`Module::Obey`].
fn obeying_world() -> (tempfile::TempDir, World) {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(&Module::Obey.write(dir.path()));
    (dir, world)
}

#[test]
fn an_accepted_configuration_is_in_force_when_push_returns() {
    let (_dir, world) = obeying_world();
    let Some(envoy) = start(&world) else { return };
    assert_eq!(status(&world), 403);
    // Many times, on many connections: every worker must have it, not only the first.
    for _ in 0..10 {
        for (configuration, expected) in [(&b"open"[..], 200), (b"-", 403)] {
            assert_eq!(envoy.push(configuration).unwrap(), both(Answer::Accepted));
            assert_eq!([0; 4].map(|_| status(&world)), [expected; 4]);
        }
    }
}

#[test]
fn an_open_connection_obeys_the_new_configuration() {
    let (_dir, world) = obeying_world();
    let Some(envoy) = start(&world) else { return };
    let mut client = HttpClient::connect(world.client(), world.listener("app"), TIMEOUT).unwrap();
    let mut get = || client.send(&Request::new("GET", "/", "app")).unwrap().status;
    assert_eq!(get(), 403);
    envoy.push(b"open").unwrap();
    assert_eq!(get(), 200, "the same connection, the next request");
    envoy.push(b"-").unwrap();
    assert_eq!(get(), 403);
}

#[test]
fn what_is_not_accepted_changes_nothing() {
    let (_dir, world) = obeying_world();
    let Some(envoy) = start(&world) else { return };
    assert!(envoy.push(b"open").unwrap().accepted());
    let good = Layer::ALL.map(|layer| ecds::document(&world.node, layer, b"open", "7").unwrap());
    let rows: [(&str, [&[u8]; 2], Pushed); 5] = [
        ("no JSON at all", [b"{", b"{"], both(Answer::Unreadable)),
        ("empty files", [b"", b""], both(Answer::Unreadable)),
        ("no resource in it", [br#"{"resources":[]}"#; 2], both(Answer::Rejected)),
        (
            "each layer got the other's document",
            [&good[1], &good[0]],
            both(Answer::Rejected),
        ),
        (
            "only one of them is broken",
            [&good[0], b"{"],
            Pushed {
                network: Answer::Accepted,
                http: Some(Answer::Unreadable),
            },
        ),
    ];
    for (why, [network, http], expected) in rows {
        let pushed = envoy.push_raw(network, http).unwrap();
        assert_eq!(pushed, expected, "{why}");
        assert!(!pushed.accepted(), "{why}");
        assert_eq!(status(&world), 200, "{why}: what was in force still is");
    }
    // What the plugin itself refuses: the empty configuration.
    assert_eq!(envoy.push(b"").unwrap(), both(Answer::Rejected));
    assert_eq!(status(&world), 200);
    // And neither is the way back to a good one blocked.
    assert!(envoy.push(b"-").unwrap().accepted());
    assert_eq!(status(&world), 403);
}

#[test]
fn the_same_configuration_twice_is_accepted_twice() {
    let (_dir, world) = obeying_world();
    let Some(envoy) = start(&world) else { return };
    for _ in 0..3 {
        assert_eq!(envoy.push(b"open").unwrap(), both(Answer::Accepted));
    }
    assert_eq!(status(&world), 200);
}

#[test]
fn both_encodings_give_the_plugin_the_same_bytes() {
    let Some(envoy) = envoy() else { return };
    for encoding in [Encoding::String, Encoding::Bytes] {
        let (_dir, mut world) = obeying_world();
        world.node.encoding = encoding;
        let running = world.start(&envoy, "open");
        assert_eq!(status(&world), 200, "{encoding:?}");
        drop(running);
    }
}

#[test]
fn a_configuration_that_is_no_text_needs_the_bytes_encoding() {
    let (_dir, world) = obeying_world();
    let node = |encoding| Node {
        encoding,
        ..world.node.clone()
    };
    assert!(ecds::write(&node(Encoding::String), b"\xff\xfe").is_err());
    assert!(!world.node.state_dir.exists(), "nothing is published by halves");
    assert_eq!(ecds::write(&node(Encoding::Bytes), b"\xff\xfe").unwrap(), "1");
    assert_eq!(ecds::write(&node(Encoding::Bytes), b"\xff\xfe").unwrap(), "2");
}

#[test]
fn a_node_without_http_answers_for_the_network_alone() {
    let Some(envoy) = envoy() else { return };
    let (_dir, world) = obeying_world();
    let world = world.only(&["echo"]);
    let running = world.start(&envoy, "-");
    let pushed = running.push(b"open").unwrap();
    assert_eq!(
        pushed,
        Pushed {
            network: Answer::Accepted,
            http: None
        }
    );
    assert!(pushed.accepted());
}

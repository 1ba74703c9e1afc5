//! How the real plugin gets its configuration, and how it learns whose policies decide.

mod common;

use common::policy::{CLIENT, Configuration, SERVICES};
use common::{TIMEOUT, World, envoy, plugin};
use envoy_e2e::config::Direction;
use envoy_e2e::ecds::{self, Encoding, Layer};
use envoy_e2e::run::Answer;
use serde_json::{Value, json};

/// Whether TCP and HTTP pass.
fn passes(world: &World) -> [bool; 2] {
    [world.tcp_passes(), world.http_passes("/")]
}

/// A world whose listeners all have this direction.
fn world(plugin: &std::path::Path, direction: Direction) -> World {
    let mut world = World::new(plugin).only(&["app", "echo"]);
    for listener in &mut world.node.listeners {
        listener.direction = direction;
    }
    world
}

#[test]
fn both_encodings_carry_a_policy() {
    let (Some(envoy), Some(plugin)) = (envoy(), plugin()) else {
        return;
    };
    for encoding in [Encoding::String, Encoding::Bytes] {
        let mut world = World::new(&plugin).only(&["app", "echo"]);
        world.node.encoding = encoding;
        let running = world.start(&envoy, &Configuration::allow_all(&world).text());
        assert_eq!(passes(&world), [true; 2], "{encoding:?}");
        let deny = Configuration::deny_all(&world).text();
        assert!(running.push(deny.as_bytes()).unwrap().accepted(), "{encoding:?}");
        assert_eq!(passes(&world), [false; 2], "{encoding:?}");
    }
}

#[test]
fn a_bundle_that_is_not_packed_is_refused() {
    let (Some(envoy), Some(plugin)) = (envoy(), plugin()) else {
        return;
    };
    let mut world = World::new(&plugin).only(&["app", "echo"]);
    world.node.encoding = Encoding::String;
    let running = world.start(&envoy, &Configuration::deny_all(&world).text());
    let documents = Layer::ALL.map(|layer| {
        let document = ecds::document(&world.node, layer, b"UNPACKED", "1").unwrap();
        let mut document: Value = serde_json::from_slice(&document).unwrap();
        let value = &mut document["resources"][0]["typed_config"]["config"]["configuration"]["value"];
        assert_eq!(*value, "UNPACKED");
        *value = Configuration::allow_all(&world).text().into();
        document.to_string()
    });
    let [network, http] = &documents;
    let pushed = running.push_raw(network.as_bytes(), http.as_bytes()).unwrap();
    assert_eq!(
        (pushed.network, pushed.http),
        (Answer::Rejected, Some(Answer::Rejected))
    );
    running.wait_for_log("`bundle` is not packed", TIMEOUT).unwrap();
    assert_eq!(passes(&world), [false; 2], "what was in force is");
}

/// Each direction with the policy that denies in it, and the one that denies in the other.
fn isolating(world: &World, direction: Direction) -> [Configuration; 2] {
    let nobody = json!([{ "peers": "none" }]);
    let ingress = Configuration::ingress(world, SERVICES, nobody.clone());
    let egress = Configuration::egress(world, CLIENT, nobody);
    match direction {
        Direction::Ingress => [ingress, egress],
        Direction::Egress => [egress, ingress],
        Direction::Both => panic!("nothing is the other direction"),
    }
}

#[test]
fn the_direction_of_the_listener_is_enough() {
    without("direction: ingress", "direction: egress");
}

#[test]
fn the_metadata_of_the_listener_says_the_same() {
    without("traffic_direction: INBOUND", "traffic_direction: OUTBOUND");
}

/// A listener that lacks this line still asks the policy of its direction, and no other.
fn without(ingress: &str, egress: &str) {
    let (Some(envoy), Some(plugin)) = (envoy(), plugin()) else {
        return;
    };
    for (direction, line) in [(Direction::Ingress, ingress), (Direction::Egress, egress)] {
        let world = world(&plugin, direction);
        let [denies, allows] = isolating(&world, direction);
        let running = world.start_without(line, &envoy, &denies.text());
        assert_eq!(passes(&world), [false; 2], "{direction:?}: its own policy");
        assert!(running.push(allows.text().as_bytes()).unwrap().accepted());
        assert_eq!(
            passes(&world),
            [true; 2],
            "{direction:?}: the policy of the other direction"
        );
    }
}

#[test]
fn both_directions_ask_both_policies() {
    let (Some(envoy), Some(plugin)) = (envoy(), plugin()) else {
        return;
    };
    let world = world(&plugin, Direction::Both);
    let running = world.start(&envoy, &Configuration::allow_all(&world).text());
    for configuration in isolating(&world, Direction::Ingress) {
        assert!(running.push(configuration.text().as_bytes()).unwrap().accepted());
        assert_eq!(passes(&world), [false; 2], "{configuration:?}");
    }
}

#[test]
fn without_any_direction_everything_is_denied() {
    let (Some(envoy), Some(plugin)) = (envoy(), plugin()) else {
        return;
    };
    let world = world(&plugin, Direction::Both);
    let allow = Configuration::allow_all(&world);
    let running = world.start_without("direction: both", &envoy, &allow.text());
    assert_eq!(passes(&world), [false; 2]);
    assert_eq!((world.echo.accepted(), world.app.connections()), (0, 0));
    for listener in ["app", "echo"] {
        let line = running
            .wait_for_access(|line| line["listener"] == listener, TIMEOUT)
            .unwrap();
        assert_eq!(line["reason"], "unknown-direction", "{listener}");
    }
    let unknown = "wasmcustom.portcullis_requests_total.dir.unknown.layer.l4.verdict.deny.policy.unknown-direction";
    assert_eq!(running.admin().stat(unknown).unwrap(), Some(2));
}

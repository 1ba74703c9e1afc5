//! An earlier policy returns while connections of its time, and of the time between, live.

mod common;

use common::kept::{is_answered, status, tcp_connection};
use common::policy::{Configuration, SERVICES, from_client};
use common::{World, start_plugin};
use envoy_e2e::ecds::{self, Layer};
use envoy_e2e::run::{EnvoyProcess, Pushed};
use serde_json::json;

/// How a policy is published.
#[derive(Clone, Copy, Debug)]
enum Publisher {
    /// As `ecds` does: every publication is new to Envoy.
    Ours,
    /// Without a revision: Envoy uses the root context of an earlier publication again, and does not configure it, if
    /// connections of its time live. See `README.md`.
    Another,
}

impl Publisher {
    fn publish(self, world: &World, envoy: &EnvoyProcess, configuration: &Configuration) {
        let text = configuration.text();
        let pushed = match self {
            Self::Ours => envoy.push(text.as_bytes()),
            Self::Another => {
                let document = |layer| ecds::document(&world.node, layer, text.as_bytes(), "1").unwrap();
                envoy.push_raw(&document(Layer::Network), &document(Layer::Http))
            }
        };
        assert!(pushed.as_ref().is_ok_and(Pushed::accepted), "{self:?}: {pushed:?}");
    }
}

/// The first policy, the second, the first again, and so on; `allows` is what they say to requests for `/a` and to TCP.
fn assert_rolls_back(publisher: Publisher, policies: [fn(&World) -> Configuration; 2], allows: [bool; 2]) {
    let Some((world, envoy)) = start_plugin(Configuration::allow_all) else {
        return;
    };
    let [first, second] = policies.map(|policy| policy(&world));
    publisher.publish(&world, &envoy, &first);
    // Both policies accept connections to the application.
    let mut kept: Vec<_> = (0..8).map(|_| world.http_client()).collect();
    let mut look = |allows: bool, when: &str| {
        let expected = if allows { 200 } else { 403 };
        for client in &mut kept {
            assert_eq!(
                status(client, "/a"),
                expected,
                "{publisher:?}, {when}: a kept connection"
            );
        }
        for _ in 0..8 {
            let passes = (world.http_passes("/a"), world.tcp_passes());
            assert_eq!(passes, (allows, allows), "{publisher:?}, {when}: new connections");
        }
    };
    look(allows[0], "the first policy");
    for _ in 0..2 {
        publisher.publish(&world, &envoy, &second);
        look(allows[1], "the second policy");
        publisher.publish(&world, &envoy, &first);
        look(allows[0], "the first policy again");
    }
}

/// Requests for `/a` and TCP; and requests for `/b`, so that connections to the application are not refused.
fn both_layers(world: &World) -> Configuration {
    let get = |path: &str| json!({ "method": "GET", "path": path });
    Configuration::requests(world, json!([get("/a"), get("/b")]))
}

/// Requests for `/b` only.
fn only_b(world: &World) -> Configuration {
    let elements = json!([from_client(80, Some(json!([{ "method": "GET", "path": "/b" }])))]);
    Configuration::ingress(world, SERVICES, elements)
}

#[test]
fn an_allowing_policy_returns_while_connections_of_its_time_live() {
    for publisher in [Publisher::Ours, Publisher::Another] {
        assert_rolls_back(publisher, [both_layers, only_b], [true, false]);
    }
}

#[test]
fn a_denying_policy_returns_while_connections_of_its_time_live() {
    for publisher in [Publisher::Ours, Publisher::Another] {
        assert_rolls_back(publisher, [only_b, both_layers], [false, true]);
    }
}

#[test]
fn a_tcp_connection_of_the_policy_between_ends_when_the_earlier_one_returns() {
    // Its worker keeps the earlier root, for the connections to the application, and must hear of its return.
    let Some((world, envoy)) = start_plugin(only_b) else {
        return;
    };
    let mut kept: Vec<_> = (0..8).map(|_| world.http_client()).collect();
    for client in &mut kept {
        assert_eq!(status(client, "/b"), 200);
    }
    Publisher::Ours.publish(&world, &envoy, &both_layers(&world));
    let mut connection = tcp_connection(&world);
    assert!(is_answered(&mut connection));
    Publisher::Ours.publish(&world, &envoy, &only_b(&world));
    assert!(!is_answered(&mut connection));
}

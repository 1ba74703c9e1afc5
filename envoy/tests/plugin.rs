//! The real plugin in the real Envoy: that they fit together. What policies mean is tested elsewhere.

mod common;

use std::fs;
use std::net::IpAddr;

use common::{GREETING, TIMEOUT, World, envoy, plugin};
use envoy_e2e::config::CAPABILITIES;
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{HttpClient, Request, RequestError};
use envoy_e2e::world::tcp::Probe;
use serde_json::json;
use wasmparser::{Parser, Payload};

/// The imports that the SDK's traits bring along. Nobody calls them, and Envoy would not let them.
const LINKED_BY_THE_SDK: &[&str] = &[
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_dequeue_shared_queue",
    "proxy_done",
    "proxy_enqueue_shared_queue",
    "proxy_get_shared_data",
    "proxy_get_status",
    "proxy_grpc_call",
    "proxy_grpc_cancel",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_http_call",
    "proxy_register_shared_queue",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_resolve_shared_queue",
    "proxy_set_header_map_pairs",
    "proxy_set_shared_data",
];

/// What becomes of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    /// No policy is looked at.
    AllowAll,
    /// Every endpoint is isolated, and nothing allows.
    DenyAll,
}

impl Policy {
    /// The plugin configuration that does it for the hosts of this world.
    fn configuration(self, world: &World) -> Vec<u8> {
        let enforcement = match self {
            Self::AllowAll => "never",
            Self::DenyAll => "always",
        };
        let endpoint = |name: &str, address: IpAddr| json!({ "name": name, "identity": 0, "addresses": [address] });
        let bundle = json!({
            "version": 1,
            "options": { "enforcement": enforcement },
            "identities": [{ "labels": ["k8s:app=test"] }],
            "endpoints": [
                endpoint("test/app", world.network.host(2)),
                endpoint("test/echo", world.network.host(3)),
                endpoint("test/client", world.client()),
            ],
        });
        json!({ "version": 1, "bundle": bundle }).to_string().into_bytes()
    }
}

fn start(policy: Policy) -> Option<(World, EnvoyProcess)> {
    let (envoy, plugin) = (envoy()?, plugin()?);
    let world = World::new(&plugin);
    let configuration = String::from_utf8(policy.configuration(&world)).unwrap();
    let running = world.start(&envoy, &configuration);
    Some((world, running))
}

/// Publishes `policy`, and looks whether TCP and HTTP are treated accordingly.
fn push_and_look(world: &World, envoy: &EnvoyProcess, policy: Policy) {
    assert!(
        envoy.push(&policy.configuration(world)).unwrap().accepted(),
        "{policy:?}"
    );
    look(world, policy);
}

fn look(world: &World, policy: Policy) {
    let passes = policy == Policy::AllowAll;
    assert_eq!((tcp_passes(world), http_passes(world)), (passes, passes), "{policy:?}");
}

/// Whether a new connection gets through to the TCP service.
fn tcp_passes(world: &World) -> bool {
    match world.probe("echo", b"") {
        Probe::Data(data) => data == GREETING,
        Probe::Closed => false,
        other => panic!("{other:?}"),
    }
}

/// Whether a new connection with a request gets through to the application.
fn http_passes(world: &World) -> bool {
    match world.get("app", "app", "/") {
        Ok(response) if response.status == 200 => true,
        Ok(response) if response.status == 403 => false,
        Err(RequestError::Closed) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_plugin_imports_nothing_that_it_may_not_use() {
    // Envoy answers a call that is not allowed with an error that the plugin does not expect.
    let Some(plugin) = plugin() else { return };
    let module = fs::read(plugin).unwrap();
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(&module) {
        let Payload::ImportSection(section) = payload.unwrap() else {
            continue;
        };
        imports.extend(section.into_imports().map(|import| import.unwrap().name));
    }
    assert!(!imports.is_empty(), "no import section was found");
    imports.retain(|name| !CAPABILITIES.iter().any(|capability| capability.function == *name));
    imports.retain(|name| !LINKED_BY_THE_SDK.contains(name));
    assert_eq!(imports, [""; 0], "not among the capabilities");
}

#[test]
fn what_is_allowed_passes() {
    let Some((world, _envoy)) = start(Policy::AllowAll) else {
        return;
    };
    look(&world, Policy::AllowAll);
}

#[test]
fn what_is_denied_is_closed_before_an_upstream_hears_of_it() {
    let Some((world, _envoy)) = start(Policy::DenyAll) else {
        return;
    };
    look(&world, Policy::DenyAll);
    assert_eq!((world.echo.accepted(), world.app.connections()), (0, 0));
}

#[test]
fn a_push_takes_effect_at_once_and_can_be_taken_back() {
    let Some((world, envoy)) = start(Policy::DenyAll) else {
        return;
    };
    for policy in [Policy::AllowAll, Policy::DenyAll, Policy::AllowAll] {
        push_and_look(&world, &envoy, policy);
    }
}

#[test]
fn an_earlier_policy_returns_while_a_connection_of_its_time_lives() {
    // Envoy then uses the earlier root context again, and does not configure it. See `README.md`.
    let Some((world, envoy)) = start(Policy::AllowAll) else {
        return;
    };
    let mut client = HttpClient::connect(world.client(), world.listener("app"), TIMEOUT).unwrap();
    assert_eq!(client.send(&Request::new("GET", "/", "app")).unwrap().status, 200);
    for policy in [Policy::DenyAll, Policy::AllowAll, Policy::DenyAll] {
        push_and_look(&world, &envoy, policy);
    }
    drop(client);
}

#[test]
fn a_refused_policy_leaves_the_last_good_one_in_force() {
    let Some((world, envoy)) = start(Policy::AllowAll) else {
        return;
    };
    for broken in [
        "",
        "{}",
        r#"{"version":2,"bundle":{"version":1}}"#,
        r#"{"version":1,"bundle":{"versio"#,
    ] {
        assert!(!envoy.push(broken.as_bytes()).unwrap().accepted(), "{broken}");
        look(&world, Policy::AllowAll);
    }
    push_and_look(&world, &envoy, Policy::DenyAll);
}

#[test]
fn header_bytes_that_are_no_text_do_not_end_the_plugin() {
    let Some((world, envoy)) = start(Policy::AllowAll) else {
        return;
    };
    let request = Request::new("GET", "/", "app").header("x-raw", b"\xff\xfe");
    let mut client = HttpClient::connect(world.client(), world.listener("app"), TIMEOUT).unwrap();
    assert_eq!(client.send(&request).unwrap().status, 200);
    look(&world, Policy::AllowAll);
    let panics = envoy.admin().stat("wasmcustom.portcullis_panics_total").unwrap();
    assert_eq!(panics.unwrap_or(0), 0);
}

//! The real plugin in the real Envoy: that they fit together. What policies mean is tested elsewhere.

mod common;

use std::fs;

use common::policy::Configuration;
use common::{plugin, start_plugin};
use envoy_e2e::config::CAPABILITIES;
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
    let Some((world, _envoy)) = start_plugin(Configuration::allow_all) else {
        return;
    };
    assert_eq!((world.tcp_passes(), world.http_passes("/")), (true, true));
}

#[test]
fn what_is_denied_is_closed_before_an_upstream_hears_of_it() {
    let Some((world, _envoy)) = start_plugin(Configuration::deny_all) else {
        return;
    };
    assert_eq!((world.tcp_passes(), world.http_passes("/")), (false, false));
    assert_eq!((world.echo.accepted(), world.app.connections()), (0, 0));
}

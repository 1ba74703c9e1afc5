//! The real plugin in the real Envoy: that they fit together. What policies mean is tested elsewhere.

mod common;

use std::fs;

use common::policy::Configuration;
use common::{plugin, start_plugin};
use envoy_e2e::config::CAPABILITIES;
use wasmparser::{Parser, Payload};

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

//! The guards: whatever becomes of the plugin, nothing passes without its word.

mod common;

use common::module::Module;
use common::policy::Configuration;
use common::{GREETING, NAME, TIMEOUT, World, envoy, plugin};
use envoy_e2e::ecds::{self, Layer};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{HttpClient, Request};
use envoy_e2e::world::tcp::Probe;
use serde_json::{Map, Value, json};

/// A world on which `module` is the plugin, and its Envoy; nothing if there is no Envoy.
fn start(module: Module) -> Option<(World, EnvoyProcess)> {
    let envoy = envoy()?;
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(&module.write(dir.path()));
    let running = world.start(&envoy, "{}");
    Some((world, running))
}

/// The HTTP listeners that there are, each with an authority that has a route there.
fn hosts(world: &World) -> Vec<(&'static str, String)> {
    let port = world.app.address().port();
    let all = [
        ("app", "app".into()),
        ("names", NAME.into()),
        ("any-name", format!("{NAME}:{port}")),
    ];
    let is_there = |name: &str| world.node.listeners.iter().any(|listener| listener.name == name);
    all.into_iter().filter(|(name, _)| is_there(name)).collect()
}

/// Nobody gets through, on any listener, and no upstream hears of the attempt.
fn assert_nothing_passes(world: &World) {
    for (listener, host) in hosts(world) {
        if let Ok(response) = world.get(listener, &host, "/") {
            assert_ne!(response.status, 200, "{listener}: {}", response.text());
        }
    }
    for bytes in [&b""[..], b"hello\n"] {
        assert_eq!(world.probe("echo", bytes), Probe::Closed, "{bytes:?}");
    }
    assert_eq!(world.app.connections(), 0, "the application was contacted");
    assert_eq!(world.echo.accepted(), 0, "the TCP service was contacted");
}

#[test]
fn a_plugin_that_says_allow_opens_everything() {
    // The other tests mean something only because this one gets through.
    let Some((world, _envoy)) = start(Module::AllowAll) else {
        return;
    };
    for (listener, host) in hosts(&world) {
        let response = world.get(listener, &host, "/x").unwrap();
        assert_eq!(response.status, 200, "{listener}: {}", response.text());
    }
    assert_eq!(world.probe("echo", b""), Probe::Data(GREETING.to_vec()));
    assert_eq!(world.echo.accepted(), 1);
}

#[test]
fn a_plugin_that_never_decides_opens_nothing() {
    let Some((world, _envoy)) = start(Module::Silent) else {
        return;
    };
    assert_nothing_passes(&world);
}

#[test]
fn a_plugin_that_says_deny_opens_nothing() {
    let Some((world, _envoy)) = start(Module::Deny) else {
        return;
    };
    assert_nothing_passes(&world);
}

#[test]
fn only_the_exact_word_opens() {
    let Some((world, _envoy)) = start(Module::AlmostAllow) else {
        return;
    };
    assert_nothing_passes(&world);
}

#[test]
fn a_connection_verdict_is_no_request_verdict() {
    let Some((world, _envoy)) = start(Module::AllowConnections) else {
        return;
    };
    let response = world.get("app", "app", "/").unwrap();
    assert_eq!(response.status, 403);
    assert_eq!(world.app.connections(), 0);
    assert_eq!(
        world.probe("echo", b""),
        Probe::Data(GREETING.to_vec()),
        "no HTTP layer there"
    );
}

#[test]
fn a_request_verdict_does_not_outlive_its_request() {
    let Some((world, _envoy)) = start(Module::AllowFirstRequest) else {
        return;
    };
    let mut connection = HttpClient::connect(world.client(), world.listener("app"), TIMEOUT).unwrap();
    let statuses = [0; 2].map(|_| connection.send(&Request::new("GET", "/", "app")).unwrap().status);
    assert_eq!(statuses, [200, 403]);
}

#[test]
fn a_request_verdict_is_no_connection_verdict() {
    let Some((world, _envoy)) = start(Module::AllowRequests) else {
        return;
    };
    assert_nothing_passes(&world);
}

/// After a plugin was accepted, it may still fail in the VMs that serve. Envoy then goes on without it, in spite of
/// any failure policy: this is what the guards are for. `configurations` are those of the network and of the HTTP
/// filters; the module fails with the longer ones.
fn start_failing(listener: &str, configurations: [&[u8]; 2]) -> Option<(World, EnvoyProcess)> {
    let envoy = envoy()?;
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(&Module::RefuseAfterCanary.write(dir.path())).only(&[listener]);
    let [network, http] =
        [(Layer::Network, 0), (Layer::Http, 1)].map(|(layer, i)| own_vm(&world, layer, configurations[i]));
    ecds::write_raw(&world.node.state_dir, &network, &http).unwrap();
    let running = world.start_published(&envoy);
    running
        .wait_for_log("Failed to configure thread-local Wasm plugin", TIMEOUT)
        .unwrap();
    Some((world, running))
}

/// The document of a layer with a VM of its own, which may ask for its metrics: that is how the module finds out
/// which VM it is in. The real plugin may not.
fn own_vm(world: &World, layer: Layer, configuration: &[u8]) -> Vec<u8> {
    let document = ecds::document(&world.node, layer, configuration, "1").unwrap();
    let mut document: Value = serde_json::from_slice(&document).unwrap();
    document["resources"][0]["typed_config"]["config"]["vm_config"]["vm_id"] = layer.resource_name().into();
    capabilities(&mut document).insert("proxy_get_metric".into(), json!({}));
    serde_json::to_vec(&document).unwrap()
}

/// What the plugin in a document may do, wherever the version of Envoy wants to have that.
fn capabilities(document: &mut Value) -> &mut Map<String, Value> {
    let plugin = &mut document["resources"][0]["typed_config"]["config"];
    let of_the_plugin = plugin.get("capability_restriction_config").is_some();
    let place = if of_the_plugin {
        plugin
    } else {
        &mut plugin["vm_config"]
    };
    let allowed = &mut place["capability_restriction_config"]["allowed_capabilities"];
    allowed.as_object_mut().unwrap()
}

#[test]
fn a_network_plugin_that_fails_after_it_was_accepted_opens_nothing() {
    let Some((world, _envoy)) = start_failing("echo", [b"{   }", b"{}"]) else {
        return;
    };
    for bytes in [&b""[..], b"hello\n"] {
        assert_eq!(world.probe("echo", bytes), Probe::Closed, "{bytes:?}");
    }
    assert_eq!(world.echo.accepted(), 0, "the TCP service was contacted");
}

#[test]
fn an_http_plugin_that_fails_after_it_was_accepted_opens_nothing() {
    let Some((world, _envoy)) = start_failing("app", [b"{}", b"{   }"]) else {
        return;
    };
    let response = world.get("app", "app", "/").unwrap();
    assert_eq!(
        (response.status, response.text().as_str()),
        (403, "RBAC: access denied")
    );
    assert_eq!(world.app.connections(), 0, "the application was contacted");
}

#[test]
fn a_document_that_is_broken_at_start_opens_nothing() {
    let Some(envoy) = envoy() else { return };
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(&Module::AllowAll.write(dir.path()));
    ecds::write_raw(&world.node.state_dir, b"{ no JSON", b"").unwrap();
    let running = world.start_published(&envoy);
    assert_nothing_passes(&world);
    // And a good one heals it.
    let pushed = running.push(b"{}").unwrap();
    assert!(pushed.accepted(), "{pushed:?}");
    assert_eq!(world.get("app", "app", "/").unwrap().status, 200);
}

/// A world with the real plugin, whose Envoy never calls some of its callbacks; it would allow everything.
fn start_without_callbacks(callbacks: &[&str]) -> Option<(World, EnvoyProcess)> {
    let (envoy, plugin) = (envoy()?, plugin()?);
    let world = World::new(&plugin);
    let configuration = Configuration::allow_all(&world).text();
    let [network, http] = Layer::ALL.map(|layer| {
        let document = ecds::document(&world.node, layer, configuration.as_bytes(), "1").unwrap();
        let mut document: Value = serde_json::from_slice(&document).unwrap();
        let allowed = capabilities(&mut document);
        for callback in callbacks {
            assert!(allowed.remove(*callback).is_some(), "{callback}");
        }
        serde_json::to_vec(&document).unwrap()
    });
    ecds::write_raw(&world.node.state_dir, &network, &http).unwrap();
    let running = world.start_published(&envoy);
    Some((world, running))
}

#[test]
fn the_plugin_that_is_never_asked_about_anything_opens_nothing() {
    let callbacks = [
        "proxy_on_new_connection",
        "proxy_on_downstream_data",
        "proxy_on_request_headers",
    ];
    let Some((world, _envoy)) = start_without_callbacks(&callbacks) else {
        return;
    };
    assert_nothing_passes(&world);
}

#[test]
fn the_plugin_that_is_never_asked_about_requests_allows_none() {
    let Some((world, envoy)) = start_without_callbacks(&["proxy_on_request_headers"]) else {
        return;
    };
    assert!(world.tcp_passes(), "connections were judged");
    let response = world.get("app", "app", "/").unwrap();
    assert_eq!(
        (response.status, response.text().as_str()),
        (403, "RBAC: access denied")
    );
    assert_eq!(world.app.connections(), 0);
    let line = envoy.wait_for_access(|line| line["log"] == "request", TIMEOUT).unwrap();
    assert_eq!(
        (&line["http"], &line["verdict"]),
        (&Value::Null, &Value::Null),
        "the plugin said nothing"
    );
}

#[test]
fn the_plugin_that_is_never_asked_about_connections_allows_none() {
    // It is asked about their data then, but the upstream of a TCP connection is chosen before.
    let Some((world, envoy)) = start_without_callbacks(&["proxy_on_new_connection"]) else {
        return;
    };
    for bytes in [&b""[..], b"hello\n"] {
        assert_eq!(world.probe("echo", bytes), Probe::Closed, "{bytes:?}");
    }
    assert_eq!(world.echo.accepted(), 0);
    let line = envoy
        .wait_for_access(|line| line["listener"] == "echo", TIMEOUT)
        .unwrap();
    assert_eq!(line["l4"], Value::Null, "the plugin said nothing");
    assert!(world.http_passes("/"), "the first bytes of HTTP come in time");
}

//! Server names: what a client asks for in its greeting, where TLS ends at Envoy and where it passes through.

mod common;

use common::trust::{self, Mesh, OTHER_SERVER, Outcome, SERVER};
use common::{GREETING, TIMEOUT, World, envoy, plugin};
use envoy_e2e::config::{Certificate, ClientCertificates};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{HttpClient, Request};
use envoy_e2e::world::tcp::Probe;
use envoy_e2e::world::tls::TlsClient;
use serde_json::json;

/// To the services under one server name, from anybody. TLS ends at the listener `app`, and passes through `echo`.
fn start(terminate: &[&str]) -> Option<(World, EnvoyProcess, Mesh)> {
    let (envoy, plugin) = (envoy()?, plugin()?);
    let mut world = World::new(&plugin).only(&["app", "echo"]);
    let mesh = Mesh::new(&world);
    for listener in &mut world.node.listeners {
        if terminate.contains(&listener.name.as_str()) {
            mesh.terminate(listener, |_| ClientCertificates::NotAsked, Certificate::Ignored);
        } else {
            listener.tls_inspector = true;
        }
    }
    let ports = |port: u16| {
        json!({ "ports": [{ "port": { "protocol": "TCP", "numbers": { "range": [port, port] } } }],
            "serverNames": [SERVER] })
    };
    let element = json!({ "peers": "any", "ports": [ports(80), ports(7)] });
    let rule = json!({ "path": "spec", "subject": 0,
        "defaultDeny": { "ingress": true, "egress": false }, "ingress": [element] });
    let configuration = trust::configuration(&world, &rule);
    let envoy = world.start(&envoy, &configuration.to_string());
    Some((world, envoy, mesh))
}

/// Clients that ask for a name, for another and for none; and what becomes of them.
fn clients(mesh: &Mesh) -> [(TlsClient, &'static str, Outcome); 3] {
    let client = mesh.anonymous();
    let denied = || Outcome::denied("server-name-not-allowed");
    [
        (client.clone(), SERVER, Outcome::passed()),
        (client.clone(), OTHER_SERVER, denied()),
        (client.without_server_name(), SERVER, denied()),
    ]
}

#[test]
fn a_server_name_is_known_where_tls_ends() {
    let Some((world, envoy, mesh)) = start(&["app", "echo"]) else {
        return;
    };
    for (client, name, expected) in clients(&mesh) {
        let https = trust::observe(&envoy, "app", || {
            let Ok(stream) = client.connect(world.client(), world.listener("app"), name, TIMEOUT) else {
                return false;
            };
            let request = Request::new("GET", "/", name).header("Connection", "close");
            trust::got_through(HttpClient::over(stream).send(&request))
        });
        assert_eq!(https, expected, "HTTP: {name}");
        let tcp = trust::observe(&envoy, "echo", || {
            let to = world.listener("echo");
            match client.probe(world.client(), to, name, b"", TIMEOUT).unwrap() {
                Probe::Data(data) => data.starts_with(GREETING),
                Probe::Closed => false,
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(tcp, expected, "TCP: {name}");
    }
    assert_eq!(
        world.echo.accepted(),
        1,
        "addresses and names decide before the upstream is contacted"
    );
}

#[test]
fn a_server_name_is_known_where_tls_passes_through() {
    let Some((world, envoy, mesh)) = start(&[]) else { return };
    for (client, name, expected) in clients(&mesh) {
        let outcome = trust::observe(&envoy, "echo", || {
            let before = world.echo.accepted();
            // The service behind speaks no TLS, so there is no handshake; that it was contacted is what counts.
            drop(client.connect(world.client(), world.listener("echo"), name, TIMEOUT));
            world.echo.accepted() > before
        });
        assert_eq!(outcome, expected, "{name}");
    }
    // Long enough to be seen not to be the beginning of a handshake.
    let plain = trust::observe(&envoy, "echo", || {
        world.probe("echo", b"hello, world\n") != Probe::Closed
    });
    assert_eq!(plain, Outcome::denied("server-name-not-allowed"), "no TLS at all");
}

//! The guards where the plugin decides late: by the certificate, or by the endpoint that was chosen.

mod common;

use common::module::Module;
use common::trust::{self, Mesh, SERVER, TIE};
use common::{GREETING, TIMEOUT, World, envoy, envoy_from};
use envoy_e2e::config::{Certificate, ClientCertificates, EnvoyVersion, ListenerKind, Route};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{HttpClient, Request, RequestError};
use envoy_e2e::world::tcp::Probe;

/// Makes a listener of the world one where the plugin decides late.
type Late = fn(&mut World, &Mesh);

const BY_WITNESS: Late = |world, mesh| {
    let listener = trust::listener(world, "echo");
    mesh.terminate(listener, ClientCertificates::Unverified, Certificate::Witnessed);
};
const AFTER_HANDSHAKE: Late = |world, mesh| {
    let listener = trust::listener(world, "echo");
    mesh.terminate(listener, ClientCertificates::Required, Certificate::Verified);
};
const BY_ENDPOINT: Late = |world, _| {
    let cluster = "echo".into();
    trust::listener(world, "echo").kind = ListenerKind::TcpUpstream { cluster };
};
const REQUESTS_BY_ENDPOINT: Late = |world, _| {
    let route = Route::Upstream("app".into());
    trust::listener(world, "app").kind = ListenerKind::Http { route };
};

fn start(late: Late, module: Module) -> Option<(World, EnvoyProcess, Mesh)> {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(&module.write(dir.path())).only(&["app", "echo"]);
    let mesh = Mesh::new(&world);
    late(&mut world, &mesh);
    let certificates = world.node.listeners.iter().any(|listener| listener.tls.is_some());
    let envoy = if certificates {
        envoy_from(EnvoyVersion::V1_38, "shows no whole certificates")?
    } else {
        envoy()?
    };
    let running = world.start(&envoy, "{}");
    Some((world, running, mesh))
}

/// Whether the TCP service is heard by a client that sends these bytes.
fn heard(world: &World, mesh: &Mesh, tls: bool, bytes: &[u8]) -> bool {
    let probe = if tls {
        let client = mesh.client(&[TIE]);
        let to = world.listener("echo");
        client.probe(world.client(), to, SERVER, bytes, TIMEOUT).unwrap()
    } else {
        world.probe("echo", bytes)
    };
    match probe {
        Probe::Data(data) => data.starts_with(GREETING),
        Probe::Closed => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plugin_that_decides_later_is_waited_for() {
    // The other tests mean something only because this one gets through.
    for (late, tls) in [(BY_WITNESS, true), (AFTER_HANDSHAKE, true), (BY_ENDPOINT, false)] {
        let Some((world, _envoy, mesh)) = start(late, Module::AllowLater) else {
            continue;
        };
        assert!(heard(&world, &mesh, tls, b"ping"));
    }
}

#[test]
fn a_plugin_that_never_decides_opens_nothing() {
    for (late, tls) in [(BY_WITNESS, true), (AFTER_HANDSHAKE, true), (BY_ENDPOINT, false)] {
        let Some((world, _envoy, mesh)) = start(late, Module::Silent) else {
            continue;
        };
        assert!(!heard(&world, &mesh, tls, b"ping"));
        if world.node.listeners[1].identity.certificate != Certificate::Witnessed {
            assert!(!heard(&world, &mesh, tls, b""), "the server speaks first");
        }
        assert_eq!(world.echo.accepted(), 0, "the TCP service was contacted");
    }
}

#[test]
fn a_plugin_that_forgets_to_decide_lets_no_byte_of_the_client_through() {
    for (late, tls) in [(BY_WITNESS, true), (AFTER_HANDSHAKE, true), (BY_ENDPOINT, false)] {
        let Some((world, envoy, mesh)) = start(late, Module::Pending) else {
            continue;
        };
        let closed = trust::observe(&envoy, "echo", || {
            heard(&world, &mesh, tls, b"ping");
            false
        });
        assert!(!closed.passed);
        let denied = envoy.admin().stat("portcullis_guard.rbac.denied").unwrap();
        let sent: u64 = envoy
            .admin()
            .stat("cluster.pending_echo.upstream_cx_tx_bytes_total")
            .unwrap()
            .unwrap_or(0);
        assert_eq!((denied, sent), (Some(1), 0));
    }
}

#[test]
fn a_request_goes_to_no_endpoint_without_the_word_for_it() {
    for (module, expected) in [(Module::AllowLater, 200), (Module::Pending, 0), (Module::AllowAll, 403)] {
        let Some((world, _envoy, _)) = start(REQUESTS_BY_ENDPOINT, module) else {
            return;
        };
        let mut client = HttpClient::connect(world.client(), world.listener("app"), TIMEOUT).unwrap();
        let status = match client.send(&Request::new("GET", "/", "app")) {
            Ok(response) => response.status,
            Err(RequestError::Closed) => 0,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(status, expected);
        assert_eq!(world.app.requests().len(), usize::from(expected == 200));
    }
}

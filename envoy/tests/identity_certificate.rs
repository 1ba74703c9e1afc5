//! Client certificates: which of them say who the peer is, on the real Envoy with mutual TLS.

mod common;

use std::net::IpAddr;

use common::trust::{self, Mesh, Outcome, TIE, XWING, https, only_tie};
use common::{GREETING, TIMEOUT, World, envoy_from, plugin};
use envoy_e2e::config::{Certificate, ClientCertificates, EnvoyVersion};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::tcp::Probe;
use envoy_e2e::world::tls::TlsClient;
use serde_json::{Value, json};

struct Setup {
    world: World,
    envoy: EnvoyProcess,
    mesh: Mesh,
}

/// Mutual TLS on every listener, and a policy that lets in the service account `tie` only.
fn start(clients: fn(std::path::PathBuf) -> ClientCertificates, counts: Certificate, fields: &Value) -> Option<Setup> {
    let (envoy, plugin) = (
        envoy_from(EnvoyVersion::V1_38, "shows no whole certificates")?,
        plugin()?,
    );
    let mut world = World::new(&plugin).only(&["app", "echo"]);
    let mesh = Mesh::new(&world);
    for listener in &mut world.node.listeners {
        mesh.terminate(listener, clients, counts);
    }
    let configuration = only_tie(&world, fields);
    let envoy = world.start(&envoy, &configuration.to_string());
    Some(Setup { world, envoy, mesh })
}

impl Setup {
    fn https(&self, client: &TlsClient, source: IpAddr) -> Outcome {
        https(&self.world, &self.envoy, client, source)
    }

    /// The same for the TCP service: a greeting is what comes through.
    fn tcp(&self, client: &TlsClient, source: IpAddr, bytes: &[u8]) -> Outcome {
        trust::observe(&self.envoy, "echo", || {
            let to = self.world.listener("echo");
            match client.probe(source, to, trust::SERVER, bytes, TIMEOUT).unwrap() {
                Probe::Data(data) => data.starts_with(GREETING),
                Probe::Closed => false,
                other => panic!("{other:?}"),
            }
        })
    }
}

const FOREIGN: &str = "spiffe://other.example/ns/empire/sa/tie";

#[test]
fn a_validated_certificate_says_who_the_peer_is() {
    let Some(setup) = start(ClientCertificates::Unverified, Certificate::Witnessed, &json!({})) else {
        return;
    };
    let (mesh, world) = (&setup.mesh, &setup.world);
    let (pod, stranger) = (world.client(), world.stranger());
    let rows = [
        (
            "the right service account",
            mesh.client(&[TIE]),
            stranger,
            Outcome::passed(),
        ),
        (
            "the wrong one",
            mesh.client(&[XWING]),
            stranger,
            Outcome::denied("default-deny"),
        ),
        (
            "the right one, not the first URI",
            mesh.client(&["https://empire.example", TIE]),
            stranger,
            Outcome::passed(),
        ),
        (
            "two SPIFFE ids, the right one first",
            mesh.client(&[TIE, XWING]),
            stranger,
            Outcome::denied("ambiguous-certificate"),
        ),
        (
            "and last",
            mesh.client(&[XWING, TIE]),
            stranger,
            Outcome::denied("ambiguous-certificate"),
        ),
        (
            "another trust domain",
            mesh.client(&[FOREIGN]),
            stranger,
            Outcome::denied("default-deny"),
        ),
        (
            "no URI at all",
            mesh.client(&[]),
            stranger,
            Outcome::denied("default-deny"),
        ),
        (
            "the right one, by nobody's authority",
            mesh.forger(&[TIE]),
            stranger,
            Outcome::denied("default-deny"),
        ),
        (
            "by an authority of the same name",
            mesh.impostor(&[TIE]),
            stranger,
            Outcome::denied("default-deny"),
        ),
        (
            "no certificate",
            mesh.anonymous(),
            stranger,
            Outcome::denied("default-deny"),
        ),
        (
            "no certificate, the right address",
            mesh.anonymous(),
            pod,
            Outcome::passed(),
        ),
        ("both agree", mesh.client(&[TIE]), pod, Outcome::passed()),
        (
            "the address of one, the certificate of the other",
            mesh.client(&[XWING]),
            pod,
            Outcome::denied("contradicting-identity"),
        ),
        (
            "and the other way round",
            mesh.client(&[TIE]),
            trust::xwing(world),
            Outcome::denied("contradicting-identity"),
        ),
        (
            "another trust domain says nothing, so the address does",
            mesh.client(&[FOREIGN]),
            pod,
            Outcome::passed(),
        ),
    ];
    for (why, client, source, expected) in rows {
        assert_eq!(setup.https(&client, source), expected, "HTTP: {why}");
        assert_eq!(setup.tcp(&client, source, b"ping"), expected, "TCP: {why}");
    }
}

#[test]
fn nobody_who_is_denied_by_certificate_reaches_the_service() {
    let Some(setup) = start(ClientCertificates::Unverified, Certificate::Witnessed, &json!({})) else {
        return;
    };
    for client in [setup.mesh.forger(&[TIE]), setup.mesh.anonymous()] {
        let outcome = setup.tcp(&client, setup.world.stranger(), b"ping");
        assert_eq!(outcome, Outcome::denied("default-deny"));
    }
    assert_eq!(setup.world.echo.accepted(), 0, "the TCP service was contacted");
    assert_eq!(setup.world.app.connections(), 0, "the application was contacted");
}

#[test]
fn the_access_log_says_who_it_was() {
    let Some(setup) = start(ClientCertificates::Optional, Certificate::Witnessed, &json!({})) else {
        return;
    };
    let client = setup.mesh.client(&[TIE]);
    assert_eq!(setup.https(&client, setup.world.stranger()), Outcome::passed());
    let line = setup
        .envoy
        .wait_for_access(|line| line["log"] == "connection", TIMEOUT)
        .unwrap();
    let peer = line["peer"].as_str().unwrap();
    assert!(peer.contains("empire") && peer.contains("tie"), "{line}");
    assert_eq!(line["certificate"], "allowed", "the witness, {line}");
}

#[test]
fn what_is_ignored_says_nothing() {
    let Some(setup) = start(ClientCertificates::Required, Certificate::Ignored, &json!({})) else {
        return;
    };
    let client = setup.mesh.client(&[TIE]);
    let denied = Outcome::denied("default-deny");
    assert_eq!(setup.https(&client, setup.world.stranger()), denied);
    let xwing = setup.mesh.client(&[XWING]);
    assert_eq!(setup.https(&xwing, setup.world.client()), Outcome::passed());
}

#[test]
fn where_a_certificate_is_required_nobody_comes_without() {
    let Some(setup) = start(ClientCertificates::Required, Certificate::Verified, &json!({})) else {
        return;
    };
    let pod = setup.world.client();
    for (why, client, expected) in [
        ("the right one", setup.mesh.client(&[TIE]), Outcome::passed()),
        ("none", setup.mesh.anonymous(), Outcome::refused()),
        ("a forged one", setup.mesh.forger(&[TIE]), Outcome::refused()),
    ] {
        assert_eq!(setup.https(&client, pod), expected, "HTTP: {why}");
        // The server speaks first, and even its greeting is for the right ones only.
        assert_eq!(setup.tcp(&client, pod, b""), expected, "TCP: {why}");
    }
    let wrong = setup.mesh.client(&[XWING]);
    let denied = Outcome::denied("contradicting-identity");
    assert_eq!(setup.https(&wrong, pod), denied);
    assert_eq!(setup.tcp(&wrong, pod, b""), denied, "no byte of the greeting");
}

#[test]
fn authentication_is_a_certificate_and_not_an_address() {
    let required = json!({ "authentication": "required" });
    let Some(setup) = start(ClientCertificates::Unverified, Certificate::Witnessed, &required) else {
        return;
    };
    let (mesh, pod) = (&setup.mesh, setup.world.client());
    let not_authenticated = || Outcome::denied("not-authenticated");
    for (why, client, expected) in [
        ("the right certificate", mesh.client(&[TIE]), Outcome::passed()),
        (
            "one of another domain proves something, too",
            mesh.client(&[FOREIGN]),
            Outcome::passed(),
        ),
        ("none, from the right address", mesh.anonymous(), not_authenticated()),
        (
            "a forged one, from the right address",
            mesh.forger(&[TIE]),
            not_authenticated(),
        ),
    ] {
        assert_eq!(setup.https(&client, pod), expected, "HTTP: {why}");
        assert_eq!(setup.tcp(&client, pod, b"ping"), expected, "TCP: {why}");
    }
}

#[test]
fn a_client_that_would_resume_its_session_is_known_all_the_same() {
    let Some(setup) = start(ClientCertificates::Optional, Certificate::Witnessed, &json!({})) else {
        return;
    };
    let client = setup.mesh.client(&[TIE]).resuming();
    for attempt in 1..=3 {
        let outcome = setup.https(&client, setup.world.stranger());
        assert_eq!(outcome, Outcome::passed(), "connection {attempt}");
    }
}

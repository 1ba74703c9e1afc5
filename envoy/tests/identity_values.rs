//! What native filters and the mesh say about the peer, in the connection's filter state.

mod common;

use common::trust::{self, Mesh, Outcome, TIE, XWING, http_after, https, only_tie};
use common::{World, envoy, envoy_from, plugin};
use envoy_e2e::config::{Certificate, ClientCertificates, EnvoyVersion, NativeValue};
use envoy_e2e::run::EnvoyProcess;
use serde_json::{Value, json};

fn value(key: &str, text: &str) -> Option<NativeValue> {
    Some(NativeValue {
        key: key.to_owned(),
        format: Some(text.to_owned()),
    })
}

/// A policy that lets in the service account `tie` only, and a native filter that writes `text`.
fn with_filter_state(text: &str) -> Option<(World, EnvoyProcess)> {
    let (envoy, plugin) = (envoy()?, plugin()?);
    let mut world = World::new(&plugin).only(&["app"]);
    trust::listener(&mut world, "app").identity.filter_state = value("test.peer", text);
    let configuration = only_tie(&world, &json!({}));
    let envoy = world.start(&envoy, &configuration.to_string());
    Some((world, envoy))
}

#[test]
fn a_native_filter_vouches_for_the_peer() {
    for (why, text, stranger, pod) in [
        ("a SPIFFE id", TIE, Outcome::passed(), Outcome::passed()),
        (
            "of another",
            XWING,
            Outcome::denied("default-deny"),
            Outcome::denied("contradicting-identity"),
        ),
        (
            "labels",
            "namespace=empire,app=tie",
            Outcome::passed(),
            Outcome::passed(),
        ),
        (
            "what nobody understands",
            "tie",
            Outcome::denied("unreadable-identity"),
            Outcome::denied("unreadable-identity"),
        ),
    ] {
        let Some((world, envoy)) = with_filter_state(text) else {
            return;
        };
        let from = |source| http_after(&world, &envoy, source, b"");
        assert_eq!(from(world.stranger()), stranger, "{why}, a stranger");
        assert_eq!(from(world.client()), pod, "{why}, the pod of that address");
    }
}

#[test]
fn a_header_is_no_filter_state() {
    let Some((world, envoy)) = with_filter_state("") else {
        return;
    };
    let outcome = trust::observe(&envoy, "app", || {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: app\r\ntest.peer: {TIE}\r\nx-forwarded-for: {}\r\n\
             x-forwarded-client-cert: URI={TIE}\r\nx-envoy-peer-metadata: namespace=empire\r\nConnection: close\r\n\r\n",
            world.client()
        );
        let answer = world.raw_from(world.stranger(), "app", request.as_bytes());
        answer.starts_with("HTTP/1.1 200")
    });
    assert!(!outcome.passed, "{outcome:?}");
}

/// Mutual TLS, and what the mesh says about every peer. `trusted` believes it without a certificate.
fn with_peer_metadata(text: &str, trusted: bool) -> Option<(World, EnvoyProcess, Mesh)> {
    let (envoy, plugin) = (
        envoy_from(EnvoyVersion::V1_38, "shows no whole certificates")?,
        plugin()?,
    );
    let mut world = World::new(&plugin).only(&["app"]);
    let mesh = Mesh::new(&world);
    let listener = trust::listener(&mut world, "app");
    mesh.terminate(listener, ClientCertificates::Unverified, Certificate::Witnessed);
    listener.identity.peer_metadata = value("test.metadata", text);
    let rule = json!({ "path": "spec", "subject": 0, "defaultDeny": { "ingress": true, "egress": false },
        "ingress": [{ "peers": { "oneOf": [{ "selector": 2 }] } }] });
    let mut configuration: Value = trust::configuration(&world, &rule);
    configuration["identity"] = json!({ "trustPeerMetadata": trusted });
    let envoy = world.start(&envoy, &configuration.to_string());
    Some((world, envoy, mesh))
}

const OF_TIE: &str = "namespace=empire,name=tie,workload=tie";

#[test]
fn metadata_of_the_mesh_need_a_certificate_that_agrees() {
    let Some((world, envoy, mesh)) = with_peer_metadata(OF_TIE, false) else {
        return;
    };
    let stranger = world.stranger();
    for (why, client, expected) in [
        ("of the same namespace", mesh.client(&[TIE]), Outcome::passed()),
        (
            "of another namespace",
            mesh.client(&[XWING]),
            Outcome::denied("contradicting-identity"),
        ),
        ("none", mesh.anonymous(), Outcome::denied("default-deny")),
        ("forged", mesh.forger(&[TIE]), Outcome::denied("default-deny")),
    ] {
        assert_eq!(https(&world, &envoy, &client, stranger), expected, "{why}");
    }
}

#[test]
fn metadata_of_the_mesh_may_be_trusted_by_themselves() {
    let Some((world, envoy, mesh)) = with_peer_metadata(OF_TIE, true) else {
        return;
    };
    for (why, client, source, expected) in [
        ("no certificate", mesh.anonymous(), world.stranger(), Outcome::passed()),
        (
            "the address of another pod",
            mesh.anonymous(),
            trust::xwing(&world),
            Outcome::denied("contradicting-identity"),
        ),
        (
            "the certificate of another namespace",
            mesh.client(&[XWING]),
            world.stranger(),
            Outcome::denied("contradicting-identity"),
        ),
    ] {
        assert_eq!(https(&world, &envoy, &client, source), expected, "{why}");
    }
}

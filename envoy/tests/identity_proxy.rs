//! The PROXY protocol: whose connections a proxy in front brings, and who else may say so.

mod common;

use std::net::{IpAddr, SocketAddr};

use common::trust::{self, Outcome, TIE, XWING, http_after, only_tie};
use common::{World, envoy, plugin};
use envoy_e2e::config::{Direction, ProxyProtocol};
use envoy_e2e::run::EnvoyProcess;
use serde_json::json;

/// The TLV with the peer's identity; the number is one of those for own use.
const TLV: u8 = 0xe4;

/// A policy that lets in the service account `tie` only; with `expected`, proxies are in front.
fn start(expected: bool) -> Option<(World, EnvoyProcess)> {
    let (envoy, plugin) = (envoy()?, plugin()?);
    let mut world = World::new(&plugin).only(&["app"]);
    if expected {
        let listener = trust::listener(&mut world, "app");
        listener.direction = Direction::Ingress;
        listener.proxy_protocol = Some(ProxyProtocol {
            tlvs: vec![(TLV, "peer".into())],
        });
        listener.identity.proxy_protocol_tlv = Some("peer".into());
    }
    let configuration = only_tie(&world, &json!({}));
    let envoy = world.start(&envoy, &configuration.to_string());
    Some((world, envoy))
}

/// A header of version 2 for a connection of `source` to `destination`, both IPv4, with these TLVs.
fn version_2(source: IpAddr, destination: SocketAddr, tlvs: &[(u8, &[u8])]) -> Vec<u8> {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(ip) => panic!("{ip}"),
    };
    let mut rest = Vec::new();
    rest.extend(octets(source));
    rest.extend(octets(destination.ip()));
    rest.extend(40_000_u16.to_be_bytes());
    rest.extend(destination.port().to_be_bytes());
    for (kind, value) in tlvs {
        rest.push(*kind);
        rest.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        rest.extend(*value);
    }
    // The signature; version 2 and the command PROXY; TCP over IPv4; the length of the rest.
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11".to_vec();
    header.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
    header.extend(rest);
    header
}

fn version_1(source: IpAddr, destination: SocketAddr) -> Vec<u8> {
    let (to, port) = (destination.ip(), destination.port());
    format!("PROXY TCP4 {source} {to} 40000 {port}\r\n").into_bytes()
}

#[test]
fn the_proxy_says_whose_connection_it_is() {
    let Some((world, envoy)) = start(true) else { return };
    let (proxy, app) = (world.stranger(), world.listener("app"));
    let (tie, xwing, outside) = (world.client(), trust::xwing(&world), world.network.host(23));
    let denied = || Outcome::denied("default-deny");
    let identity = |text: &'static str| vec![(TLV, text.as_bytes())];
    let rows = [
        ("the right pod", version_2(tie, app, &[]), Outcome::passed()),
        ("in version 1", version_1(tie, app), Outcome::passed()),
        ("another pod", version_2(xwing, app, &[]), denied()),
        ("another pod in version 1", version_1(xwing, app), denied()),
        ("nobody's address", version_2(outside, app, &[]), denied()),
        (
            "nobody's address, but the proxy knows who it is",
            version_2(outside, app, &identity(TIE)),
            Outcome::passed(),
        ),
        (
            "in other words",
            version_2(outside, app, &identity("namespace=empire,serviceaccount=tie")),
            Outcome::passed(),
        ),
        (
            "by its address",
            version_2(outside, app, &[(TLV, tie.to_string().as_bytes())]),
            Outcome::passed(),
        ),
        ("and another", version_2(outside, app, &identity(XWING)), denied()),
        (
            "the proxy contradicts itself",
            version_2(tie, app, &identity(XWING)),
            Outcome::denied("contradicting-identity"),
        ),
        (
            "in a way that nobody understands",
            version_2(tie, app, &identity("tie")),
            Outcome::denied("unreadable-identity"),
        ),
        (
            "not even text",
            version_2(tie, app, &[(TLV, b"\xff\xfe")]),
            Outcome::denied("unreadable-identity"),
        ),
        (
            "another TLV is none of our business",
            version_2(outside, app, &[(TLV + 1, TIE.as_bytes())]),
            denied(),
        ),
        (
            "a destination that has no policy: a load balancer's own address",
            version_2(tie, SocketAddr::new(world.network.host(99), 80), &[]),
            Outcome::denied("unknown-subject"),
        ),
    ];
    for (why, header, expected) in rows {
        assert_eq!(http_after(&world, &envoy, proxy, &header), expected, "{why}");
    }
}

#[test]
fn without_the_header_nobody_gets_in() {
    let Some((world, envoy)) = start(true) else { return };
    let outcome = trust::observe(&envoy, "app", || {
        // A listener filter that closes leaves no line; so a good connection follows.
        let bytes = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n";
        let answer = world.raw("app", bytes);
        assert_eq!(answer, "", "no word to whom nobody introduced");
        let header = version_2(world.client(), world.listener("app"), &[]);
        let request = [&header[..], &bytes[..bytes.len() - 2], b"Connection: close\r\n\r\n"].concat();
        world.raw("app", &request).starts_with("HTTP/1.1 200")
    });
    assert_eq!(outcome, Outcome::passed());
    assert_eq!(world.app.requests().len(), 1);
}

#[test]
fn where_no_proxy_is_expected_the_header_is_no_identity() {
    let Some((world, envoy)) = start(false) else { return };
    let (stranger, app) = (world.stranger(), world.listener("app"));
    // By itself the stranger is denied, and no header makes it somebody else.
    for header in [
        vec![],
        version_1(world.client(), app),
        version_2(world.client(), app, &[(TLV, TIE.as_bytes())]),
    ] {
        let outcome = trust::observe(&envoy, "app", || {
            let request = [&header[..], b"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n"].concat();
            let answer = world.raw_from(stranger, "app", &request);
            assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
            false
        });
        assert!(!outcome.passed);
    }
    assert_eq!(world.app.requests().len(), 0);
    assert_eq!(http_after(&world, &envoy, world.client(), b""), Outcome::passed());
}

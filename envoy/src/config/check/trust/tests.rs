//! One listener per row that would believe, judge or never decide what it should not.

use super::super::super::{Identity, NativeValue, Node, OriginalDst, ProxyProtocol, ServerTls};
use super::*;

/// The problems of a listener of the sidecar: inbound, redirected, with mutual TLS that is witnessed.
fn sidecar(break_it: fn(&mut Listener)) -> Vec<TrustProblem> {
    let mut listener = Node::sidecar_example().listeners[1].clone();
    break_it(&mut listener);
    problems(&listener).collect()
}

/// The problems of the listener for web traffic of the node.
fn node(break_it: fn(&mut Listener)) -> Vec<TrustProblem> {
    let mut listener = Node::example().listeners[0].clone();
    break_it(&mut listener);
    problems(&listener).collect()
}

fn clients(listener: &mut Listener, clients: ClientCertificates) {
    let tls = listener.tls.clone().unwrap();
    listener.tls = Some(ServerTls { clients, ..tls });
}

fn state(key: &str) -> Option<NativeValue> {
    Some(NativeValue {
        key: key.into(),
        format: None,
    })
}

/// A proxy in front, with one TLV.
fn proxied(listener: &mut Listener, key: &str) {
    listener.proxy_protocol = Some(ProxyProtocol {
        tlvs: vec![(0xe4, key.into())],
    });
    listener.direction = Direction::Ingress;
}

#[test]
fn the_examples_have_none() {
    for node in [Node::example(), Node::sidecar_example(), Node::gateway_example()] {
        for listener in &node.listeners {
            assert_eq!(problems(listener).collect::<Vec<_>>(), [], "{}", listener.name);
        }
    }
}

#[test]
fn a_certificate_counts_only_where_somebody_looks() {
    type Change = fn(&mut Listener);
    let rows: &[(&str, Change, &[TrustProblem])] = &[
        ("nobody ends TLS", |l| l.tls = None, &[TrustProblem::NoCertificates]),
        (
            "nobody asks",
            |l| clients(l, ClientCertificates::NotAsked),
            &[TrustProblem::NoCertificates],
        ),
        (
            "nobody asks, and it does not count",
            |l| {
                clients(l, ClientCertificates::NotAsked);
                l.identity = Identity::default();
            },
            &[],
        ),
        (
            "the witness tells who has none",
            |l| clients(l, ClientCertificates::Optional("ca.pem".into())),
            &[],
        ),
        (
            "and who forged one",
            |l| clients(l, ClientCertificates::Unverified("ca.pem".into())),
            &[],
        ),
        (
            "without a witness, nobody does",
            |l| {
                clients(l, ClientCertificates::Unverified("ca.pem".into()));
                l.identity.certificate = Certificate::Verified;
            },
            &[TrustProblem::NotRequired],
        ),
        (
            "not even who has none",
            |l| {
                clients(l, ClientCertificates::Optional("ca.pem".into()));
                l.identity.certificate = Certificate::Verified;
            },
            &[TrustProblem::NotRequired],
        ),
        (
            "but everybody has one here",
            |l| l.identity.certificate = Certificate::Verified,
            &[],
        ),
        (
            "the server's first bytes come before the witness",
            |l| {
                l.original_dst = None;
                l.kind = ListenerKind::TcpUpstream { cluster: "web".into() };
            },
            &[TrustProblem::CertificateAfterEndpoint],
        ),
    ];
    for (why, change, expected) in rows {
        assert_eq!(sidecar(*change), *expected, "{why}");
    }
}

#[test]
fn a_value_comes_from_a_native_filter() {
    type Change = fn(&mut Listener);
    let rows: &[(&str, Change, &[TrustProblem])] = &[
        (
            "another filter's",
            |l| l.identity.filter_state = state("mesh.peer"),
            &[],
        ),
        (
            "the plugin's own",
            |l| l.identity.filter_state = state("wasm.peer"),
            &[TrustProblem::Key("wasm.peer".into())],
        ),
        (
            "nothing",
            |l| l.identity.peer_metadata = state(""),
            &[TrustProblem::Key(String::new())],
        ),
        (
            "a TLV",
            |l| {
                proxied(l, "peer");
                l.identity.proxy_protocol_tlv = Some("peer".into());
            },
            &[],
        ),
        (
            "a TLV of another name",
            |l| {
                proxied(l, "pear");
                l.identity.proxy_protocol_tlv = Some("peer".into());
            },
            &[TrustProblem::UnknownTlv("peer".into())],
        ),
        (
            "a TLV without any proxy",
            |l| l.identity.proxy_protocol_tlv = Some("peer".into()),
            &[TrustProblem::UnknownTlv("peer".into())],
        ),
    ];
    for (why, change, expected) in rows {
        assert_eq!(node(*change), *expected, "{why}");
    }
}

#[test]
fn what_is_judged_is_what_is_contacted() {
    type Change = fn(&mut Listener);
    let redirected: &[(&str, Change, &[TrustProblem])] = &[
        (
            "a cluster is not where the client wanted to go",
            |l| l.kind = ListenerKind::Tcp { cluster: "web".into() },
            &[TrustProblem::JudgedElsewhere("web".into())],
        ),
        (
            "unless its endpoint is judged",
            |l| {
                l.identity = Identity::default();
                l.kind = ListenerKind::TcpUpstream { cluster: "web".into() };
            },
            &[],
        ),
        (
            "one port for all",
            |l| l.logical_port = Some(80),
            &[TrustProblem::OnePort(80)],
        ),
        (
            "Envoy would connect to itself",
            |l| l.original_dst = None,
            &[TrustProblem::NoOriginalDst],
        ),
        (
            "two words for one destination",
            |l| proxied(l, "peer"),
            &[TrustProblem::TwoDestinations],
        ),
    ];
    for (why, change, expected) in redirected {
        assert_eq!(sidecar(*change), *expected, "{why}");
    }
    let bound: &[(&str, Change, &[TrustProblem])] = &[
        (
            "nothing is known of the destination",
            |l| {
                l.kind = ListenerKind::Http {
                    route: Route::Cluster(Cluster::ORIGINAL_DST.into()),
                };
            },
            &[TrustProblem::NoOriginalDst],
        ),
        (
            "now it is",
            |l| {
                l.logical_port = None;
                l.original_dst = Some(OriginalDst::Transparent);
                l.kind = ListenerKind::Http {
                    route: Route::Cluster(Cluster::ORIGINAL_DST.into()),
                };
            },
            &[],
        ),
        ("a proxy in front", |l| proxied(l, "peer"), &[]),
        (
            "and its port",
            |l| {
                proxied(l, "peer");
                l.logical_port = None;
            },
            &[TrustProblem::NoPort],
        ),
        (
            "its address may be nobody's, and nobody denies",
            |l| {
                proxied(l, "peer");
                l.direction = Direction::Both;
            },
            &[TrustProblem::ProxyNamesDestination],
        ),
        (
            "its address does not matter where the endpoint is judged",
            |l| {
                proxied(l, "peer");
                l.direction = Direction::Both;
                l.logical_port = None;
                l.kind = ListenerKind::Http {
                    route: Route::Upstream("web".into()),
                };
            },
            &[],
        ),
    ];
    for (why, change, expected) in bound {
        assert_eq!(node(*change), *expected, "{why}");
    }
}

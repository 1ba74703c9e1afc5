//! What native filters and the mesh say about a peer, on a real network: a way in that only certain peers can take.
#![cfg(target_os = "linux")]

mod netns;

use std::net::SocketAddr;

use envoy_e2e::config::{Cluster as Upstream, Direction, Identity, Listener, ListenerKind, NativeValue, Node, Route};
use envoy_e2e::netns::curl::Outcome;
use netns::Binaries;
use netns::cluster::{Cluster, with_member};
use netns::mesh::{self, ALICE, BOB, LAPTOP, SERVER};
use netns::proxy::{self, Proxy};

/// The server's listeners: for everybody; for those who come through a tunnel of alice; and for those whose proxy told
/// that they are alice.
const ANYBODY: u16 = 8080;
const TUNNEL: u16 = 8081;
const TOLD: u16 = 8082;

/// Who calls, at which port; whether it passes, whether it does with `trustPeerMetadata`, and why.
const ROWS: &[(&str, u16, bool, bool, &str)] = &[
    (ALICE, ANYBODY, true, true, "by her address"),
    (BOB, ANYBODY, false, false, "by his address"),
    (LAPTOP, ANYBODY, false, false, "an address that tells nothing"),
    (
        LAPTOP,
        TUNNEL,
        true,
        true,
        "the listener vouches for who comes in there",
    ),
    (ALICE, TUNNEL, true, true, "which fits her address"),
    (BOB, TUNNEL, false, false, "and contradicts his"),
    (
        LAPTOP,
        TOLD,
        false,
        true,
        "the word of a peer counts if the operator says so",
    ),
    (ALICE, TOLD, true, true, "her address is enough"),
    (BOB, TOLD, false, false, "he is not alice, whatever is told"),
];

#[test]
fn native_filters_vouch_for_a_peer_and_peers_do_not() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries(), netns::portcullis()) else {
        return;
    };
    let cluster = Cluster::start(&mesh::MESH);
    let policy = cluster.compile(&portcullis, &[mesh::PODS, POLICY]);
    let policy = with_member(&policy, r#""workload":{"endpoint":"mesh/server"}"#);
    let proxy = start(&cluster, &binaries, &policy);
    for trusting in [false, true] {
        let identity = format!(r#""identity":{{"trustPeerMetadata":{trusting}}}"#);
        proxy.push(&with_member(&policy, &identity));
        for &(from, port, without, with, why) in ROWS {
            let expected = if trusting { with } else { without };
            let before = cluster.requests();
            let outcome = cluster.curl(
                from,
                &format!("-HX-Envoy-Peer-Metadata:alice http://10.200.0.20:{port}/"),
            );
            let passed = outcome.status() == Some(200);
            assert_eq!(
                passed, expected,
                "{from} at {port}, trusting {trusting}: {why}: {outcome}"
            );
            assert!(passed || outcome == Outcome::Closed, "{from} at {port}: {outcome}");
            assert_eq!(cluster.requests() > before, expected, "{from} at {port}: {why}");
        }
    }
}

fn start(cluster: &Cluster, binaries: &Binaries, configuration: &str) -> Proxy {
    let value = |key: &str, text: &str| {
        Some(NativeValue {
            key: key.to_owned(),
            format: Some(text.to_owned()),
        })
    };
    let listener = |name: &str, port, identity| {
        let kind = ListenerKind::Http {
            route: Route::Cluster("app".into()),
        };
        let address = SocketAddr::from(([10, 200, 0, 20], port));
        Listener {
            logical_port: Some(80),
            identity,
            ..Listener::new(name, address, Direction::Ingress, kind)
        }
    };
    let tunnel = Identity {
        filter_state: value("test.tunnel", "namespace=mesh,serviceaccount=alice"),
        ..Identity::default()
    };
    let told = Identity {
        peer_metadata: value("test.metadata", "namespace=mesh,name=alice"),
        ..Identity::default()
    };
    let listeners = vec![
        listener("anybody", ANYBODY, Identity::default()),
        listener("tunnel", TUNNEL, tunnel),
        listener("told", TOLD, told),
    ];
    let node = Node {
        clusters: vec![Upstream::new("app", vec![SocketAddr::from(([10, 200, 0, 20], 443))])],
        ..proxy::node(binaries, cluster.dir.path(), listeners)
    };
    let bootstrap = node.bootstrap().unwrap().to_yaml().unwrap();
    let pod = cluster.network.host(SERVER).unwrap();
    Proxy::start(pod, &binaries.envoy, &node, &bootstrap, configuration)
}

/// Alice may call.
const POLICY: &str = r#"
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: server, namespace: mesh}
spec:
  endpointSelector: {matchLabels: {app: server}}
  ingress:
  - fromEndpoints: [{matchLabels: {app: alice}}]
    toPorts: [{ports: [{port: "80", protocol: TCP}]}]
"#;

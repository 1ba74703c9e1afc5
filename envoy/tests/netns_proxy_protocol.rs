//! A gateway behind a load balancer on a real network: the PROXY protocol tells who calls, where it is configured.
#![cfg(target_os = "linux")]

mod netns;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use envoy_e2e::config::{Cluster as Upstream, Direction, Identity, Listener, ListenerKind, Node, ProxyProtocol, Route};
use envoy_e2e::netns::Inside;
use envoy_e2e::netns::balancer::{self, Header};
use envoy_e2e::netns::curl::Outcome;
use envoy_e2e::world::net;
use envoy_e2e::world::server::Server;
use netns::Binaries;
use netns::cluster::{Cluster, Plan, with_member};
use netns::proxy::{self, Proxy};

const GATEWAY: &str = "edge/gateway";
const APP: &str = "edge/app";
const BALANCER: &str = "balancer";
/// The client that the policy allows, and one that it does not.
const CLIENT: &str = "client";
const OTHER: &str = "other-client";

const EDGE: Plan = Plan {
    hosts: &[
        (GATEWAY, [10, 200, 5, 5], &[]),
        (APP, [10, 200, 0, 20], &[8080]),
        (BALANCER, [198, 51, 100, 2], &[]),
        (CLIENT, [203, 0, 113, 7], &[]),
        (OTHER, [203, 0, 113, 8], &[]),
    ],
    services: &[],
    dns: None,
};

/// The gateway's listeners: for the balancer, which speaks the PROXY protocol, and for everybody.
const BEHIND_BALANCER: &str = "10.200.5.5:8080";
const PLAIN: &str = "10.200.5.5:8081";

/// The field of a header (its type is for private use) that tells who calls.
const FIELD: u8 = 0xe4;
const ALICE: &[u8] = b"spiffe://cluster.local/ns/edge/sa/alice";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Answered,
    Closed,
}
use Expect::{Answered, Closed};

/// Who calls, with which arguments; what is expected, and why. The balancer's port 80 speaks version 1 to the gateway,
/// 81 version 2, 82 also says that it is alice who calls, and 83 says what nobody understands.
const ROWS: &[(&str, &str, Expect, &str)] = &[
    (
        CLIENT,
        "http://198.51.100.2:80/",
        Answered,
        "the balancer tells that it is the client",
    ),
    (OTHER, "http://198.51.100.2:80/", Closed, "and that it is another one"),
    (CLIENT, "http://198.51.100.2:81/", Answered, "version 2"),
    (OTHER, "http://198.51.100.2:81/", Closed, "version 2"),
    (
        OTHER,
        "http://198.51.100.2:82/",
        Answered,
        "the balancer vouches for alice, and she may",
    ),
    (CLIENT, "http://198.51.100.2:82/", Answered, "alice, wherever she is"),
    (
        CLIENT,
        "http://198.51.100.2:83/",
        Closed,
        "an identity that cannot be read is no absent one",
    ),
    (
        CLIENT,
        "--haproxy-protocol http://10.200.5.5:8080/",
        Answered,
        "curl speaks it itself",
    ),
    (OTHER, "--haproxy-protocol http://10.200.5.5:8080/", Closed, "the same"),
    (
        CLIENT,
        "http://10.200.5.5:8080/",
        Closed,
        "without a header nobody is let in",
    ),
    (
        CLIENT,
        "http://10.200.5.5:8081/",
        Answered,
        "on the plain port its address tells",
    ),
    (OTHER, "http://10.200.5.5:8081/", Closed, "the same"),
    (
        OTHER,
        "--haproxy-protocol http://10.200.5.5:8081/",
        Closed,
        "a header changes nothing there",
    ),
    (
        OTHER,
        "-HX-Forwarded-For:203.0.113.7 http://198.51.100.2:80/",
        Closed,
        "nor does a header of HTTP",
    ),
];

#[test]
fn the_balancer_tells_who_calls_and_only_where_it_is_asked() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries(), netns::portcullis()) else {
        return;
    };
    let edge = Cluster::start(&EDGE);
    let configuration = edge.compile(&portcullis, &[WORLD]);
    let configuration = with_member(&configuration, r#""identity":{"trustDomains":["cluster.local"]}"#);
    let configuration = with_member(&configuration, r#""workload":{"endpoint":"edge/gateway"}"#);
    let proxy = start(&edge, &binaries, &configuration);
    let _balancers = balancers(&edge);
    let log = || proxy.process().access_log();
    for &(from, what, expected, why) in ROWS {
        let before = edge.requests();
        let outcome = edge.curl(from, what);
        let seen = match &outcome {
            Outcome::Answer { status: 200, .. } => Some(Answered),
            Outcome::Closed => Some(Closed),
            _ => None,
        };
        assert_eq!(seen, Some(expected), "{from} {what}: {why}: {outcome}\n{:#?}", log());
        assert_eq!(edge.requests() > before, expected == Answered, "{from} {what}: {why}");
    }
    let before = edge.requests();
    assert_eq!(
        lie(&edge, PLAIN),
        "",
        "whoever claims to be the client is still the other one"
    );
    assert_eq!(edge.requests(), before);
    // curl 8.2 and later can lie like that itself; before that it does not know the option.
    let by_curl = edge.curl(OTHER, &format!("--haproxy-clientip 203.0.113.7 http://{PLAIN}/"));
    assert!(matches!(by_curl, Outcome::Closed | Outcome::Other(2, _)), "{by_curl}");
    // The reverse of it, and why only balancers may reach such a port: there, a claim is believed.
    assert!(lie(&edge, BEHIND_BALANCER).starts_with("HTTP/1.1 200 "), "{:#?}", log());
}

/// What the other client gets that claims, in a header in front of its request, to be the one that is allowed.
fn lie(edge: &Cluster, to: &str) -> String {
    let to: SocketAddr = to.parse().unwrap();
    let source = edge.network.address(OTHER).unwrap();
    let claim = Header::Text.bytes("203.0.113.7:4711".parse().unwrap(), to).unwrap();
    let connect = || Ok(net::connect(source.into(), to, Duration::from_secs(10))?);
    let mut connection = edge.network.host(OTHER).unwrap().run(connect).unwrap();
    // It may be closed before it is all written; what came back tells.
    drop(
        connection.write_all(
            &[
                claim.as_slice(),
                b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
            ]
            .concat(),
        ),
    );
    let mut answer = Vec::new();
    drop(connection.read_to_end(&mut answer));
    String::from_utf8(answer).unwrap()
}

fn balancers(edge: &Cluster) -> Vec<Inside<Server>> {
    let headers = [
        (80, Header::Text),
        (81, Header::Binary(vec![])),
        (82, Header::Binary(vec![(FIELD, ALICE.to_vec())])),
        (83, Header::Binary(vec![(FIELD, b"who=".to_vec())])),
    ];
    let start = |(port, header)| {
        let address: Ipv4Addr = edge.network.address(BALANCER).unwrap();
        let (listen, gateway) = ((address, port).into(), BEHIND_BALANCER.parse().unwrap());
        let host = edge.network.host(BALANCER).unwrap();
        host.hold(|| Ok(balancer::start(listen, gateway, header)?)).unwrap()
    };
    headers.into_iter().map(start).collect()
}

/// The gateway's Envoy. Nothing is intercepted: clients and the balancer call it.
fn start(edge: &Cluster, binaries: &Binaries, configuration: &str) -> Proxy {
    let listener = |name: &str, address: &str| {
        let kind = ListenerKind::Http {
            route: Route::Cluster("app".into()),
        };
        Listener {
            logical_port: Some(80),
            ..Listener::new(name, address.parse().unwrap(), Direction::Ingress, kind)
        }
    };
    let behind_balancer = Listener {
        proxy_protocol: Some(ProxyProtocol {
            tlvs: vec![(FIELD, "peer".into())],
        }),
        identity: Identity {
            proxy_protocol_tlv: Some("peer".into()),
            ..Identity::default()
        },
        ..listener("behind-balancer", BEHIND_BALANCER)
    };
    let listeners = vec![behind_balancer, listener("plain", PLAIN)];
    let node = Node {
        clusters: vec![Upstream::new("app", vec!["10.200.0.20:8080".parse().unwrap()])],
        ..proxy::node(binaries, edge.dir.path(), listeners)
    };
    let bootstrap = node.bootstrap().unwrap().to_yaml().unwrap();
    let gateway = edge.network.host(GATEWAY).unwrap();
    Proxy::start(gateway, &binaries.envoy, &node, &bootstrap, configuration)
}

/// The gateway's pod, a pod of alice somewhere, and a policy that lets one address and alice in.
const WORLD: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: edge}
---
apiVersion: v1
kind: Pod
metadata: {name: gateway, namespace: edge, labels: {app: gateway}}
spec: {containers: [{name: main}]}
status: {podIP: 10.200.5.5, podIPs: [{ip: 10.200.5.5}]}
---
apiVersion: v1
kind: Pod
metadata: {name: alice, namespace: edge, labels: {app: alice}}
spec: {serviceAccountName: alice, containers: [{name: main}]}
status: {podIP: 10.200.0.11, podIPs: [{ip: 10.200.0.11}]}
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: gateway, namespace: edge}
spec:
  endpointSelector: {matchLabels: {app: gateway}}
  ingress:
  - fromCIDR: [203.0.113.7/32]
    toPorts: [{ports: [{port: "80", protocol: TCP}]}]
  - fromEndpoints: [{matchLabels: {app: alice}}]
    toPorts: [{ports: [{port: "80", protocol: TCP}]}]
"#;

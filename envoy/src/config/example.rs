//! The nodes that `README.md` describes and `templates/` shows, to copy from.

use std::net::SocketAddr;

use super::{
    Certificate, ClientCertificates, ClientTls, Cluster, Direction, EnvoyVersion, Identity, IpRange, KeyPair, Listener,
    ListenerKind, Node, OriginalDst, Route, ServerTls, Underscores,
};
use crate::ecds::Encoding;

impl Node {
    /// A node proxy: several endpoints behind one Envoy, told apart by their addresses. One listener of each kind, and
    /// relative paths.
    #[must_use]
    pub fn example() -> Self {
        let names = Route::Names {
            names: vec!["cilium.io".into()],
            port: 80,
        };
        Self {
            dns_resolver: Some(local(10, 10053)),
            cluster_ranges: IpRange::LOCAL.to_vec(),
            listeners: vec![
                on_port(80, "web", local(2, 20080), http(Route::Cluster("web".into()))),
                on_port(53, "dns", local(10, 20053), tcp("dns")),
                Listener::new("egress", local(1, 20081), Direction::Egress, http(names)),
                Listener::new(
                    "egress-any",
                    local(1, 20082),
                    Direction::Egress,
                    http(Route::AnyName { port: 80 }),
                ),
            ],
            clusters: vec![
                Cluster::new("web", vec![local(2, 30080)]),
                Cluster::new("dns", vec![local(10, 10053)]),
            ],
            ..empty("node-1", local(1, 9901))
        }
    }

    /// The sidecar of one workload. `iptables` redirects what comes to the workload to the inbound listeners, and what
    /// it sends to the outbound ones, by port; only Envoy's own connections pass.
    ///
    /// Peers show the SPIFFE certificates of the mesh. The plugin's configuration has to say which workload it is.
    #[must_use]
    pub fn sidecar_example() -> Self {
        let original = || Cluster::ORIGINAL_DST.to_owned();
        let any = |port| SocketAddr::from(([0, 0, 0, 0], port));
        let redirected = |name, port, direction, kind| Listener {
            original_dst: Some(OriginalDst::Redirect),
            ..Listener::new(name, any(port), direction, kind)
        };
        let inbound = |name, port, kind| Listener {
            tls: Some(ServerTls {
                own: key_pair("workload"),
                clients: ClientCertificates::Required("certificates/mesh-ca.pem".into()),
            }),
            identity: Identity {
                certificate: Certificate::Witnessed,
                ..Identity::default()
            },
            ..redirected(name, port, Direction::Ingress, kind)
        };
        let outbound = |name, port, kind| redirected(name, port, Direction::Egress, kind);
        Self {
            listeners: vec![
                inbound("inbound-http", 15006, http(Route::Cluster(original()))),
                inbound("inbound-tcp", 15007, tcp(Cluster::ORIGINAL_DST)),
                outbound("outbound-http", 15001, http(Route::Cluster(original()))),
                Listener {
                    tls_inspector: true,
                    ..outbound("outbound-tls", 15002, tcp(Cluster::ORIGINAL_DST))
                },
                outbound("outbound-tcp", 15003, tcp(Cluster::ORIGINAL_DST)),
            ],
            ..empty("sidecar-1", SocketAddr::from(([127, 0, 0, 1], 15000)))
        }
    }

    /// A gateway for traffic from outside: TLS ends at the one listener, and passes through the other. The policies of
    /// the endpoints behind it are asked once it is known which one gets the request.
    #[must_use]
    pub fn gateway_example() -> Self {
        let any = |port| SocketAddr::from(([0, 0, 0, 0], port));
        let terminated = Listener {
            tls: Some(ServerTls {
                own: key_pair("gateway"),
                clients: ClientCertificates::NotAsked,
            }),
            ..Listener::new(
                "https",
                any(8443),
                Direction::Ingress,
                http(Route::Upstream("web".into())),
            )
        };
        let passed = Listener {
            tls_inspector: true,
            ..Listener::new(
                "passthrough",
                any(8444),
                Direction::Ingress,
                ListenerKind::TcpUpstream { cluster: "mail".into() },
            )
        };
        let mesh = ClientTls {
            own: Some(key_pair("gateway")),
            authorities: "certificates/mesh-ca.pem".into(),
            endpoint_uris: vec!["spiffe://cluster.local/ns/shop/sa/web".into()],
            server_name: None,
        };
        Self {
            listeners: vec![terminated, passed],
            clusters: vec![
                Cluster {
                    tls: Some(mesh),
                    ..Cluster::new("web", vec![local(2, 8080), local(3, 8080)])
                },
                Cluster::new("mail", vec![local(4, 8993), local(5, 8993)]),
            ],
            ..empty("gateway-1", SocketAddr::from(([127, 0, 0, 1], 9901)))
        }
    }
}

/// A node without listeners.
fn empty(id: &str, admin: SocketAddr) -> Node {
    Node {
        id: id.into(),
        envoy: EnvoyVersion::default(),
        admin,
        plugin_wasm: "portcullis.wasm".into(),
        encoding: Encoding::default(),
        state_dir: "state".into(),
        access_log: "access.log".into(),
        flow_log: None,
        dns_resolver: None,
        cluster_ranges: vec![],
        stand_in_ports: false,
        max_connection: Node::MAX_CONNECTION,
        underscores: Underscores::Reject,
        listeners: vec![],
        clusters: vec![],
    }
}

fn on_port(port: u16, name: &str, address: SocketAddr, kind: ListenerKind) -> Listener {
    Listener {
        logical_port: Some(port),
        ..Listener::new(name, address, Direction::Both, kind)
    }
}

fn http(route: Route) -> ListenerKind {
    ListenerKind::Http { route }
}

fn tcp(cluster: &str) -> ListenerKind {
    ListenerKind::Tcp {
        cluster: cluster.into(),
    }
}

fn key_pair(name: &str) -> KeyPair {
    KeyPair {
        certificate: format!("certificates/{name}.pem").into(),
        key: format!("certificates/{name}.key").into(),
    }
}

/// Host `n` of the example's little network.
fn local(n: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 10, n], port))
}

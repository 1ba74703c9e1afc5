//! The node that `README.md` describes and `templates/node.yaml` shows.

use std::net::SocketAddr;

use super::{Cluster, Direction, IpRange, Listener, ListenerKind, Node, Route, Underscores};
use crate::ecds::Encoding;

impl Node {
    /// A node with one listener of each kind, and relative paths: a starting point to copy.
    #[must_use]
    pub fn example() -> Self {
        Self {
            id: "node-1".into(),
            admin: local(1, 9901),
            plugin_wasm: "portcullis.wasm".into(),
            encoding: Encoding::String,
            state_dir: "state".into(),
            access_log: "access.log".into(),
            dns_resolver: Some(local(10, 10053)),
            cluster_ranges: IpRange::LOCAL.to_vec(),
            stand_in_ports: false,
            max_connection: Node::MAX_CONNECTION,
            underscores: Underscores::Reject,
            listeners: vec![
                Listener {
                    name: "web".into(),
                    address: local(2, 20080),
                    direction: Direction::Both,
                    logical_port: Some(80),
                    kind: ListenerKind::Http {
                        route: Route::Cluster("web".into()),
                    },
                },
                Listener {
                    name: "dns".into(),
                    address: local(10, 20053),
                    direction: Direction::Both,
                    logical_port: Some(53),
                    kind: ListenerKind::Tcp { cluster: "dns".into() },
                },
                egress(
                    "egress",
                    20081,
                    Route::Names {
                        names: vec!["cilium.io".into()],
                        port: 80,
                    },
                ),
                egress("egress-any", 20082, Route::AnyName { port: 80 }),
            ],
            clusters: vec![
                Cluster {
                    name: "web".into(),
                    endpoints: vec![local(2, 30080)],
                },
                Cluster {
                    name: "dns".into(),
                    endpoints: vec![local(10, 10053)],
                },
            ],
        }
    }
}

fn egress(name: &str, port: u16, route: Route) -> Listener {
    Listener {
        name: name.into(),
        address: local(1, port),
        direction: Direction::Egress,
        logical_port: None,
        kind: ListenerKind::Http { route },
    }
}

/// Host `n` of the example's little network.
fn local(n: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 10, n], port))
}

//! The bootstrap: everything Envoy is told at start. Only the plugin and its policy change later.

use serde::Serialize;
use serde_saphyr::Commented;

use super::Node;
use super::any::{Address, Extension};
use super::cluster::{self, WireCluster};
use super::listener::WireListener;
use super::stats::StatsConfig;

/// A complete Envoy configuration.
#[derive(Serialize)]
pub struct Bootstrap {
    node: NodeIdentity,
    admin: Admin,
    stats_config: StatsConfig,
    overload_manager: OverloadManager,
    static_resources: StaticResources,
}

#[derive(Serialize)]
struct NodeIdentity {
    id: String,
    cluster: &'static str,
}

#[derive(Serialize)]
struct Admin {
    address: Address,
    /// Empty for an Envoy that does not know it: then whoever reaches the interface can also change Envoy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow_paths: Vec<AllowPath>,
}

#[derive(Serialize)]
struct AllowPath {
    prefix: &'static str,
}

/// What may be read. Nothing that changes Envoy (`/quitquitquit`, `/logging`, `/runtime_modify`) is reachable.
const ADMIN_PATHS: &[&str] = &[
    "/ready",
    "/stats",
    "/listeners",
    "/clusters",
    "/config_dump",
    "/server_info",
];

#[derive(Serialize)]
struct OverloadManager {
    resource_monitors: [Extension<DownstreamConnections>; 1],
}

#[derive(Serialize)]
struct DownstreamConnections {
    max_active_downstream_connections: Commented<u32>,
}

#[derive(Serialize)]
struct StaticResources {
    listeners: Vec<WireListener>,
    clusters: Vec<WireCluster>,
}

impl Bootstrap {
    /// The bootstrap of a node that was checked.
    pub(super) fn new(node: &Node) -> Self {
        let limit = DownstreamConnections {
            max_active_downstream_connections: Commented(
                50_000,
                "further ones are closed; memory does not run out".into(),
            ),
        };
        Self {
            node: NodeIdentity {
                id: node.id.clone(),
                cluster: "portcullis",
            },
            admin: Admin {
                address: Address::tcp(node.admin),
                allow_paths: allow_paths(node),
            },
            stats_config: StatsConfig::new(),
            overload_manager: OverloadManager {
                resource_monitors: [Extension::new(
                    "envoy.resource_monitors.global_downstream_max_connections",
                    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    limit,
                )],
            },
            static_resources: StaticResources {
                listeners: node.listeners.iter().map(|l| WireListener::new(node, l)).collect(),
                clusters: cluster::clusters(node),
            },
        }
    }

    /// The configuration as YAML, with a comment on each hardened setting.
    ///
    /// # Errors
    ///
    /// None is known for the strings that a checked [`Node`] can hold; the serialiser's type allows for them.
    pub fn to_yaml(&self) -> Result<String, serde_saphyr::ser_error::Error> {
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        serde_saphyr::to_string_with_options(self, options)
    }
}

fn allow_paths(node: &Node) -> Vec<AllowPath> {
    let known = ADMIN_PATHS.iter().filter(|_| node.envoy.restricts_admin());
    known.map(|&prefix| AllowPath { prefix }).collect()
}

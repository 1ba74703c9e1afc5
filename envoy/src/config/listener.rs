//! Listeners: the plugin and its guard in front of every filter chain.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_saphyr::Commented;

use super::access_log::{self, FileLog};
use super::any::{Address, Extension};
use super::guard::{self, Guard, SetFilterState};
use super::http::{self, ConnectionManager};
use super::plugin::Subscription;
use super::{Direction, Listener, ListenerKind, Node, Route};
use crate::ecds::Layer;

/// What a connection may hold in memory before the sender has to wait. More than the 65,537 bytes of one DNS
/// message over TCP, which the plugin may have to see whole; little enough for thousands of idle clients.
pub(super) const BUFFER_BYTES: u32 = 128 * 1024;

/// A listener as Envoy wants it.
#[derive(Serialize)]
pub(super) struct WireListener {
    name: String,
    address: Address,
    traffic_direction: &'static str,
    metadata: Metadata,
    per_connection_buffer_limit_bytes: Commented<u32>,
    access_log: [Extension<FileLog>; 1],
    filter_chains: [FilterChain; 1],
}

#[derive(Serialize)]
struct Metadata {
    filter_metadata: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
}

#[derive(Serialize)]
struct FilterChain {
    filters: Vec<NetworkFilter>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum NetworkFilter {
    Plugin(Subscription),
    Guard(Extension<Guard>),
    ClusterGuard(Extension<SetFilterState>),
    Http(Box<Extension<ConnectionManager>>),
    Tcp(Extension<TcpProxy>),
}

#[derive(Serialize)]
struct TcpProxy {
    stat_prefix: String,
    cluster: Commented<&'static str>,
    upstream_connect_mode: Commented<&'static str>,
    max_downstream_connection_duration: Commented<String>,
}

impl WireListener {
    /// `listener`, a part of `node`.
    pub(super) fn new(node: &Node, listener: &Listener) -> Self {
        Self {
            name: listener.name.clone(),
            address: Address::tcp(listener.address),
            traffic_direction: traffic_direction(listener.direction),
            metadata: metadata(listener),
            per_connection_buffer_limit_bytes: Commented(
                BUFFER_BYTES,
                "one whole DNS message, not a client's flood".into(),
            ),
            access_log: [access_log::connections(&node.access_log, &listener.name)],
            filter_chains: [FilterChain {
                filters: filters(node, listener),
            }],
        }
    }
}

fn filters(node: &Node, listener: &Listener) -> Vec<NetworkFilter> {
    let mut filters = vec![
        NetworkFilter::Plugin(Subscription::new(Layer::Network, &node.state_dir)),
        NetworkFilter::Guard(guard::rbac(Layer::Network)),
    ];
    match &listener.kind {
        ListenerKind::Http { route } => {
            let manager = http::connection_manager(node, &listener.name, route);
            filters.push(NetworkFilter::Http(Box::new(manager)));
        }
        ListenerKind::Tcp { cluster } => {
            filters.push(NetworkFilter::ClusterGuard(guard::cluster_by_verdict(cluster)));
            filters.push(NetworkFilter::Tcp(tcp_proxy(node, &listener.name)));
        }
    }
    filters
}

/// The upstream is contacted as soon as the connection is accepted, that is right after the plugin judged its
/// addresses and closed what it denies. Two other modes exist for verdicts that need more than addresses:
/// `ON_DOWNSTREAM_TLS_HANDSHAKE` when Envoy terminates mTLS and the certificate is the identity, and
/// `ON_DOWNSTREAM_DATA` when the first bytes decide and the client is known to speak first. The plugin must never
/// pause a new connection in the immediate mode: Envoy would wait for ever.
fn tcp_proxy(node: &Node, listener: &str) -> Extension<TcpProxy> {
    let proxy = TcpProxy {
        stat_prefix: listener.to_owned(),
        cluster: Commented("no-verdict", "does not exist; the guard above selects".into()),
        upstream_connect_mode: Commented("IMMEDIATE", "addresses decide, before this filter".into()),
        max_downstream_connection_duration: http::max_connection(node),
    };
    Extension::new(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        proxy,
    )
}

fn traffic_direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "INBOUND",
        Direction::Egress => "OUTBOUND",
        Direction::Both => "UNSPECIFIED",
    }
}

/// What the plugin reads about the listener, as strings: it has no other way to tell listeners apart.
fn metadata(listener: &Listener) -> Metadata {
    let direction = match listener.direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
        Direction::Both => "both",
    };
    let (protocol, destination) = match &listener.kind {
        ListenerKind::Http { route } => ("http", route.destination()),
        ListenerKind::Tcp { .. } => ("tcp", Route::ADDRESS),
    };
    let mut values = BTreeMap::from([
        ("direction", direction.into()),
        ("protocol", protocol.into()),
        ("destination", destination.into()),
    ]);
    // Without it the plugin takes the bound port, which is not the one that a name is contacted at.
    if let Some(port) = listener.logical_port.or(listener.named_port()) {
        values.insert("port", port.to_string());
    }
    Metadata {
        filter_metadata: BTreeMap::from([("portcullis", values)]),
    }
}

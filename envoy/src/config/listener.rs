//! Listeners: the plugin and its guard in front of every filter chain.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_saphyr::Commented;

use super::access_log::{self, AccessLog};
use super::any::{Address, Extension};
use super::arrival::{self, ListenerFilter};
use super::guard::{self, Guard, Position, SetFilterState};
use super::http::{self, ConnectionManager};
use super::identity::{self, Certificate, Witness};
use super::plugin::Subscription;
use super::tcp::{self, Decision, TcpProxy};
use super::tls::DownstreamTls;
use super::{Direction, Listener, ListenerKind, Node, OriginalDst, Route};
use crate::ecds::Layer;

/// What a connection may hold in memory before the sender has to wait. More than the 65,537 bytes of one DNS
/// message over TCP, which the plugin may have to see whole; little enough for thousands of idle clients.
pub(super) const BUFFER_BYTES: u32 = 128 * 1024;

/// A listener as Envoy wants it.
#[derive(Serialize)]
pub(super) struct WireListener {
    name: String,
    address: Address,
    #[serde(skip_serializing_if = "Option::is_none")]
    transparent: Option<bool>,
    traffic_direction: &'static str,
    metadata: Metadata,
    per_connection_buffer_limit_bytes: Commented<u32>,
    access_log: Vec<AccessLog>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listener_filters: Vec<ListenerFilter>,
    filter_chains: Vec<FilterChain>,
}

#[derive(Serialize)]
struct Metadata {
    filter_metadata: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
}

#[derive(Serialize)]
struct FilterChain {
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_chain_match: Option<Match>,
    filters: Vec<NetworkFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport_socket: Option<Extension<DownstreamTls>>,
}

#[derive(Serialize)]
struct Match {
    destination_port: Commented<u16>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum NetworkFilter {
    Values(Extension<SetFilterState>),
    Witness(Extension<Witness>),
    Plugin(Subscription),
    Guard(Extension<Guard>),
    Http(Box<Extension<ConnectionManager>>),
    Tcp(Extension<TcpProxy>),
}

impl WireListener {
    /// `listener`, a part of `node`.
    pub(super) fn new(node: &Node, listener: &Listener) -> Self {
        let transparent = listener.original_dst == Some(OriginalDst::Transparent);
        Self {
            name: listener.name.clone(),
            address: Address::tcp(listener.address),
            transparent: transparent.then_some(true),
            traffic_direction: traffic_direction(listener.direction),
            metadata: metadata(listener),
            per_connection_buffer_limit_bytes: Commented(
                BUFFER_BYTES,
                "one whole DNS message, not a client's flood".into(),
            ),
            access_log: access_log::connections(node, &listener.name),
            listener_filters: arrival::listener_filters(listener),
            filter_chains: filter_chains(node, listener),
        }
    }
}

fn filter_chains(node: &Node, listener: &Listener) -> Vec<FilterChain> {
    let own = FilterChain {
        filter_chain_match: None,
        filters: filters(node, listener),
        transport_socket: listener.tls.as_ref().map(|tls| {
            let http = matches!(listener.kind, ListenerKind::Http { .. });
            tls.transport_socket(http)
        }),
    };
    let to_itself = listener.original_dst.map(|_| to_itself(node, listener));
    to_itself.into_iter().chain([own]).collect()
}

/// The chain for connections to a listener that takes those to others: forwarded to where they were meant to go,
/// they would come back for ever.
fn to_itself(node: &Node, listener: &Listener) -> FilterChain {
    let mut filters = plugin(node);
    filters.push(NetworkFilter::Tcp(tcp::dead_end(node, listener)));
    FilterChain {
        filter_chain_match: Some(Match {
            destination_port: Commented(listener.address.port(), "meant for this listener: a circle".into()),
        }),
        filters,
        transport_socket: None,
    }
}

fn filters(node: &Node, listener: &Listener) -> Vec<NetworkFilter> {
    let mut filters: Vec<_> = guard::native_values(&listener.identity)
        .map(NetworkFilter::Values)
        .into_iter()
        .collect();
    if listener.identity.certificate == Certificate::Witnessed {
        filters.push(NetworkFilter::Witness(identity::witness()));
    }
    filters.extend(plugin(node));
    match &listener.kind {
        ListenerKind::Http { route } => {
            let manager = http::connection_manager(node, &listener.name, route);
            filters.push(NetworkFilter::Http(Box::new(manager)));
        }
        ListenerKind::Tcp { cluster } | ListenerKind::TcpUpstream { cluster } => {
            if Decision::of(listener).word().is_some() {
                filters.push(NetworkFilter::Values(guard::cluster_by_verdict(cluster)));
            }
            filters.push(NetworkFilter::Tcp(tcp::proxy(node, listener, cluster)));
        }
    }
    filters
}

/// What every chain has in front of what forwards.
fn plugin(node: &Node) -> Vec<NetworkFilter> {
    vec![
        NetworkFilter::Plugin(Subscription::new(Layer::Network, &node.state_dir)),
        NetworkFilter::Guard(guard::rbac(Position::Connection)),
    ]
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
        ListenerKind::TcpUpstream { .. } => ("tcp", Route::UPSTREAM),
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
    // Always, where there may be a certificate: whether it counts is known here, not in the plugin's configuration.
    if listener.tls.is_some() {
        values.insert("certificate", listener.identity.certificate.word().into());
    }
    let identity = &listener.identity;
    let keys = [
        ("filter_state", identity.filter_state.as_ref().map(|value| &value.key)),
        ("proxy_protocol_tlv", identity.proxy_protocol_tlv.as_ref()),
        ("peer_metadata", identity.peer_metadata.as_ref().map(|value| &value.key)),
    ];
    values.extend(keys.into_iter().filter_map(|(name, key)| Some((name, key?.clone()))));
    Metadata {
        filter_metadata: BTreeMap::from([("portcullis", values)]),
    }
}

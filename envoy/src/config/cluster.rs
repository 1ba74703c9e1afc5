//! Clusters: upstreams by address, and by names that Envoy resolves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::Serialize;

use super::any::{Address, Any, Empty, Extension};
use super::dns::{self, CAres, DnsCache};
use super::{Cluster, ListenerKind, Node, Route, guard};

/// The cluster of the dynamic forward proxy.
pub(super) const ANY_NAME: &str = "any-name";

/// A cluster as Envoy wants it.
#[derive(Serialize)]
pub(super) struct WireCluster {
    name: String,
    connect_timeout: &'static str,
    #[serde(flatten)]
    discovery: Discovery,
    /// HTTP/2 to those who came with HTTP/2 (gRPC), HTTP/1.1 to the rest. TCP proxies ignore it.
    typed_extension_protocol_options: BTreeMap<&'static str, Any<ProtocolOptions>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Discovery {
    Static {
        r#type: &'static str,
        load_assignment: LoadAssignment,
    },
    Dns {
        cluster_type: Extension<DnsCluster>,
        load_assignment: LoadAssignment,
    },
    Dynamic {
        lb_policy: &'static str,
        cluster_type: Extension<DynamicForwardProxy>,
    },
}

#[derive(Serialize)]
struct DnsCluster {
    dns_lookup_family: &'static str,
    respect_dns_ttl: bool,
    /// Connections stay with the address they have when the answer changes ("logical DNS"): a name with many
    /// addresses is one destination, as it is for the policy.
    all_addresses_in_single_endpoint: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    typed_dns_resolver_config: Option<Extension<CAres>>,
}

#[derive(Serialize)]
struct DynamicForwardProxy {
    dns_cache_config: DnsCache,
}

#[derive(Serialize)]
struct LoadAssignment {
    cluster_name: String,
    endpoints: [Locality; 1],
}

#[derive(Serialize)]
struct Locality {
    lb_endpoints: Vec<LbEndpoint>,
}

#[derive(Serialize)]
struct LbEndpoint {
    endpoint: Endpoint,
}

#[derive(Serialize)]
struct Endpoint {
    address: EndpointAddress,
}

#[derive(Serialize)]
#[serde(untagged)]
enum EndpointAddress {
    Ip(Address),
    Name { socket_address: NamedAddress },
}

#[derive(Serialize)]
struct NamedAddress {
    address: String,
    port_value: u16,
}

#[derive(Serialize)]
struct ProtocolOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_http_protocol_options: Option<ServerName>,
    use_downstream_protocol_config: UseDownstream,
}

/// With TLS towards an upstream that clients name, the certificate must be for that name. Envoy insists.
#[derive(Serialize)]
struct ServerName {
    auto_sni: bool,
    auto_san_validation: bool,
}

#[derive(Serialize)]
struct UseDownstream {
    http_protocol_options: Empty,
    http2_protocol_options: Empty,
}

/// Every cluster that a listener of this node can send to, in the order of the listeners, each once.
pub(super) fn clusters(node: &Node) -> Vec<WireCluster> {
    let mut seen = BTreeSet::new();
    let all = node.listeners.iter().flat_map(|listener| match &listener.kind {
        ListenerKind::Http { route } => of_route(node, route),
        ListenerKind::Tcp { cluster } => by_address(node, cluster, guard::tcp_cluster(cluster)),
    });
    all.filter(|cluster| seen.insert(cluster.name.clone())).collect()
}

/// The name of the cluster that resolves `name`.
pub(super) fn dns_cluster(name: &str, port: u16) -> String {
    format!("dns:{name}:{port}")
}

fn of_route(node: &Node, route: &Route) -> Vec<WireCluster> {
    match route {
        Route::Cluster(cluster) => by_address(node, cluster, cluster.clone()),
        Route::Names { names, port } => names
            .iter()
            .map(|name| by_name(name, *port, node.dns_resolver))
            .collect(),
        Route::AnyName { .. } => vec![any_name(node.dns_resolver)],
    }
}

/// The described cluster `cluster`, if there is one, under the name `name`.
fn by_address(node: &Node, cluster: &str, name: String) -> Vec<WireCluster> {
    let described = node.clusters.iter().find(|described| described.name == cluster);
    described
        .map(|described| statically(described, name))
        .into_iter()
        .collect()
}

fn statically(cluster: &Cluster, name: String) -> WireCluster {
    let addresses = cluster
        .endpoints
        .iter()
        .map(|&ip| EndpointAddress::Ip(Address::tcp(ip)));
    let load_assignment = assignment(&name, addresses);
    with_defaults(
        name,
        Discovery::Static {
            r#type: "STATIC",
            load_assignment,
        },
        None,
    )
}

fn by_name(host: &str, port: u16, resolver: Option<SocketAddr>) -> WireCluster {
    let name = dns_cluster(host, port);
    let socket_address = NamedAddress {
        address: host.to_owned(),
        port_value: port,
    };
    let config = DnsCluster {
        dns_lookup_family: dns::LOOKUP_FAMILY,
        respect_dns_ttl: true,
        all_addresses_in_single_endpoint: true,
        typed_dns_resolver_config: dns::resolver(resolver),
    };
    let discovery = Discovery::Dns {
        cluster_type: Extension::new(
            "envoy.clusters.dns",
            "envoy.extensions.clusters.dns.v3.DnsCluster",
            config,
        ),
        load_assignment: assignment(&name, [EndpointAddress::Name { socket_address }]),
    };
    with_defaults(name, discovery, None)
}

fn any_name(resolver: Option<SocketAddr>) -> WireCluster {
    let cluster_type = Extension::new(
        "envoy.clusters.dynamic_forward_proxy",
        "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
        DynamicForwardProxy {
            dns_cache_config: DnsCache::new(resolver),
        },
    );
    let discovery = Discovery::Dynamic {
        lb_policy: "CLUSTER_PROVIDED",
        cluster_type,
    };
    let verified = ServerName {
        auto_sni: true,
        auto_san_validation: true,
    };
    with_defaults(ANY_NAME.to_owned(), discovery, Some(verified))
}

fn with_defaults(
    name: String,
    discovery: Discovery,
    upstream_http_protocol_options: Option<ServerName>,
) -> WireCluster {
    const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = ProtocolOptions {
        upstream_http_protocol_options,
        use_downstream_protocol_config: UseDownstream {
            http_protocol_options: Empty {},
            http2_protocol_options: Empty {},
        },
    };
    let options = BTreeMap::from([(OPTIONS, Any::new(OPTIONS, options))]);
    WireCluster {
        name,
        connect_timeout: "5s",
        discovery,
        typed_extension_protocol_options: options,
    }
}

fn assignment(cluster: &str, addresses: impl IntoIterator<Item = EndpointAddress>) -> LoadAssignment {
    let endpoints = addresses.into_iter().map(|address| LbEndpoint {
        endpoint: Endpoint { address },
    });
    LoadAssignment {
        cluster_name: cluster.to_owned(),
        endpoints: [Locality {
            lb_endpoints: endpoints.collect(),
        }],
    }
}

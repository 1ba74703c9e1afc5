//! Clusters: upstreams by address, and by names that Envoy resolves.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_saphyr::Commented;

use super::any::{Address, Any, Empty, Extension};
use super::dns::{self, CAres};
use super::range::{self, UpstreamFilter};
use super::tcp::Decision;
use super::tls::{ClientTls, UpstreamTls};
use super::{Cluster, ListenerKind, Node, Route};

/// The cluster of the dynamic forward proxy. One for all listeners: it names the clusters that it makes after the host
/// alone, and a second one would wait in vain for those that the first has made.
pub(super) const ANY_NAME: &str = "any-name";

/// A cluster as Envoy wants it.
#[derive(Serialize)]
pub(super) struct WireCluster {
    name: String,
    connect_timeout: &'static str,
    #[serde(flatten)]
    discovery: Discovery,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport_socket: Option<Extension<UpstreamTls>>,
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
    Original {
        r#type: &'static str,
        lb_policy: &'static str,
    },
    Dynamic {
        lb_policy: &'static str,
        cluster_type: Extension<DynamicForwardProxy>,
        dns_lookup_family: &'static str,
        typed_dns_resolver_config: Extension<CAres>,
    },
}

#[derive(Serialize)]
struct DnsCluster {
    dns_lookup_family: &'static str,
    respect_dns_ttl: bool,
    /// Each address is an upstream of its own. As one upstream ("logical DNS") Envoy would show the guard the first
    /// and go on to the others when it does not answer, also to one inside the cluster.
    all_addresses_in_single_endpoint: bool,
    typed_dns_resolver_config: Extension<CAres>,
}

/// Makes a cluster for each name on demand, with the options of this one and each address as an upstream of its own.
/// With a DNS cache in their place, a name would be one upstream with all its addresses.
#[derive(Serialize)]
struct DynamicForwardProxy {
    sub_clusters_config: SubClusters,
}

#[derive(Serialize)]
struct SubClusters {
    /// Names come from clients: clusters must not grow with their fantasy.
    max_sub_clusters: Commented<u32>,
    sub_cluster_ttl: &'static str,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    http_filters: Option<[UpstreamFilter; 2]>,
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
        ListenerKind::Tcp { cluster } | ListenerKind::TcpUpstream { cluster } => {
            by_address(node, cluster, Decision::of(listener).cluster(cluster))
        }
    });
    all.filter(|cluster| seen.insert(cluster.name.clone())).collect()
}

/// The name of the cluster that resolves `name`.
pub(super) fn dns_cluster(name: &str, port: u16) -> String {
    format!("dns:{name}:{port}")
}

fn of_route(node: &Node, route: &Route) -> Vec<WireCluster> {
    match route {
        Route::Cluster(cluster) | Route::Upstream(cluster) => by_address(node, cluster, cluster.clone()),
        Route::Names { names, port } => names.iter().map(|name| by_name(node, name, *port)).collect(),
        Route::AnyName { .. } => vec![any_name(node)],
    }
}

/// The described cluster `cluster`, if there is one, under the name `name`.
fn by_address(node: &Node, cluster: &str, name: String) -> Vec<WireCluster> {
    if cluster == Cluster::ORIGINAL_DST {
        return vec![original_dst(name)];
    }
    let described = node.clusters.iter().find(|described| described.name == cluster);
    described
        .map(|described| statically(described, name))
        .into_iter()
        .collect()
}

fn statically(described: &Cluster, name: String) -> WireCluster {
    let addresses = described
        .endpoints
        .iter()
        .map(|&ip| EndpointAddress::Ip(Address::tcp(ip)));
    let load_assignment = assignment(&name, addresses);
    let discovery = Discovery::Static {
        r#type: "STATIC",
        load_assignment,
    };
    let transport_socket = described.tls.as_ref().map(ClientTls::transport_socket);
    WireCluster {
        transport_socket,
        ..cluster(name, discovery, None, None)
    }
}

/// The address that the client meant, on listeners that know it.
fn original_dst(name: String) -> WireCluster {
    let discovery = Discovery::Original {
        r#type: "ORIGINAL_DST",
        lb_policy: "CLUSTER_PROVIDED",
    };
    cluster(name, discovery, None, None)
}

fn by_name(node: &Node, host: &str, port: u16) -> WireCluster {
    let name = dns_cluster(host, port);
    let socket_address = NamedAddress {
        address: host.to_owned(),
        port_value: port,
    };
    let config = DnsCluster {
        dns_lookup_family: dns::LOOKUP_FAMILY,
        respect_dns_ttl: true,
        all_addresses_in_single_endpoint: false,
        typed_dns_resolver_config: dns::resolver(node.dns_resolver),
    };
    let discovery = Discovery::Dns {
        cluster_type: Extension::new(
            "envoy.clusters.dns",
            "envoy.extensions.clusters.dns.v3.DnsCluster",
            config,
        ),
        load_assignment: assignment(&name, [EndpointAddress::Name { socket_address }]),
    };
    named(node, name, discovery, None)
}

fn any_name(node: &Node) -> WireCluster {
    let cluster_type = Extension::new(
        "envoy.clusters.dynamic_forward_proxy",
        "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
        DynamicForwardProxy {
            sub_clusters_config: SubClusters {
                max_sub_clusters: Commented(1024, "names come from clients".into()),
                sub_cluster_ttl: "300s",
            },
        },
    );
    let discovery = Discovery::Dynamic {
        lb_policy: "CLUSTER_PROVIDED",
        cluster_type,
        dns_lookup_family: dns::LOOKUP_FAMILY,
        typed_dns_resolver_config: dns::resolver(node.dns_resolver),
    };
    let verified = ServerName {
        auto_sni: true,
        auto_san_validation: true,
    };
    named(node, ANY_NAME.to_owned(), discovery, Some(verified))
}

/// A cluster whose addresses come from DNS, and are not believed.
fn named(node: &Node, name: String, discovery: Discovery, server_name: Option<ServerName>) -> WireCluster {
    cluster(
        name,
        discovery,
        server_name,
        Some(range::upstream_guard(&node.cluster_ranges)),
    )
}

fn cluster(
    name: String,
    discovery: Discovery,
    upstream_http_protocol_options: Option<ServerName>,
    http_filters: Option<[UpstreamFilter; 2]>,
) -> WireCluster {
    const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let options = ProtocolOptions {
        upstream_http_protocol_options,
        use_downstream_protocol_config: UseDownstream {
            http_protocol_options: Empty {},
            http2_protocol_options: Empty {},
        },
        http_filters,
    };
    let options = BTreeMap::from([(OPTIONS, Any::new(OPTIONS, options))]);
    WireCluster {
        name,
        connect_timeout: "5s",
        discovery,
        transport_socket: None,
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

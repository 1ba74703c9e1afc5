//! The HTTP connection manager: what the policy sees must be what the application gets.

use serde::Serialize;
use serde_saphyr::Commented;

use super::access_log::{self, AccessLog};
use super::any::{Empty, Extension};
use super::guard::{self, Guard, Lua, Position};
use super::plugin::Subscription;
use super::range;
use super::routes::{self, RouteConfiguration};
use super::{Node, Route, Underscores};
use crate::ecds::Layer;

/// Envoy's HTTP filter chain and the settings in front of it.
#[derive(Serialize)]
pub(super) struct ConnectionManager {
    stat_prefix: String,
    use_remote_address: Commented<bool>,
    xff_num_trusted_hops: Commented<u32>,
    internal_address_config: InternalAddresses,
    normalize_path: Commented<bool>,
    merge_slashes: Commented<bool>,
    path_with_escaped_slashes_action: Commented<&'static str>,
    common_http_protocol_options: CommonOptions,
    http_protocol_options: Http1Options,
    http2_protocol_options: Http2Options,
    request_headers_timeout: Commented<&'static str>,
    delayed_close_timeout: Commented<&'static str>,
    stream_idle_timeout: &'static str,
    server_header_transformation: Commented<&'static str>,
    generate_request_id: bool,
    upgrade_configs: [Upgrade; 1],
    access_log: Vec<AccessLog>,
    route_config: RouteConfiguration,
    http_filters: Vec<HttpFilter>,
}

#[derive(Serialize)]
struct InternalAddresses {
    unix_sockets: Commented<bool>,
}

#[derive(Serialize)]
struct CommonOptions {
    headers_with_underscores_action: Commented<&'static str>,
    idle_timeout: &'static str,
    max_connection_duration: Commented<String>,
}

#[derive(Serialize)]
struct Http1Options {
    accept_http_10: Commented<bool>,
}

#[derive(Serialize)]
struct Http2Options {
    max_concurrent_streams: Commented<u32>,
    initial_stream_window_size: u32,
    initial_connection_window_size: u32,
}

#[derive(Serialize)]
struct Upgrade {
    upgrade_type: Commented<&'static str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum HttpFilter {
    Plugin(Subscription),
    Guard(Extension<Guard>),
    Resolve(Extension<DynamicForwardProxy>),
    Router(Extension<Router>),
}

#[derive(Serialize)]
struct DynamicForwardProxy {
    sub_cluster_config: SubCluster,
}

#[derive(Serialize)]
struct SubCluster {
    /// How long a request waits for the first answer about its name.
    cluster_init_timeout: &'static str,
}

#[derive(Serialize)]
struct Router {
    suppress_envoy_headers: Commented<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    upstream_http_filters: Vec<EndpointFilter>,
}

/// Filters between the router and the endpoint that was chosen.
#[derive(Serialize)]
#[serde(untagged)]
enum EndpointFilter {
    Plugin(Subscription),
    Guard(Extension<Lua>),
    Codec(Extension<Empty>),
}

/// The last network filter of an HTTP listener.
pub(super) fn connection_manager(node: &Node, listener: &str, route: &Route) -> Extension<ConnectionManager> {
    let manager = ConnectionManager {
        stat_prefix: listener.to_owned(),
        use_remote_address: why(true, "the source is the TCP peer, whatever X-Forwarded-For says"),
        xff_num_trusted_hops: why(0, "no client gets to name its own address"),
        internal_address_config: InternalAddresses {
            unix_sockets: why(false, "nobody may steer Envoy with x-envoy-* headers"),
        },
        normalize_path: why(true, "/a/../b is judged and forwarded as /b"),
        merge_slashes: why(true, "//a is judged and forwarded as /a"),
        path_with_escaped_slashes_action: escaped_slashes(),
        common_http_protocol_options: CommonOptions {
            headers_with_underscores_action: underscores(node.underscores),
            idle_timeout: "3600s",
            max_connection_duration: max_connection(node),
        },
        http_protocol_options: Http1Options {
            accept_http_10: why(true, "old clients are judged like others; by default they get 426"),
        },
        http2_protocol_options: Http2Options {
            max_concurrent_streams: why(100, "and windows: what one client can make Envoy hold"),
            initial_stream_window_size: 64 * 1024,
            initial_connection_window_size: 1024 * 1024,
        },
        request_headers_timeout: why("10s", "a client that never finishes its headers"),
        delayed_close_timeout: why("0.5s", "what policy takes back is closed within a second"),
        stream_idle_timeout: "300s",
        server_header_transformation: why("PASS_THROUGH", "the application's answer, unaltered"),
        generate_request_id: false,
        upgrade_configs: [Upgrade {
            upgrade_type: why("websocket", "judged as its request"),
        }],
        access_log: access_log::requests(node, listener),
        route_config: routes::of(route),
        http_filters: filters(node, route),
    };
    Extension::new(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        manager,
    )
}

fn filters(node: &Node, route: &Route) -> Vec<HttpFilter> {
    let mut filters = vec![
        HttpFilter::Plugin(Subscription::new(Layer::Http, &node.state_dir)),
        HttpFilter::Guard(guard::rbac(Position::Request)),
    ];
    // After the guard: a denied request must not even cause a DNS query.
    if let Route::AnyName { .. } = route {
        let proxy = DynamicForwardProxy {
            sub_cluster_config: SubCluster {
                cluster_init_timeout: "5s",
            },
        };
        filters.push(HttpFilter::Resolve(Extension::new(
            "envoy.filters.http.dynamic_forward_proxy",
            "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
            proxy,
        )));
    }
    filters.push(HttpFilter::Router(Extension::new(
        "envoy.filters.http.router",
        "envoy.extensions.filters.http.router.v3.Router",
        Router {
            suppress_envoy_headers: why(true, "no x-envoy-* headers are added"),
            upstream_http_filters: endpoint_filters(node, route),
        },
    )));
    filters
}

/// Where the destination is the endpoint that load balancing chose, the plugin decides once that is known, and before
/// the endpoint gets a byte.
fn endpoint_filters(node: &Node, route: &Route) -> Vec<EndpointFilter> {
    if !matches!(route, Route::Upstream(_)) {
        return vec![];
    }
    vec![
        EndpointFilter::Plugin(Subscription::new(Layer::Http, &node.state_dir)),
        EndpointFilter::Guard(guard::endpoint()),
        EndpointFilter::Codec(range::upstream_codec()),
    ]
}

/// When a connection has to be made anew.
pub(super) fn max_connection(node: &Node) -> Commented<String> {
    let seconds = node.max_connection.as_secs();
    Commented(
        format!("{seconds}s"),
        "old policies live as long as their connections".into(),
    )
}

/// `%2F` and `%5C` become slashes before the policy looks, and the application gets the same path. Of the four
/// choices, keeping them would let `/public%2F..%2Fadmin` be `/public…` for the policy and `/admin` for a server
/// that decodes; rejecting breaks applications that put whole paths into one segment; redirecting shows a client,
/// before any verdict, that something answers.
fn escaped_slashes() -> Commented<&'static str> {
    why("UNESCAPE_AND_FORWARD", "%2F is judged and forwarded as /")
}

fn underscores(underscores: Underscores) -> Commented<&'static str> {
    match underscores {
        Underscores::Reject => why("REJECT_REQUEST", "some servers take x_user for x-user"),
        Underscores::Drop => why("DROP_HEADER", "some servers take x_user for x-user"),
        Underscores::Allow => why("ALLOW", "the applications keep x_user and x-user apart"),
    }
}

fn why<T>(value: T, reason: &str) -> Commented<T> {
    Commented(value, reason.to_owned())
}

//! Full names of the messages that matter here.

pub(crate) const NETWORK_WASM: &str = "envoy.extensions.filters.network.wasm.v3.Wasm";
pub(crate) const NETWORK_RBAC: &str = "envoy.extensions.filters.network.rbac.v3.RBAC";
pub(crate) const TCP_PROXY: &str = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
pub(crate) const SET_FILTER_STATE: &str = "envoy.extensions.filters.network.set_filter_state.v3.Config";
pub(crate) const MANAGER: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
pub(crate) const HTTP_WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
pub(crate) const HTTP_RBAC: &str = "envoy.extensions.filters.http.rbac.v3.RBAC";
pub(crate) const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";
pub(crate) const FORWARD_PROXY: &str = "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig";
pub(crate) const CACHE: &str = "envoy.extensions.filters.http.cache.v3.CacheConfig";
pub(crate) const HEALTH_CHECK: &str = "envoy.extensions.filters.http.health_check.v3.HealthCheck";
pub(crate) const LUA: &str = "envoy.extensions.filters.http.lua.v3.Lua";
pub(crate) const UPSTREAM_CODEC: &str = "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec";
pub(crate) const PROXY_PROTOCOL: &str = "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
pub(crate) const TLS_INSPECTOR: &str = "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
pub(crate) const TLS: &str = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
pub(crate) const QUIC: &str = "envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport";
pub(crate) const MTLS_PRINCIPAL: &str = "envoy.extensions.rbac.principals.mtls_authenticated.v3.Config";
pub(crate) const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

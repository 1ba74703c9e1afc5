//! How connections come to a listener, and what is read of them before the first filter.

use serde::Serialize;
use serde_saphyr::Commented;

use super::Listener;
use super::any::{Empty, Extension};

/// How connections to other addresses come to a listener. The plugin then judges the address that the client meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginalDst {
    /// `iptables -j REDIRECT`: the kernel rewrote the destination, and remembers it.
    Redirect,
    /// `iptables -j TPROXY`: the destination is untouched, and the listener may bind any. Needs `CAP_NET_ADMIN`.
    Transparent,
}

/// Every connection starts with a header of the PROXY protocol, version 1 or 2, whose addresses replace its own.
///
/// **Whoever reaches the listener may be anybody.** Only proxies should reach it. They name the destination, too: the
/// policy that is asked is that of the address in the header, unless the plugin's configuration says which `workload`
/// it serves, or the destination is the [endpoint that was chosen](super::Route::Upstream). An address that the policy
/// does not know, such as that of a load balancer, is denied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyProtocol {
    /// The TLVs to keep, each with the key under which [`Identity`](super::Identity) names it.
    pub tlvs: Vec<(u8, String)>,
}

/// What looks at a connection before a filter chain is chosen.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ListenerFilter {
    ProxyProtocol(Extension<ProxyProtocolFilter>),
    Plain(Extension<Empty>),
}

#[derive(Serialize)]
pub(super) struct ProxyProtocolFilter {
    allow_requests_without_proxy_protocol: Commented<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<Rule>,
}

#[derive(Serialize)]
struct Rule {
    tlv_type: u8,
    on_tlv_present: Key,
}

#[derive(Serialize)]
struct Key {
    key: String,
}

/// The filters of `listener`, in the order in which they need the connection's first bytes.
pub(super) fn listener_filters(listener: &Listener) -> Vec<ListenerFilter> {
    let mut filters = Vec::new();
    if let Some(protocol) = &listener.proxy_protocol {
        filters.push(ListenerFilter::ProxyProtocol(proxy_protocol(protocol)));
    }
    if listener.original_dst.is_some() {
        filters.push(plain("original_dst", "OriginalDst"));
    }
    // Without it the server name is unknown when the plugin judges the connection, also where Envoy terminates TLS.
    if listener.tls_inspector || listener.tls.is_some() {
        filters.push(plain("tls_inspector", "TlsInspector"));
    }
    filters
}

fn proxy_protocol(described: &ProxyProtocol) -> Extension<ProxyProtocolFilter> {
    let rule = |(tlv_type, key): &(u8, String)| Rule {
        tlv_type: *tlv_type,
        on_tlv_present: Key { key: key.clone() },
    };
    let filter = ProxyProtocolFilter {
        allow_requests_without_proxy_protocol: Commented(false, "a header or nothing".into()),
        rules: described.tlvs.iter().map(rule).collect(),
    };
    Extension::new(
        "envoy.filters.listener.proxy_protocol",
        "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
        filter,
    )
}

fn plain(name: &str, message: &str) -> ListenerFilter {
    ListenerFilter::Plain(Extension::new(
        &format!("envoy.filters.listener.{name}"),
        &format!("envoy.extensions.filters.listener.{name}.v3.{message}"),
        Empty {},
    ))
}

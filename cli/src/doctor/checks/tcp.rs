//! TCP: when the upstream is contacted.

use super::super::{
    envoy::{Chain, Filter, Listener, Snapshot, kind},
    fault,
    finding::Findings,
    json::Json as _,
};

/// How the name of the cluster begins that the verdict selects.
const BY_VERDICT: &str = "%FILTER_STATE(wasm.portcullis_l4:PLAIN)%";

/// Checks a chain that ends in a TCP proxy.
pub(super) fn check(snapshot: &Snapshot, listener: &Listener<'_>, chain: &Chain<'_>, found: &mut Findings) {
    let Some(proxy) = chain.tcp_proxy().filter(|_| !is_dead_end(snapshot, chain)) else {
        return;
    };
    let place = format!("{}.filters[{}]", chain.place, proxy.index);
    // Envoy leaves out the default.
    let mode = match proxy.message.text("/upstream_connect_mode") {
        "" => "IMMEDIATE",
        mode => mode,
    };
    let certificate = listener.certificate();
    if !fits(mode, &certificate) {
        let message = format!("`upstream_connect_mode` is {mode}, which does not fit `certificate: {certificate}`");
        found.add(&fault::CONNECT_MODE, &listener.name, &place, message);
    }
    let judged = chain.filters.iter().any(Filter::is_plugin);
    if judged && mode != "ON_DOWNSTREAM_DATA" && !selects_by_verdict(chain) {
        let message = format!(
            "`{}` contacts a cluster that the plugin's word did not select",
            proxy.name
        );
        found.add(&fault::UPSTREAM_GUARD_MISSING, &listener.name, &place, message);
    }
}

/// Whether connections on this chain cannot get anywhere: its cluster does not exist, and nothing selects another.
pub(super) fn is_dead_end(snapshot: &Snapshot, chain: &Chain<'_>) -> bool {
    let Some(proxy) = chain.tcp_proxy() else { return false };
    let mut before = chain.filters.iter().take_while(|filter| filter.index != proxy.index);
    let cluster = proxy.message.text("/cluster");
    !cluster.is_empty()
        && before.all(|filter| filter.is_plugin() || filter.kind == kind::NETWORK_RBAC)
        && snapshot.clusters().all(|known| known.text("/name") != cluster)
}

/// Whether a certificate that decides is known when the upstream is contacted. A witness speaks at the first byte of
/// the client.
fn fits(mode: &str, certificate: &str) -> bool {
    match certificate {
        "witnessed" => mode == "ON_DOWNSTREAM_DATA",
        "verified" => ["ON_DOWNSTREAM_DATA", "ON_DOWNSTREAM_TLS_HANDSHAKE"].contains(&mode),
        _ => true,
    }
}

/// Whether a native filter behind the plugin makes the name of the cluster depend on the verdict.
fn selects_by_verdict(chain: &Chain<'_>) -> bool {
    let behind = chain.filters.iter().skip_while(|filter| !filter.is_plugin());
    let mut selectors = behind.filter(|filter| filter.kind == kind::SET_FILTER_STATE);
    selectors.any(|filter: &Filter<'_>| {
        let mut assignments = filter.message.items("/on_new_connection");
        assignments.any(|assignment| {
            let format = assignment.text("/format_string/text_format_source/inline_string");
            assignment.text("/object_key") == "envoy.tcp_proxy.cluster" && format.starts_with(BY_VERDICT)
        })
    })
}

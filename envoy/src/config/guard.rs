//! The native guards behind the plugin.
//!
//! When a plugin is accepted by Envoy's test VM but fails to configure in a worker's VM, Envoy runs **without** it and
//! lets everything pass, whatever the failure policy says. The guards are Envoy's own filters, so nothing that
//! happens inside a VM can switch them off: only the exact word `allow` in filter state opens them, and only the
//! plugin writes filter state with the prefix `wasm.`.

use serde::Serialize;
use serde_saphyr::Commented;

use super::any::Extension;
use super::rbac::{Any, Rbac};
use crate::ecds::Layer;

/// The filter that allows those who carry the plugin's word, and denies the rest.
pub(super) type Guard = Rbac<Any, Principal>;

#[derive(Serialize)]
pub(super) struct Principal {
    filter_state: FilterState,
}

#[derive(Serialize)]
struct FilterState {
    key: String,
    string_match: Exact,
}

#[derive(Serialize)]
struct Exact {
    exact: Commented<&'static str>,
}

/// Closes a connection (403 for a request) at the first byte unless the plugin allowed it.
pub(super) fn rbac(layer: Layer) -> Extension<Guard> {
    let carries_the_word = Principal {
        filter_state: FilterState {
            key: state_key(layer),
            string_match: Exact {
                exact: Commented("allow", "nothing else opens the guard".into()),
            },
        },
    };
    let rbac = Rbac::allow("plugin-said-allow", Any::ANY, carries_the_word);
    let (message_type, rbac) = match layer {
        Layer::Network => (
            "envoy.extensions.filters.network.rbac.v3.RBAC",
            rbac.counted_as("portcullis_guard"),
        ),
        Layer::Http => ("envoy.extensions.filters.http.rbac.v3.RBAC", rbac),
    };
    Extension::new("portcullis-guard", message_type, rbac)
}

/// Writes filter state when a connection arrives.
#[derive(Serialize)]
pub(super) struct SetFilterState {
    on_new_connection: [Assignment; 1],
}

#[derive(Serialize)]
struct Assignment {
    object_key: &'static str,
    format_string: Format,
}

#[derive(Serialize)]
struct Format {
    text_format_source: InlineString,
}

#[derive(Serialize)]
struct InlineString {
    inline_string: Commented<String>,
}

/// Makes the name of a TCP upstream depend on the verdict, so that there is none without `allow`.
///
/// Envoy's network RBAC first looks when the client's first byte arrives, and `tcp_proxy` has contacted the upstream
/// by then; a server that speaks first would even be heard. This filter acts when the connection is accepted: it
/// selects the cluster `VERDICT:NAME`, and the only clusters that exist are called [`allow:NAME`](tcp_cluster).
pub(super) fn cluster_by_verdict(cluster: &str) -> Extension<SetFilterState> {
    let format = format!("%FILTER_STATE({}:PLAIN)%:{cluster}", state_key(Layer::Network));
    let assignment = Assignment {
        object_key: "envoy.tcp_proxy.cluster",
        format_string: Format {
            text_format_source: InlineString {
                inline_string: Commented(format, "no verdict, no such cluster".into()),
            },
        },
    };
    Extension::new(
        "portcullis-guard-upstream",
        "envoy.extensions.filters.network.set_filter_state.v3.Config",
        SetFilterState {
            on_new_connection: [assignment],
        },
    )
}

/// The name under which TCP listeners reach a cluster.
pub(super) fn tcp_cluster(cluster: &str) -> String {
    format!("allow:{cluster}")
}

/// Where the plugin leaves its word, as native filters read it.
fn state_key(layer: Layer) -> String {
    match layer {
        Layer::Network => "wasm.portcullis_l4".into(),
        Layer::Http => "wasm.portcullis_http".into(),
    }
}

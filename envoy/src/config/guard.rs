//! The native guards behind the plugin.
//!
//! When a plugin is accepted by Envoy's test VM but fails to configure in a worker's VM, Envoy runs **without** it and
//! lets everything pass, whatever the failure policy says. The guards are Envoy's own filters, so nothing that
//! happens inside a VM can switch them off: only the exact word `allow` in filter state opens them, and only the
//! plugin writes filter state with the prefix `wasm.`.

use serde::Serialize;
use serde_saphyr::{Commented, LitStr};

use super::any::Extension;
use super::identity::Identity;
use super::rbac::{Any, Rbac};

/// The filter that allows those who carry the plugin's word, and denies the rest.
pub(super) type Guard = Rbac<Any, Principal>;

#[derive(Serialize)]
pub(super) struct Principal {
    filter_state: FilterState,
}

#[derive(Serialize)]
struct FilterState {
    key: &'static str,
    string_match: Exact,
}

#[derive(Serialize)]
struct Exact {
    exact: Commented<&'static str>,
}

/// Where the plugin leaves its word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// In front of a connection's bytes.
    Connection,
    /// In front of the routing of a request.
    Request,
}

/// Closes a connection (403 for a request) at the first byte unless the plugin allowed it.
pub(super) fn rbac(position: Position) -> Extension<Guard> {
    let carries_the_word = Principal {
        filter_state: FilterState {
            key: state_key(position),
            string_match: Exact {
                exact: Commented("allow", "nothing else opens the guard".into()),
            },
        },
    };
    let rbac = Rbac::allow("plugin-said-allow", Any::ANY, carries_the_word);
    let (message_type, rbac) = match position {
        Position::Connection => (
            "envoy.extensions.filters.network.rbac.v3.RBAC",
            rbac.counted_as("portcullis_guard"),
        ),
        Position::Request => ("envoy.extensions.filters.http.rbac.v3.RBAC", rbac),
    };
    Extension::new("portcullis-guard", message_type, rbac)
}

/// Writes filter state when a connection arrives.
#[derive(Serialize)]
pub(super) struct SetFilterState {
    on_new_connection: Vec<Assignment>,
}

#[derive(Serialize)]
struct Assignment {
    object_key: String,
    /// What the value becomes; `None` means the kind that belongs to the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    factory_key: Option<&'static str>,
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
/// selects the cluster `VERDICT:NAME`, and the only clusters that exist are called `allow:NAME`, or where the plugin
/// decides later, `pending:NAME`: see [`cluster_after`].
pub(super) fn cluster_by_verdict(cluster: &str) -> Extension<SetFilterState> {
    let format = format!("%FILTER_STATE({}:PLAIN)%:{cluster}", state_key(Position::Connection));
    let assignment = Assignment {
        object_key: "envoy.tcp_proxy.cluster".into(),
        factory_key: None,
        format_string: Format::new(format, "no verdict, no such cluster"),
    };
    set_filter_state("portcullis-guard-upstream", vec![assignment])
}

/// The name of the cluster `cluster` where the plugin has to say `word` before it is contacted.
pub(super) fn cluster_after(word: &str, cluster: &str) -> String {
    format!("{word}:{cluster}")
}

/// Writes the values that native filters vouch for, in front of the plugin; nothing if there are none.
pub(super) fn native_values(identity: &Identity) -> Option<Extension<SetFilterState>> {
    let assignments: Vec<_> = identity
        .native_values()
        .filter_map(|value| {
            value.format.as_ref().map(|format| Assignment {
                object_key: value.key.clone(),
                factory_key: Some("envoy.string"),
                format_string: Format::new(format.clone(), "the plugin believes this"),
            })
        })
        .collect();
    (!assignments.is_empty()).then(|| set_filter_state("portcullis-identity", assignments))
}

fn set_filter_state(name: &str, on_new_connection: Vec<Assignment>) -> Extension<SetFilterState> {
    Extension::new(
        name,
        "envoy.extensions.filters.network.set_filter_state.v3.Config",
        SetFilterState { on_new_connection },
    )
}

impl Format {
    fn new(format: String, why: &str) -> Self {
        Self {
            text_format_source: InlineString {
                inline_string: Commented(format, why.to_owned()),
            },
        }
    }
}

/// Where the plugin leaves its word, as native filters read it.
fn state_key(position: Position) -> &'static str {
    match position {
        Position::Connection => "wasm.portcullis_l4",
        Position::Request => "wasm.portcullis_http",
    }
}

/// A filter in Lua.
#[derive(Serialize)]
pub(super) struct Lua {
    default_source_code: Script,
}

#[derive(Serialize)]
struct Script {
    inline_string: LitStr<'static>,
}

/// Answers 403 between the router and the endpoint that was chosen, unless the plugin in that place allowed it.
///
/// RBAC is of no use there: it decides when the endpoint is chosen, which is before the plugin sees the request.
pub(super) fn endpoint() -> Extension<Lua> {
    let script = Script {
        inline_string: LitStr(ENDPOINT_GUARD),
    };
    Extension::new(
        "portcullis-guard-endpoint",
        "envoy.extensions.filters.http.lua.v3.Lua",
        Lua {
            default_source_code: script,
        },
    )
}

const ENDPOINT_GUARD: &str = r#"-- Nothing else opens the guard. After an error, Envoy would let the request pass: hence pcall.
function envoy_on_request(handle)
  local known, word = pcall(function()
    return handle:streamInfo():filterState():get("wasm.portcullis_upstream")
  end)
  if not known or word ~= "allow" then
    handle:respond({[":status"] = "403"}, "Access denied\r\n")
  end
end
"#;

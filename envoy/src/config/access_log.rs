//! Access logs: a JSON line for each connection, and for each request, with the verdict and its reason.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::Node;
use super::any::Extension;

/// Envoy's file logger.
#[derive(Serialize)]
pub(super) struct FileLog {
    path: String,
    log_format: LogFormat,
}

#[derive(Serialize)]
struct LogFormat {
    json_format: BTreeMap<&'static str, String>,
}

/// What both kinds of line say. `verdict` is the plugin's; `flags` and `closed` tell when something else ended it.
const COMMON: &[(&str, &str)] = &[
    ("time", "%START_TIME%"),
    ("source", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"),
    ("destination", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("upstream", "%UPSTREAM_HOST%"),
    ("peer", "%FILTER_STATE(wasm.portcullis_peer:PLAIN)%"),
    ("verdict", "%FILTER_STATE(wasm.portcullis_verdict:PLAIN)%"),
    ("reason", "%FILTER_STATE(wasm.portcullis_reason:PLAIN)%"),
    ("rule", "%FILTER_STATE(wasm.portcullis_rule:PLAIN)%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("duration_ms", "%DURATION%"),
];

const CONNECTION: &[(&str, &str)] = &[
    ("l4", "%FILTER_STATE(wasm.portcullis_l4:PLAIN)%"),
    ("sni", "%REQUESTED_SERVER_NAME%"),
    (
        "certificate",
        "%DYNAMIC_METADATA(envoy.filters.network.rbac:portcullis_shadow_engine_result)%",
    ),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
];

/// For an Envoy that knows it.
const CLOSED: (&str, &str) = ("closed", "%DOWNSTREAM_LOCAL_CLOSE_REASON%");

const REQUEST: &[(&str, &str)] = &[
    ("http", "%FILTER_STATE(wasm.portcullis_http:PLAIN)%"),
    ("protocol", "%PROTOCOL%"),
    ("method", "%REQ(:METHOD)%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("path", "%REQ(:PATH)%"),
    ("status", "%RESPONSE_CODE%"),
    ("details", "%RESPONSE_CODE_DETAILS%"),
];

/// One line when a connection on this listener ends. The listener writes it, not the last filter, so that a
/// connection which was denied before it became HTTP has a line too.
pub(super) fn connections(node: &Node, listener: &str) -> Extension<FileLog> {
    let closed = node.envoy.logs_close_reasons().then_some(CLOSED);
    let own = CONNECTION.iter().copied().chain(closed);
    file(&node.access_log, "connection", listener, own)
}

/// One line when a request on this listener ends.
pub(super) fn requests(node: &Node, listener: &str) -> Extension<FileLog> {
    file(&node.access_log, "request", listener, REQUEST.iter().copied())
}

fn file(
    path: &Path,
    what: &str,
    listener: &str,
    own: impl Iterator<Item = (&'static str, &'static str)>,
) -> Extension<FileLog> {
    let fixed = [("log", what.to_owned()), ("listener", listener.to_owned())];
    let formats = COMMON
        .iter()
        .copied()
        .chain(own)
        .map(|(key, format)| (key, format.to_owned()));
    let log = FileLog {
        path: path.display().to_string(),
        log_format: LogFormat {
            json_format: fixed.into_iter().chain(formats).collect(),
        },
    };
    Extension::new(
        "envoy.access_loggers.file",
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        log,
    )
}

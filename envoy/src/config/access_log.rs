//! Access logs: a JSON line for each connection, and for each request, with the verdict and its reason.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::Node;
use super::any::Extension;
use super::flow_log::{self, FlowFormat, HasFlow};

/// A log, and which of the connections or requests it is about.
#[derive(Serialize)]
pub(super) struct AccessLog {
    /// `None` means all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<HasFlow>,
    #[serde(flatten)]
    logger: Extension<FileLog>,
}

/// Envoy's file logger.
#[derive(Serialize)]
struct FileLog {
    path: String,
    log_format: LogFormat,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum LogFormat {
    /// An object with these values, which Envoy escapes.
    JsonFormat(BTreeMap<&'static str, String>),
    /// A line as it stands.
    TextFormatSource(FlowFormat),
}

/// What both kinds of line say. `would` is what the verdict would be without audit mode, if a policy is in it; `flags` and
/// `closed` tell when something else ended it.
const COMMON: &[(&str, &str)] = &[
    ("time", "%START_TIME%"),
    ("source", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"),
    ("destination", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("upstream", "%UPSTREAM_HOST%"),
    ("source_identity", "%FILTER_STATE(wasm.portcullis_source:PLAIN)%"),
    (
        "destination_identity",
        "%FILTER_STATE(wasm.portcullis_destination:PLAIN)%",
    ),
    ("peer", "%FILTER_STATE(wasm.portcullis_peer:PLAIN)%"),
    ("reason", "%FILTER_STATE(wasm.portcullis_reason:PLAIN)%"),
    ("rule", "%FILTER_STATE(wasm.portcullis_rule:PLAIN)%"),
    ("would", "%FILTER_STATE(wasm.portcullis_would:PLAIN)%"),
    ("would_reason", "%FILTER_STATE(wasm.portcullis_would_reason:PLAIN)%"),
    ("would_rule", "%FILTER_STATE(wasm.portcullis_would_rule:PLAIN)%"),
    ("flags", "%RESPONSE_FLAGS%"),
    ("duration_ms", "%DURATION%"),
];

const CONNECTION: &[(&str, &str)] = &[
    ("verdict", "%FILTER_STATE(wasm.portcullis_verdict:PLAIN)%"),
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
    // An allowed request writes no other.
    ("verdict", "%FILTER_STATE(wasm.portcullis_http:PLAIN)%"),
    ("http", "%FILTER_STATE(wasm.portcullis_http:PLAIN)%"),
    ("protocol", "%PROTOCOL%"),
    ("method", "%REQ(:METHOD)%"),
    ("authority", "%REQ(:AUTHORITY)%"),
    ("path", "%REQ(:PATH)%"),
    ("status", "%RESPONSE_CODE%"),
    ("details", "%RESPONSE_CODE_DETAILS%"),
];

/// What a listener writes when one of its connections ends. The listener writes it, not the last filter, so that a
/// connection which was denied before it became HTTP has a line too.
pub(super) fn connections(node: &Node, listener: &str) -> Vec<AccessLog> {
    let closed = node.envoy.logs_close_reasons().then_some(CLOSED);
    let own = CONNECTION.iter().copied().chain(closed);
    logs(node, "connection", listener, own)
}

/// What is written when a request on this listener ends.
pub(super) fn requests(node: &Node, listener: &str) -> Vec<AccessLog> {
    logs(node, "request", listener, REQUEST.iter().copied())
}

fn logs(
    node: &Node,
    what: &str,
    listener: &str,
    own: impl Iterator<Item = (&'static str, &'static str)>,
) -> Vec<AccessLog> {
    let fixed = [("log", what.to_owned()), ("listener", listener.to_owned())];
    let formats = COMMON
        .iter()
        .copied()
        .chain(own)
        .map(|(key, format)| (key, format.to_owned()));
    let everything = AccessLog {
        filter: None,
        logger: file(
            &node.access_log,
            LogFormat::JsonFormat(fixed.into_iter().chain(formats).collect()),
        ),
    };
    let flows = node.flow_log.as_deref().map(|path| AccessLog {
        filter: Some(HasFlow::new()),
        logger: file(path, LogFormat::TextFormatSource(flow_log::line(&node.id, listener))),
    });
    [everything].into_iter().chain(flows).collect()
}

fn file(path: &Path, log_format: LogFormat) -> Extension<FileLog> {
    let log = FileLog {
        path: path.display().to_string(),
        log_format,
    };
    Extension::new(
        "envoy.access_loggers.file",
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        log,
    )
}

//! The flow log: a line in the form of Hubble's flows for each verdict, in a file of its own.
//!
//! The plugin writes the flow, with every string escaped, and Envoy adds what is only known at the end. Envoy's own
//! JSON format would make a string of it, so the line is a text format, in which **nothing is escaped**: besides the
//! flow it has only numbers and words of Envoy's, none of which a peer can choose.

use serde::Serialize;
use serde_json::Value;

use super::any::Extension;

/// Where the plugin leaves the flow, if its configuration says `flowLog`.
const FLOW: &str = "wasm.portcullis_flow";

/// Log only what has a flow: without one, the line would not be JSON. On an HTTP listener the requests have one, and
/// connections only if they were denied.
#[derive(Serialize)]
pub(super) struct HasFlow {
    extension_filter: Extension<Expression>,
}

#[derive(Serialize)]
struct Expression {
    expression: String,
}

impl HasFlow {
    pub(super) fn new() -> Self {
        let expression = Expression {
            expression: format!("'{FLOW}' in filter_state"),
        };
        Self {
            extension_filter: Extension::new(
                "envoy.access_loggers.extension_filters.cel",
                "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                expression,
            ),
        }
    }
}

/// A line as text.
#[derive(Serialize)]
pub(super) struct FlowFormat {
    inline_string: String,
}

/// What Envoy adds: numbers, and for `response_flags` letters, digits, `,` and `-`.
const ENVOY: &[(&str, &str)] = &[
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "\"%RESPONSE_FLAGS%\""),
    ("duration_ms", "%DURATION%"),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
];

/// The line for a flow on this listener.
pub(super) fn line(node: &str, listener: &str) -> FlowFormat {
    let (node, listener) = (literal(node), literal(listener));
    let mut envoy = format!("\"listener\":{listener}");
    for (key, value) in ENVOY {
        envoy.push_str(&format!(",\"{key}\":{value}"));
    }
    let line = format!(
        "{{\"flow\":%FILTER_STATE({FLOW}:PLAIN)%,\"node_name\":{node},\"time\":\"%START_TIME%\",\"envoy\":{{{envoy}}}}}\n"
    );
    FlowFormat { inline_string: line }
}

/// The text as a string of JSON in a format of Envoy.
fn literal(text: &str) -> String {
    Value::from(text).to_string().replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_line() {
        let rows = [
            ("node-1", r#""node-1""#, "a name"),
            (r#"a"b\c"#, r#""a\"b\\c""#, "what JSON escapes"),
            ("a\nb", r#""a\nb""#, "a line"),
            ("%REQ(x)%", r#""%%REQ(x)%%""#, "what Envoy would replace"),
        ];
        for (name, expected, why) in rows {
            assert_eq!(literal(name), expected, "{why}");
        }
    }

    #[test]
    fn a_line_is_json_once_envoy_filled_it_in() {
        let line = line("node-1", "web").inline_string;
        let filled = line
            .replace("%FILTER_STATE(wasm.portcullis_flow:PLAIN)%", "{}")
            .replace("%START_TIME%", "2026-01-02T03:04:05.678Z")
            .replace("%RESPONSE_FLAGS%", "UF,URX");
        let filled = ["RESPONSE_CODE", "DURATION", "BYTES_RECEIVED", "BYTES_SENT"]
            .iter()
            .fold(filled, |line, name| line.replace(&format!("%{name}%"), "1"));
        let value: Value = serde_json::from_str(&filled).unwrap();
        assert_eq!(value["envoy"]["listener"], "web");
        assert_eq!(value["node_name"], "node-1");
        assert!(filled.ends_with("}\n") && !filled.contains('%'), "{filled}");
    }
}

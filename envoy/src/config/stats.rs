//! Labels of the plugin's metrics.
//!
//! A plugin can only name a metric. So ours carry their labels as parts of the name, and these rules give them back to
//! whoever reads Envoy's statistics: the first group is cut out of the name, the second is the label's value.

use serde::Serialize;

/// `stats_config` of the bootstrap.
#[derive(Serialize)]
pub(super) struct StatsConfig {
    stats_tags: Vec<StatsTag>,
}

#[derive(Serialize)]
struct StatsTag {
    tag_name: &'static str,
    regex: &'static str,
}

/// Envoy wants each name once, so a rule is for all metrics that have the label. Names of policies have dots: theirs is
/// the last label, to the end.
const STATS_TAGS: &[(&str, &str)] = &[
    (
        "direction",
        r"^wasmcustom\.portcullis_(?:requests|audit)_total(\.dir\.(\w+))",
    ),
    (
        "layer",
        r"^wasmcustom\.portcullis_(?:(?:requests|audit)_total\.dir\.\w+|revoked_total)(\.layer\.(\w+))",
    ),
    (
        "verdict",
        r"^wasmcustom\.portcullis_requests_total\.dir\.\w+\.layer\.\w+(\.verdict\.(\w+))",
    ),
    (
        "policy",
        r"^wasmcustom\.portcullis_requests_total\.dir\.\w+\.layer\.\w+\.verdict\.\w+(\.policy\.(.+))$",
    ),
    (
        "would",
        r"^wasmcustom\.portcullis_audit_total\.dir\.\w+\.layer\.\w+(\.would\.(\w+))",
    ),
];

impl StatsConfig {
    pub(super) fn new() -> Self {
        let tag = |&(tag_name, regex): &(&'static str, &'static str)| StatsTag { tag_name, regex };
        Self {
            stats_tags: STATS_TAGS.iter().map(tag).collect(),
        }
    }
}

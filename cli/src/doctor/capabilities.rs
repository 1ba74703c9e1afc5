//! What the plugin needs of the proxy-wasm interface.

/// The callbacks and host functions without which the plugin does not do all that it should. The envoy crate grants
/// exactly these, and says why each.
pub(super) const NEEDED: &[&str] = &[
    "proxy_on_context_create",
    "proxy_on_configure",
    "proxy_on_tick",
    "proxy_on_new_connection",
    "proxy_on_downstream_data",
    "proxy_on_upstream_data",
    "proxy_on_request_headers",
    "proxy_on_delete",
    "proxy_log",
    "proxy_get_current_time_nanoseconds",
    "proxy_set_tick_period_milliseconds",
    "proxy_get_buffer_bytes",
    "proxy_set_buffer_bytes",
    "proxy_get_header_map_value",
    "proxy_get_header_map_pairs",
    "proxy_add_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_remove_header_map_value",
    "proxy_get_property",
    "proxy_set_property",
    "proxy_send_local_response",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_set_effective_context",
    "proxy_define_metric",
    "proxy_increment_metric",
    "proxy_record_metric",
    "environ_get",
    "environ_sizes_get",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn they_are_those_that_the_generator_grants() {
        let granted = envoy_e2e::config::CAPABILITIES.iter();
        let granted: BTreeSet<_> = granted.map(|capability| capability.function).collect();
        assert_eq!(NEEDED.iter().copied().collect::<BTreeSet<_>>(), granted);
    }
}

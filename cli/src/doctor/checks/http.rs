//! HTTP: whether the policy sees what the application gets.

use super::super::{
    envoy::{Filter, Listener, Manager, Snapshot, kind},
    fault,
    finding::Findings,
    json::Json as _,
};

/// Whether the listener tells the plugin that requests will be judged.
pub(super) fn is_expected(listener: &Listener<'_>) -> bool {
    listener.metadata("protocol") == Some("http")
}

/// Checks a connection manager.
pub(super) fn check(snapshot: &Snapshot, listener: &Listener<'_>, manager: &Manager<'_>, found: &mut Findings) {
    let Manager {
        place,
        config,
        filters,
        upstream: _,
    } = manager;
    if !is_expected(listener) && filters.iter().any(Filter::is_plugin) {
        let message = "the plugin judges requests, and the listener's metadata do not say `protocol: http`";
        found.add(&fault::PROTOCOL_UNSAID, &listener.name, place, message);
    }
    let settings = [
        (&fault::TRUSTS_FORWARDED_FOR, addresses(config)),
        (&fault::PATHS_NOT_NORMALISED, paths(config)),
        (&fault::UNDERSCORES_ALLOWED, underscores(config)),
    ];
    for (fault, wrong) in settings {
        if !wrong.is_empty() {
            found.add(fault, &listener.name, place, wrong.join(", "));
        }
    }
    overrides(snapshot, listener, manager, found);
}

/// What lets clients say where they are.
fn addresses(config: &serde_json::Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if !config.flag("/use_remote_address") {
        wrong.push("`use_remote_address` is off".to_owned());
    }
    match config.number("/xff_num_trusted_hops") {
        0 => {}
        hops => wrong.push(format!("`xff_num_trusted_hops` is {hops}")),
    }
    if config.items("/original_ip_detection_extensions").next().is_some() {
        wrong.push("`original_ip_detection_extensions` are there".to_owned());
    }
    wrong
}

/// What lets a path mean two things.
fn paths(config: &serde_json::Value) -> Vec<String> {
    let flags = ["normalize_path", "merge_slashes"];
    let off = flags.iter().filter(|flag| !config.flag(&format!("/{flag}")));
    let mut wrong: Vec<String> = off.map(|flag| format!("`{flag}` is off")).collect();
    let action = match config.text("/path_with_escaped_slashes_action") {
        "" => "IMPLEMENTATION_SPECIFIC_DEFAULT",
        action => action,
    };
    if ["IMPLEMENTATION_SPECIFIC_DEFAULT", "KEEP_UNCHANGED"].contains(&action) {
        wrong.push(format!("`path_with_escaped_slashes_action` is {action}"));
    }
    wrong
}

/// What lets a header be two.
fn underscores(config: &serde_json::Value) -> Vec<String> {
    match config.text("/common_http_protocol_options/headers_with_underscores_action") {
        "" | "ALLOW" => vec!["`headers_with_underscores_action` is ALLOW".to_owned()],
        _ => Vec::new(),
    }
}

/// Routes can configure each filter anew, or switch it off.
fn overrides(snapshot: &Snapshot, listener: &Listener<'_>, manager: &Manager<'_>, found: &mut Findings) {
    let mut settings = Vec::new();
    routes(snapshot, manager).everywhere("typed_per_filter_config", &mut settings);
    let Some(plugin) = manager.filters.iter().position(Filter::is_plugin) else {
        return;
    };
    let guard = manager
        .filters
        .iter()
        .skip(plugin)
        .find(|filter| filter.kind == kind::HTTP_RBAC);
    for filter in manager.filters.get(plugin).into_iter().chain(guard) {
        if settings.iter().any(|settings| settings.get(filter.name).is_some()) {
            let message = format!("a route has a `typed_per_filter_config` for `{}`", filter.name);
            found.add(&fault::ROUTE_OVERRIDE, &listener.name, &manager.place, message);
        }
    }
}

/// The routes of a connection manager, its own or those that it got by name; `Null` if they have not come yet.
pub(super) fn routes<'a>(snapshot: &'a Snapshot, manager: &Manager<'a>) -> &'a serde_json::Value {
    let named = manager.config.text("/rds/route_config_name");
    match snapshot.routes(named) {
        Some(routes) if !named.is_empty() => routes,
        _ => manager.config.at("/route_config"),
    }
}

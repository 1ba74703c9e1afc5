//! What Envoy counted since it started.

use std::collections::BTreeSet;

use super::{
    super::{
        envoy::{Filter, Listener, Snapshot, kind, subscription},
        fault,
        finding::Findings,
        json::Json as _,
        plugin::Delivery,
    },
    guard, layer,
};

/// Checks the process as a whole.
pub(super) fn check(snapshot: &Snapshot, listeners: &[Listener<'_>], found: &mut Findings) {
    let state = snapshot.server.text("/state");
    if !["", "LIVE"].contains(&state) {
        found.add_shared(&fault::NOT_LIVE, Vec::new(), format!("Envoy is {state}"));
    }
    machines(snapshot, listeners, found);
    crashes(snapshot, listeners, found);
    updates(snapshot, listeners, found);
    for listener in listeners {
        held(snapshot, listener, found);
    }
}

/// Envoy keeps one VM to copy from, one for the main thread and one for each worker. A plugin that fails in one of
/// these after it was accepted leaves no other trace than that its VM is gone.
fn machines(snapshot: &Snapshot, listeners: &[Listener<'_>], found: &mut Findings) {
    let plugins = || listeners.iter().flat_map(Listener::plugins_in_force);
    let kinds = plugins().map(|(_, plugin)| format!("{:?}", plugin.vm()));
    let kinds = kinds.collect::<BTreeSet<_>>().len();
    // At least one worker, if nobody saved how many there are.
    let workers = snapshot.server.number("/command_line_options/concurrency").max(1);
    let expected = u64::try_from(kinds)
        .unwrap_or(u64::MAX)
        .saturating_mul(workers.saturating_add(2));
    let active = snapshot.stat("wasm.envoy.wasm.runtime.v8.active");
    if active < expected {
        let names = listeners
            .iter()
            .filter(|listener| listener.plugins_in_force().next().is_some());
        let names = names.map(|listener| listener.name.clone()).collect();
        let message = format!("Wasm VMs that are active: {active}, needed for {workers} workers: {expected}");
        found.add_shared(&fault::VM_MISSING, names, message);
    }
}

fn crashes(snapshot: &Snapshot, listeners: &[Listener<'_>], found: &mut Findings) {
    let plugins = listeners.iter().flat_map(Listener::plugins_in_force);
    let names: BTreeSet<&str> = plugins.map(|(_, plugin)| plugin.name()).collect();
    for name in names {
        let stat = |what: &str| snapshot.stat(&format!("wasm.{name}.vm_reload_{what}"));
        let (made, failed) = (stat("success"), stat("failure"));
        if made + failed > 0 {
            let message = format!("VMs that were made anew so far: {made}, in vain: {failed}");
            found.add_shared(&fault::PLUGIN_CRASHED, Vec::new(), message);
        }
    }
    let panics = snapshot.stat("wasmcustom.portcullis_panics_total");
    if panics > 0 {
        found.add_shared(&fault::PLUGIN_CRASHED, Vec::new(), format!("panics so far: {panics}"));
    }
}

/// Updates of plugins that come by name.
fn updates(snapshot: &Snapshot, listeners: &[Listener<'_>], found: &mut Findings) {
    let filters = listeners
        .iter()
        .flat_map(|listener| listener.filters().map(move |(_, filter)| (&listener.name, filter)));
    for (listener, filter) in filters {
        let Some(plugin) = &filter.plugin else { continue };
        let Some(name) = plugin.resource() else { continue };
        let place = format!("resource `{name}`");
        match plugin.delivery {
            Delivery::NeverAccepted(_) => {
                let message = format!("Envoy accepted none of the resources `{name}` that it received");
                found.add(&fault::PLUGIN_NOT_LOADED, listener, &place, message);
            }
            Delivery::Refused(_) => {
                let message = format!("Envoy refused the resource `{name}` that it received last");
                found.add(&fault::UPDATE_REFUSED, listener, &place, message);
            }
            Delivery::Inline | Delivery::Accepted(_) => {}
        }
        if let Some(message) = unclear(snapshot, &subscription(filter.kind, name)) {
            found.add(&fault::UPDATE_UNCLEAR, listener, place, message);
        }
    }
}

/// Why nobody can tell whether the last publication is in force.
fn unclear(snapshot: &Snapshot, subscription: &str) -> Option<String> {
    let count = |what: &str| snapshot.stat(&format!("{subscription}.{what}"));
    let unreadable = count("update_failure");
    if unreadable > 0 {
        return Some(format!("updates that could not be read so far: {unreadable}"));
    }
    // Envoy takes what equals the last that it received for a success, even when it refused that.
    let (accepted, refused, looked_at) = (
        count("update_success"),
        count("update_rejected"),
        count("config_reload"),
    );
    let unchanged = (accepted + refused).saturating_sub(looked_at);
    (refused > 0 && unchanged > 0).then(|| {
        format!("updates that were refused so far: {refused}, not looked at, being as the one before: {unchanged}")
    })
}

/// What the guards turned away. The plugin answers what it denies itself, so none of it should get that far.
fn held(snapshot: &Snapshot, listener: &Listener<'_>, found: &mut Findings) {
    for chain in &listener.chains {
        let connections = guards(&chain.filters, kind::NETWORK_RBAC, layer::NETWORK.key).map(|guard| {
            let prefix = guard.message.text("/stat_prefix").trim_end_matches('.');
            (guard, "connections", format!("{prefix}.rbac.denied"))
        });
        let managers = chain.manager.iter();
        let requests = managers.flat_map(|manager| {
            let prefix = manager.config.text("/stat_prefix");
            guards(&manager.filters, kind::HTTP_RBAC, layer::HTTP.key).map(move |guard| {
                let rules = guard.message.text("/rules_stat_prefix");
                (guard, "requests", format!("http.{prefix}.rbac.{rules}denied"))
            })
        });
        for (guard, what, counter) in connections.chain(requests) {
            let denied = snapshot.stat(&counter);
            if denied > 0 {
                // Listeners may share the counter, so the place is that of all.
                let place = format!("guard `{}` of {what}", guard.name);
                let message = format!("{what} that it turned away so far: {denied}");
                found.add(&fault::GUARD_HELD, &listener.name, place, message);
            }
        }
    }
}

/// The guards in a list that share their counters with no other RBAC filter of it.
fn guards<'a, 'b>(filters: &'a [Filter<'b>], rbac: &str, key: &str) -> impl Iterator<Item = &'a Filter<'b>> {
    let all: Vec<_> = filters.iter().filter(|filter| filter.kind == rbac).collect();
    let guards: Vec<_> = all
        .iter()
        .copied()
        .filter(|filter| guard::is_right(filter, key))
        .collect();
    let counters = |filter: &Filter<'_>| {
        let [prefix, rules] = ["/stat_prefix", "/rules_stat_prefix"].map(|path| filter.message.text(path).to_owned());
        (prefix, rules)
    };
    guards
        .into_iter()
        .filter(move |guard| all.iter().filter(|other| counters(other) == counters(guard)).count() == 1)
}

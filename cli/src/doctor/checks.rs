//! Everything that is looked at, one topic each.

mod guard;
mod http;
mod identity;
mod layer;
mod listener;
mod plugin;
mod running;
mod tcp;
mod upstream;

use super::{
    envoy::{Listener, Snapshot},
    fault,
    finding::Findings,
};

/// All that is wrong with these listeners. `digest` is that of the bundle that they should have, if somebody knows.
pub(super) fn all(snapshot: &Snapshot, listeners: &[Listener<'_>], digest: Option<&str>) -> Findings {
    let mut found = Findings::default();
    if listeners.is_empty() {
        found.add_shared(
            &fault::NOTHING_GUARDED,
            Vec::new(),
            "no listener has the plugin, or metadata for it; `--all` looks at every listener",
        );
    }
    for listener in listeners {
        filters(snapshot, listener, &mut found);
        listener::check(listener, &mut found);
        identity::check(snapshot, listener, &mut found);
        plugin::check(listener, digest, &mut found);
    }
    plugin::compare(listeners, digest, &mut found);
    running::check(snapshot, listeners, &mut found);
    found
}

/// What stands in the filter chains, and in which order.
fn filters(snapshot: &Snapshot, listener: &Listener<'_>, found: &mut Findings) {
    if listener.chains.is_empty() {
        found.add(
            &fault::NETWORK_PLUGIN_MISSING,
            &listener.name,
            "filter_chains",
            "there is no filter chain that could have the plugin",
        );
    }
    for chain in &listener.chains {
        let place = format!("{}.filters", chain.place);
        layer::NETWORK.check(&chain.filters, &listener.name, &place, found);
        tcp::check(snapshot, listener, chain, found);
        match &chain.manager {
            Some(manager) => {
                let place = format!("{}.http_filters", manager.place);
                let judged = manager.filters.iter().any(|filter| filter.is_plugin());
                if judged || http::is_expected(listener) {
                    layer::HTTP.check(&manager.filters, &listener.name, &place, found);
                }
                http::check(snapshot, listener, manager, found);
                upstream::check(snapshot, listener, manager, found);
            }
            None if http::is_expected(listener) && !tcp::is_dead_end(snapshot, chain) => found.add(
                &fault::MANAGER_MISSING,
                &listener.name,
                &chain.place,
                "the listener has `protocol: http`, and this chain has no HTTP connection manager",
            ),
            None => {}
        }
    }
}

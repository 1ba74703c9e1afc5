//! The plugin in a list of filters, and its guard directly behind it.

use super::{
    super::{
        envoy::{Filter, kind},
        fault::{self, Fault},
        finding::Findings,
    },
    guard,
};

/// One of the three places where the plugin decides.
pub(super) struct Layer {
    missing: &'static Fault,
    /// The kind of its guard.
    guard: &'static str,
    /// Where the plugin leaves its word, as the guard reads it.
    pub(super) key: &'static str,
    /// What answers or forwards.
    ends: &'static [&'static str],
}

/// Connections.
pub(super) const NETWORK: Layer = Layer {
    missing: &fault::NETWORK_PLUGIN_MISSING,
    guard: kind::NETWORK_RBAC,
    key: "wasm.portcullis_l4",
    ends: &[kind::TCP_PROXY, kind::MANAGER],
};

/// Requests.
pub(super) const HTTP: Layer = Layer {
    missing: &fault::HTTP_PLUGIN_MISSING,
    guard: kind::HTTP_RBAC,
    key: "wasm.portcullis_http",
    // Resolving a name is an answer, too: its query can carry data out.
    ends: &[kind::ROUTER, kind::FORWARD_PROXY, kind::CACHE, kind::HEALTH_CHECK],
};

/// Requests to the endpoint that was chosen.
pub(super) const UPSTREAM: Layer = Layer {
    missing: &fault::UPSTREAM_PLUGIN_MISSING,
    guard: kind::LUA,
    key: "wasm.portcullis_upstream",
    ends: &[kind::UPSTREAM_CODEC],
};

impl Layer {
    /// Checks the filters of the list at `place`.
    pub(super) fn check(&self, filters: &[Filter<'_>], listener: &str, place: &str, found: &mut Findings) {
        let Some(plugin) = filters.iter().position(Filter::is_plugin) else {
            found.add(
                self.missing,
                listener,
                place,
                format!("the plugin is not among {}", names(filters)),
            );
            return;
        };
        let [before, behind] = [filters.get(..plugin), filters.get(plugin + 1..)].map(Option::unwrap_or_default);
        for filter in before.iter().filter(|filter| self.ends.contains(&filter.kind)) {
            let message = format!("`{}` stands in front of the plugin", filter.name);
            found.add(&fault::FILTER_ORDER, listener, place, message);
        }
        if let Some(plugin) = filters.get(plugin).filter(|filter| filter.message.is_null()) {
            let message = format!("Envoy has no resource `{}` yet", plugin.name);
            found.add(
                &fault::PLUGIN_NOT_LOADED,
                listener,
                format!("{place}[{}]", plugin.index),
                message,
            );
        }
        self.check_guard(before, behind, listener, place, found);
    }

    fn check_guard(
        &self,
        before: &[Filter<'_>],
        behind: &[Filter<'_>],
        listener: &str,
        place: &str,
        found: &mut Findings,
    ) {
        let is_guard = |filter: &&Filter<'_>| filter.kind == self.guard && guard::reads_filter_state(filter);
        let at = |filter: &Filter<'_>| format!("{place}[{}]", filter.index);
        // Of several, the one that does it right.
        let right = |filter: &&Filter<'_>| is_guard(filter) && guard::is_right(filter, self.key);
        let guard = behind.iter().find(right).or_else(|| behind.iter().find(is_guard));
        let Some(guard) = guard else {
            match before.iter().find(is_guard) {
                Some(early) => {
                    let message = format!("the guard `{}` stands in front of the plugin", early.name);
                    found.add(&fault::FILTER_ORDER, listener, at(early), message);
                }
                None => {
                    let message = format!("no guard for `{}` stands behind the plugin", self.key);
                    found.add(&fault::GUARD_MISSING, listener, place, message);
                }
            }
            return;
        };
        if !guard::is_right(guard, self.key) {
            let message = format!(
                "`{}` does not open for `{}` exactly `allow` alone",
                guard.name, self.key
            );
            found.add(&fault::GUARD_WRONG, listener, at(guard), message);
        }
        let between: Vec<&Filter<'_>> = behind.iter().take_while(|filter| filter.index != guard.index).collect();
        if !between.is_empty() {
            let message = format!("between the plugin and `{}` stands {}", guard.name, names(between));
            found.add(&fault::GUARD_NOT_BEHIND, listener, at(guard), message);
        }
    }
}

/// The names of filters, for people.
fn names<'a>(filters: impl IntoIterator<Item = &'a Filter<'a>>) -> String {
    let names: Vec<String> = filters.into_iter().map(|filter| format!("`{}`", filter.name)).collect();
    match names.as_slice() {
        [] => "no filters at all".to_owned(),
        names => names.join(", "),
    }
}

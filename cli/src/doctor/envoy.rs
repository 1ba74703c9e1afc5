//! What Envoy runs with, as its admin interface shows it.

mod filter;
pub(super) mod kind;
mod listener;

use std::{
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

use serde_json::Value;

use super::{
    json::Json as _,
    plugin::{self, Delivery},
};
pub(super) use filter::{Filter, message};
use filter::{Resource, type_name};
pub(super) use listener::{Chain, Listener, Manager};

/// The pages of one Envoy.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// `/config_dump`.
    pub(super) config: Value,
    /// `/listeners`.
    pub(super) listeners: Value,
    /// The numbers of `/stats`.
    pub(super) stats: BTreeMap<String, u64>,
    /// `/server_info`; `Null` if nobody saved it.
    pub(super) server: Value,
}

impl Snapshot {
    /// All listeners, in Envoy's order.
    pub(super) fn listeners(&self) -> Vec<Listener<'_>> {
        let resources = self.resources();
        let fixed = self.section("ListenersConfigDump", "/static_listeners");
        let fixed = fixed.map(|entry| (entry.at("/listener"), None));
        let dynamic = self.section("ListenersConfigDump", "/dynamic_listeners").map(|entry| {
            let states = ["/active_state/listener", "/warming_state/listener"].map(|state| entry.at(state));
            let config = states.into_iter().find(|listener| !listener.is_null());
            let refused = entry.pointer("/error_state").map(|error| error.text("/details"));
            (config.unwrap_or(&Value::Null), refused)
        });
        fixed
            .chain(dynamic)
            // A listener that is only being drained has neither state.
            .filter(|(config, _)| !config.is_null())
            .map(|(config, refused)| Listener::new(config, refused, &self.listeners, &resources))
            .collect()
    }

    fn resources(&self) -> Vec<Resource<'_>> {
        let entries = self.section("EcdsConfigDump", "/ecds_filters");
        let resources = entries.map(|entry| {
            let resource = entry.at("/ecds_filter");
            let (kind, message) = message(resource.at("/typed_config"));
            let name = resource.text("/name");
            Resource {
                name,
                kind,
                message,
                plugin: plugin::find(kind, message, self.delivery(kind, name, entry)),
            }
        });
        resources.collect()
    }

    /// What became of a resource. A newer one than the last that was accepted must have been refused.
    fn delivery<'a>(&self, kind: &str, name: &'a str, entry: &Value) -> Delivery<'a> {
        let counter = |counter: &str| self.stat(&format!("{}.{counter}", subscription(kind, name)));
        let received = humantime::parse_rfc3339(entry.text("/last_updated"));
        let accepted = UNIX_EPOCH + Duration::from_millis(counter("update_time"));
        match received {
            _ if counter("update_success") == 0 => Delivery::NeverAccepted(name),
            // Envoy notes the time when it receives it, and again when it is done with it.
            Ok(received) if received > accepted => Delivery::Refused(name),
            _ => Delivery::Accepted(name),
        }
    }

    /// The filters of a list that is not part of a listener.
    pub(super) fn filters<'a>(&'a self, list: &'a Value) -> Vec<Filter<'a>> {
        filter::filters(list, &self.resources())
    }

    /// The route configuration of this name.
    pub(super) fn routes(&self, name: &str) -> Option<&Value> {
        let fixed = self.section("RoutesConfigDump", "/static_route_configs");
        let dynamic = self.section("RoutesConfigDump", "/dynamic_route_configs");
        let mut all = fixed.chain(dynamic).map(|entry| entry.at("/route_config"));
        all.find(|routes| routes.text("/name") == name)
    }

    /// All clusters.
    pub(super) fn clusters(&self) -> impl Iterator<Item = &Value> {
        let fixed = self.section("ClustersConfigDump", "/static_clusters");
        let dynamic = self.section("ClustersConfigDump", "/dynamic_active_clusters");
        fixed.chain(dynamic).map(|entry| entry.at("/cluster"))
    }

    /// The secret of this name.
    pub(super) fn secret(&self, name: &str) -> Option<&Value> {
        let fixed = self.section("SecretsConfigDump", "/static_secrets");
        let dynamic = self.section("SecretsConfigDump", "/dynamic_active_secrets");
        let mut all = fixed.chain(dynamic);
        let entry = all.find(|entry| entry.text("/name") == name)?;
        entry.get("secret")
    }

    /// A counter or gauge; one that was never used is 0.
    pub(super) fn stat(&self, name: &str) -> u64 {
        self.stats.get(name).copied().unwrap_or_default()
    }

    /// The elements of a list in all parts of the dump of one kind. Envoy may write a part several times.
    fn section<'a>(&'a self, kind: &'static str, list: &'static str) -> impl Iterator<Item = &'a Value> {
        let parts = self.config.items("/configs");
        let parts = parts.filter(move |part| type_name(part.text("/@type")) == format!("envoy.admin.v3.{kind}"));
        parts.flat_map(move |part| part.items(list))
    }
}

/// How the counters of a subscription for filters begin.
pub(super) fn subscription(kind: &str, name: &str) -> String {
    let layer = match kind {
        kind::NETWORK_WASM => "network_filter",
        _ => "http_filter",
    };
    format!("extension_config_discovery.{layer}.{name}")
}

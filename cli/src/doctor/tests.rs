//! Every fault, planted into saved pages; `tests/it/doctor.rs` plants many of them into a real Envoy.

mod filters;
mod state;

use std::collections::BTreeMap;

use policy_core::packed::{self, Form};
use serde_json::Value;

use super::{envoy::Snapshot, examine, report::Report};

/// The digest of the policy in the pages.
const DIGEST: &str = "sha256:2430f1a2ad2982d0067885488a4c89e21ad1d7c83b115ba8f1b20acc88dfaea8";
/// What the plugin is configured with in the pages, before it is packed.
const CONFIGURATION: &str = r#"{"version":1,"direction":"listener","bundle":{"version":1}}"#;

/// The pages of a healthy Envoy: `web` speaks HTTP and gets the plugin by name, `db` speaks TCP behind mutual TLS and
/// has it inline, `metrics` is not ours.
struct Pages {
    config: Value,
    stats: BTreeMap<String, u64>,
    server: Value,
}

/// A change, the codes of what shall be found then, and why. An empty list is fine.
type Row = (fn(&mut Pages), &'static [&'static str], &'static str);

impl Pages {
    fn healthy() -> Self {
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let stats = json(include_str!("../../testdata/doctor/stats.json"));
        let stats = stats["stats"].as_array().expect("a list").iter().map(|stat| {
            let name = stat["name"].as_str().expect("a name");
            (name.to_owned(), stat["value"].as_u64().expect("a number"))
        });
        let mut pages = Self {
            config: json(include_str!("../../testdata/doctor/config_dump.json")),
            stats: stats.collect(),
            server: json(include_str!("../../testdata/doctor/server_info.json")),
        };
        pages.configure(CONFIGURATION);
        pages
    }

    fn examine(self, digest: Option<&str>, every: bool) -> Report {
        let Self { config, stats, server } = self;
        let listeners = Value::Null;
        let snapshot = Snapshot {
            config,
            listeners,
            stats,
            server,
        };
        examine(&snapshot, digest, every)
    }

    /// The part of the dump of this kind.
    fn part(&mut self, kind: &str) -> &mut Value {
        let mut parts = self.config["configs"].as_array_mut().expect("a list").iter_mut();
        let found = parts.find(|part| part["@type"].as_str().is_some_and(|url| url.ends_with(kind)));
        found.unwrap_or_else(|| panic!("no {kind}"))
    }

    fn web(&mut self) -> &mut Value {
        &mut self.part("ListenersConfigDump")["static_listeners"][0]["listener"]
    }

    fn db(&mut self) -> &mut Value {
        &mut self.part("ListenersConfigDump")["dynamic_listeners"][0]["active_state"]["listener"]
    }

    fn manager(&mut self) -> &mut Value {
        &mut self.web()["filter_chains"][0]["filters"][2]["typed_config"]
    }

    fn routes(&mut self) -> &mut Value {
        &mut self.part("RoutesConfigDump")["dynamic_route_configs"][0]["route_config"]
    }

    fn cluster(&mut self) -> &mut Value {
        &mut self.part("ClustersConfigDump")["static_clusters"][0]["cluster"]
    }

    fn validation(&mut self) -> &mut Value {
        &mut self.part("SecretsConfigDump")["dynamic_active_secrets"][0]["secret"]["validation_context"]
    }

    fn tls(&mut self) -> &mut Value {
        &mut self.db()["filter_chains"][0]["transport_socket"]["typed_config"]
    }

    fn proxy(&mut self) -> &mut Value {
        &mut self.db()["filter_chains"][0]["filters"][3]["typed_config"]
    }

    /// What arrived by name for network filters or HTTP filters.
    fn resource(&mut self, layer: &str) -> &mut Value {
        let name = format!("portcullis-{layer}");
        let mut parts = self.config["configs"].as_array_mut().expect("a list").iter_mut();
        let found = parts.find(|part| part["ecds_filters"][0]["ecds_filter"]["name"] == name.as_str());
        &mut found.unwrap_or_else(|| panic!("no {name}"))["ecds_filters"][0]
    }

    /// The plugin of all three filters.
    fn plugins(&mut self, change: impl Fn(&mut Value)) {
        for layer in ["network", "http"] {
            change(&mut self.resource(layer)["ecds_filter"]["typed_config"]["config"]);
        }
        change(&mut self.db()["filter_chains"][0]["filters"][0]["typed_config"]["config"]);
    }

    fn count(&mut self, name: &str, value: u64) {
        self.stats.insert(name.to_owned(), value);
    }

    fn configure(&mut self, text: &str) {
        self.plugins(|plugin| plugin["configuration"]["value"] = packed(text).into());
    }
}

/// The configuration with its bundle packed. What cannot be packed stays as it is.
fn packed(configuration: &str) -> String {
    let packed = packed::configuration(configuration.as_bytes(), Form::Text);
    packed.map_or_else(
        |_| configuration.to_owned(),
        |bytes| String::from_utf8(bytes).expect("text"),
    )
}

fn list(value: &mut Value) -> &mut Vec<Value> {
    value.as_array_mut().expect("a list")
}

/// A message of this type.
fn typed(message: &str, mut fields: Value) -> Value {
    fields["@type"] = format!("type.googleapis.com/envoy.extensions.{message}").into();
    fields
}

/// A filter of this type.
fn filter(name: &str, message: &str, fields: Value) -> Value {
    serde_json::json!({ "name": name, "typed_config": typed(message, fields) })
}

fn codes(report: &Report) -> Vec<&str> {
    let mut codes: Vec<_> = report.findings.iter().map(|finding| finding.fault.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn check(rows: &[Row]) {
    for (change, expected, why) in rows {
        let mut pages = Pages::healthy();
        change(&mut pages);
        let report = pages.examine(Some(DIGEST), false);
        let found: Vec<String> = report.findings.iter().map(|finding| finding.message.clone()).collect();
        assert_eq!(codes(&report), *expected, "{why}: {found:?}");
    }
}

#[test]
fn nothing_is_wrong_with_the_healthy_pages() {
    check(&[(|_| (), &[], "untouched")]);
    let report = Pages::healthy().examine(None, false);
    let listeners: Vec<_> = report
        .listeners
        .iter()
        .map(|listener| (listener.name.as_str(), listener.guarded))
        .collect();
    assert_eq!(listeners, [("web", true), ("db", true)]);
}

#[test]
fn other_listeners_count_only_when_asked_for() {
    let report = Pages::healthy().examine(Some(DIGEST), true);
    assert_eq!(codes(&report), ["network-plugin-missing"]);
    let listeners: Vec<_> = report
        .listeners
        .iter()
        .map(|listener| (listener.name.as_str(), listener.guarded))
        .collect();
    assert_eq!(listeners, [("web", true), ("metrics", false), ("db", true)]);
}

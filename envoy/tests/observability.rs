//! The examples for Prometheus and Grafana: what they read is there in a real Envoy, under these names and labels.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use common::kept::{status, tcp_connection};
use common::policy::Configuration;
use common::{TIMEOUT, World, envoy, faulty_plugin};
use envoy_e2e::config::Node;
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::Request;
use regex_lite::Regex;
use serde_json::{Value, json};

/// The names of metrics, each with the names of its labels.
type Metrics = BTreeMap<String, BTreeSet<String>>;

fn example(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/observability")
        .join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// All strings under one of these keys, wherever they are.
fn strings<'a>(value: &'a Value, keys: &[&str], found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if keys.contains(&key.as_str()) => found.push(text),
                    _ => strings(value, keys, found),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|value| strings(value, keys, found)),
        _ => {}
    }
}

/// What these queries read: every metric, with the labels that its selectors and the groupings of the query name.
fn read_by(queries: &[&str]) -> Metrics {
    static METRIC: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b((?:portcullis|envoy)_\w+)(?:\{([^}]*)\})?").unwrap());
    static MATCHER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(\w+)\s*(?:=~|!~|!=|=)\s*""#).unwrap());
    static GROUPING: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bby \(([^)]*)\)").unwrap());
    let mut metrics = Metrics::new();
    for query in queries {
        let groupings = GROUPING.captures_iter(query);
        let grouped: Vec<_> = groupings
            .flat_map(|found| found.get(1).unwrap().as_str().split(", "))
            .collect();
        for found in METRIC.captures_iter(query) {
            let labels = metrics.entry(found[1].to_owned()).or_default();
            let selector = found.get(2).map_or("", |selector| selector.as_str());
            let matched = MATCHER.captures_iter(selector).map(|matcher| matcher[1].to_owned());
            labels.extend(matched.chain(grouped.iter().map(|&label| label.to_owned())));
        }
    }
    metrics
}

/// What a page of Envoy holds.
fn shown_on(page: &str) -> Metrics {
    static LABEL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(\w+)=""#).unwrap());
    let mut metrics = Metrics::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else {
            continue;
        };
        let labels = metrics.entry(name.to_owned()).or_default();
        labels.extend(LABEL.captures_iter(rest).map(|found| found[1].to_owned()));
    }
    metrics
}

/// An Envoy in which everything has happened that is counted.
fn eventful() -> Option<(World, EnvoyProcess)> {
    let (envoy, plugin) = (envoy()?, faulty_plugin()?);
    let world = World::new(&plugin);
    let policy = Configuration::requests(&world, json!([{ "path": "/public" }]));
    let running = world.start(&envoy, &policy.text());
    let mut client = world.http_client();
    assert_eq!(["/public", "/secret"].map(|path| status(&mut client, path)), [200, 403]);
    let fault = Request::new("GET", "/public", "app").header("x-portcullis-fault", "panic");
    assert_eq!(client.send(&fault).unwrap().status, 403);
    let open = tcp_connection(&world);
    assert!(!running.push(br#"{"version":2}"#).unwrap().accepted());
    assert!(
        running
            .push(Configuration::deny_all(&world).text().as_bytes())
            .unwrap()
            .accepted()
    );
    let revoked = "wasmcustom.portcullis_revoked_total.layer.l4";
    running
        .admin()
        .wait_for_stat(revoked, |count| count == 1, TIMEOUT)
        .unwrap();
    drop(open);
    let audited = Configuration::deny_all(&world).all_audited();
    assert!(running.push(audited.text().as_bytes()).unwrap().accepted());
    world.probe("echo", b"");
    let would = "wasmcustom.portcullis_audit_total.dir.both.layer.l4.would.deny";
    running
        .admin()
        .wait_for_stat(would, |count| count == 1, TIMEOUT)
        .unwrap();
    Some((world, running))
}

/// The page that Prometheus gets, as the example tells it to ask.
fn scraped(envoy: &EnvoyProcess) -> Metrics {
    let prometheus = yaml(&example("prometheus.yml"));
    let job = &prometheus["scrape_configs"][0];
    let path = job["metrics_path"].as_str().unwrap();
    let filter = job["params"]["filter"][0].as_str().unwrap();
    let encoded = filter.replace('|', "%7C").replace('\\', "%5C");
    let page = envoy.admin().get(&format!("{path}?filter={encoded}")).unwrap();
    let keep = job["metric_relabel_configs"][0]["regex"].as_str().unwrap();
    let keep = Regex::new(&format!("^(?:{keep})$")).unwrap();
    let mut metrics = shown_on(&page);
    metrics.retain(|name, _| keep.is_match(name));
    metrics
}

#[test]
fn the_dashboard_and_the_alerts_read_what_there_is() {
    let Some((_world, running)) = eventful() else { return };
    let there = scraped(&running);
    let (dashboard, alerts) = (example("grafana-dashboard.json"), example("alerts.yml"));
    let (dashboard, alerts) = (serde_json::from_str(&dashboard).unwrap(), yaml(&alerts));
    for (file, document) in [("the dashboard", &dashboard), ("the alerts", &alerts)] {
        let mut queries = Vec::new();
        strings(document, &["expr", "query"], &mut queries);
        let read = read_by(&queries);
        assert!(read.len() >= 5, "{file}: {read:?}");
        for (metric, labels) in &read {
            let Some(known) = there.get(metric) else {
                panic!("{file}: no `{metric}` in {:#?}", there.keys());
            };
            // Prometheus itself says where a metric is from.
            let unknown = labels
                .iter()
                .find(|&label| label != "instance" && !known.contains(label));
            assert_eq!(unknown, None, "{file}: `{metric}` has {known:?}");
        }
    }
    let mut queries = Vec::new();
    strings(&dashboard, &["expr"], &mut queries);
    let read = read_by(&queries);
    let unread: Vec<_> = there
        .keys()
        .filter(|name| name.starts_with("portcullis_") && !read.contains_key(*name))
        .collect();
    assert!(unread.is_empty(), "nobody looks at {unread:?}");
}

#[test]
fn the_snippet_for_other_bootstraps_is_that_of_the_generator() {
    let snippet = yaml(&example("stats-tags.yaml"));
    let generated = yaml(&Node::example().bootstrap().unwrap().to_yaml().unwrap());
    assert_eq!(snippet["stats_config"], generated["stats_config"]);
    assert_eq!(snippet.as_object().unwrap().len(), 1);
}

#[test]
fn the_flow_log_for_other_bootstraps_is_that_of_the_generator() {
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/observability.md")).unwrap();
    let (_, block) = manual.split_once("```yaml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let node = Node {
        flow_log: Some("flow.log".into()),
        ..Node::example()
    };
    let generated = yaml(&node.bootstrap().unwrap().to_yaml().unwrap());
    let logs = &generated["static_resources"]["listeners"][0]["access_log"];
    assert_eq!(yaml(block)["access_log"][0], logs[1]);
}

#[test]
fn queries_are_taken_apart() {
    let rows: [(&str, Value); 4] = [
        ("up", json!({})),
        ("max(portcullis_a) or vector(0)", json!({ "portcullis_a": [] })),
        (
            r#"sum by (x, y) (rate(portcullis_a{b="1",c!~".+/.+"}[5m])) / envoy_b"#,
            json!({ "portcullis_a": ["b", "c", "x", "y"], "envoy_b": ["x", "y"] }),
        ),
        ("label_values(portcullis_a, instance)", json!({ "portcullis_a": [] })),
    ];
    for (query, expected) in rows {
        assert_eq!(json!(read_by(&[query])), expected, "{query}");
    }
}

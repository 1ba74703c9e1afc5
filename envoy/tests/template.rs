//! The committed templates are what the generator makes of the documented examples.
//!
//! After a change of the generator, `PORTCULLIS_BLESS=1 cargo test -p envoy-e2e --test template` writes them anew.

use std::fs;
use std::path::Path;

use envoy_e2e::config::Node;
use envoy_e2e::ecds::{self, Encoding, Layer};
use serde_json::Value;

/// The configuration of the templates. Policies are enforced on every endpoint, and there are none: nothing is allowed.
const CONFIGURATION: &str = include_str!("../templates/plugin-configuration.json");

/// The manifests with a configuration of the plugin.
const MANIFESTS: [&str; 3] = [
    "envoy-gateway.yaml",
    "istio-trafficextension.yaml",
    "istio-wasmplugin.yaml",
];

#[test]
fn the_bootstraps_are_up_to_date() {
    for (name, node) in [
        ("node.yaml", Node::example()),
        ("sidecar.yaml", Node::sidecar_example()),
        ("gateway.yaml", Node::gateway_example()),
    ] {
        compare(name, &node.bootstrap().unwrap().to_yaml().unwrap());
    }
}

#[test]
fn the_resources_are_up_to_date() {
    for layer in Layer::ALL {
        let document = ecds::document(&Node::example(), layer, CONFIGURATION.trim_end().as_bytes(), "1").unwrap();
        let name = format!("state/{}", layer.file_name());
        compare(&name, std::str::from_utf8(&document).unwrap());
    }
}

#[test]
fn the_manifests_carry_the_same_bundle() {
    let configuration = Encoding::String.pack(CONFIGURATION.trim_end().as_bytes()).unwrap();
    let configuration: Value = serde_json::from_slice(&configuration).unwrap();
    let bundle = configuration["bundle"].as_str().unwrap();
    for name in MANIFESTS {
        let name = format!("../manifests/{name}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(&name);
        let committed = fs::read_to_string(path).unwrap();
        let mut bundles = 0;
        let lines = committed.lines().map(|line| match line.split_once("bundle: ") {
            Some((indent, _)) if indent.trim_start().is_empty() => {
                bundles += 1;
                format!("{indent}bundle: {bundle}\n")
            }
            _ => format!("{line}\n"),
        });
        compare(&name, &lines.collect::<String>());
        assert!(bundles > 0, "{name} has no bundle");
    }
}

fn compare(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates").join(name);
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "{} is out of date, see the top of this file",
        path.display()
    );
}

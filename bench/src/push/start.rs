//! What the plugin adds to the start of Envoy: its module is compiled, and its VM is started and configured.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use envoy_e2e::ecds::Encoding;
use envoy_e2e::run::artefact;
use serde_json::{Value, json};

use crate::report::Report;
use crate::sampler::Series;

/// How often Envoy is started in each way.
const STARTS: usize = 7;

/// Adds the size of the plugin, and how much longer Envoy takes to check a bootstrap with it.
pub(super) fn measure(report: &mut Report, envoy: &Path, short: bool) -> Result<()> {
    let plugin = artefact::plugin()?;
    let (mut with, mut without) = (Series::default(), Series::default());
    for _ in 0..if short { 1 } else { STARTS } {
        without.0.push(check(envoy, &bootstrap(None)?)?);
        with.0.push(check(envoy, &bootstrap(Some(&plugin))?)?);
    }
    let added = with.0.iter().zip(&without.0).map(|(with, without)| with - without);
    report.add_exact("plugin", "size", "bytes", std::fs::metadata(&plugin)?.len() as f64);
    report.add(
        "plugin",
        "compiled by V8 and configured",
        "ms",
        &Series(added.collect()),
    );
    Ok(())
}

/// Milliseconds until Envoy has checked a bootstrap.
fn check(envoy: &Path, bootstrap: &Value) -> Result<f64> {
    let started = Instant::now();
    let status = Command::new(envoy)
        .args([
            "--mode",
            "validate",
            "--log-level",
            "error",
            "--config-yaml",
            &bootstrap.to_string(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "Envoy refuses the bootstrap");
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// The smallest bootstrap that can hold a plugin.
fn bootstrap(plugin: Option<&Path>) -> Result<Value> {
    let typed = |name: &str, message: &str, mut config: Value| {
        config["@type"] = json!(format!("type.googleapis.com/envoy.extensions.filters.{message}"));
        json!({ "name": name, "typed_config": config })
    };
    let mut filters = Vec::new();
    if let Some(plugin) = plugin {
        filters.push(typed("plugin", "http.wasm.v3.Wasm", wasm(plugin)?));
    }
    filters.push(typed("router", "http.router.v3.Router", json!({})));
    let manager = json!({ "stat_prefix": "probe", "route_config": { "name": "none" }, "http_filters": filters });
    let message = "network.http_connection_manager.v3.HttpConnectionManager";
    let chains = json!([{ "filters": [typed("manager", message, manager)] }]);
    let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } });
    let listener = json!({ "name": "probe", "address": address, "filter_chains": chains });
    Ok(json!({ "static_resources": { "listeners": [listener] } }))
}

fn wasm(plugin: &Path) -> Result<Value> {
    let packed = Encoding::String.pack(br#"{"version":1,"bundle":{"version":1}}"#)?;
    let configuration = json!({
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        "value": str::from_utf8(&packed)?,
    });
    let vm =
        json!({ "vm_id": "probe", "runtime": "envoy.wasm.runtime.v8", "code": { "local": { "filename": plugin } } });
    Ok(json!({ "config": { "root_id": "portcullis", "vm_config": vm, "configuration": configuration } }))
}

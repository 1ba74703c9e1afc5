//! How long Envoy needs until the plugin is ready.
//!
//! `envoy --mode validate` does all that a start does on the main thread: it compiles the module, runs the plugin's
//! start and configuration in a trial VM, and ends. Worker threads later clone the compiled code, which is cheap.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use envoy_e2e::ecds::Encoding;

/// Envoy writes this just before it creates the listener, and with it the plugin.
const BEFORE: &str = "loading 1 listener(s)";
/// And this right after.
const AFTER: &str = "loading stats configuration";

/// The time Envoy takes to load `plugin`. It is an error if Envoy refuses it.
pub(crate) fn measure(envoy: &Path, plugin: &Path) -> Result<Duration> {
    let mut command = Command::new(envoy);
    command
        .args(["--mode", "validate", "--log-level", "info", "--config-yaml"])
        .arg(bootstrap(plugin)?);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let log = BufReader::new(child.stderr.take().context("standard error is piped")?);

    let (mut lines, mut before, mut after) = (Vec::new(), None, None);
    for line in log.lines() {
        let line = line?;
        if line.contains(BEFORE) {
            before = Some(Instant::now());
        } else if line.contains(AFTER) {
            after = Some(Instant::now());
        }
        lines.push(line);
    }
    match (child.wait()?.success(), before, after) {
        (true, Some(before), Some(after)) => Ok(after - before),
        _ => bail!(
            "Envoy does not accept the plugin {}:\n{}",
            plugin.display(),
            tail(&lines, 15)
        ),
    }
}

fn tail(lines: &[String], count: usize) -> String {
    lines
        .get(lines.len().saturating_sub(count)..)
        .unwrap_or_default()
        .join("\n")
}

/// The smallest bootstrap that loads the plugin, with an empty policy.
fn bootstrap(plugin: &Path) -> Result<String> {
    let plugin = plugin.to_str().context("the path of the plugin must be UTF-8")?;
    let configuration = Encoding::String.pack(br#"{"version":1,"bundle":{"version":1}}"#)?;
    let configuration = str::from_utf8(&configuration)?;
    let values = [("PLUGIN_PATH", plugin), ("CONFIGURATION", configuration)];
    Ok(values.iter().fold(BOOTSTRAP.to_owned(), |text, (name, value)| {
        text.replace(name, &value.replace('\'', "''"))
    }))
}

const BOOTSTRAP: &str = r#"
static_resources:
  listeners:
  - name: probe
    address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: probe
          route_config: { name: none }
          http_filters:
          - name: portcullis
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                root_id: portcullis
                configuration:
                  "@type": type.googleapis.com/google.protobuf.StringValue
                  value: 'CONFIGURATION'
                vm_config:
                  vm_id: portcullis
                  runtime: envoy.wasm.runtime.v8
                  code: { local: { filename: 'PLUGIN_PATH' } }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
"#;

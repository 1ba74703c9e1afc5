//! Where the binaries are: Envoy, and the plugin.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::config::EnvoyVersion;

/// The Envoy that the project is tested with.
pub const ENVOY_VERSION: &str = "1.40.0";

/// The project's root folder.
#[must_use]
pub fn project_root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The Envoy binary: `PORTCULLIS_ENVOY`, or the one that `cargo xtask envoy` installed.
///
/// # Errors
///
/// There is none, with what to do about it.
pub fn envoy() -> Result<PathBuf> {
    let installed = format!("target/tools/envoy-{ENVOY_VERSION}/envoy");
    find("PORTCULLIS_ENVOY", &installed, "cargo xtask envoy")
}

/// The version of an Envoy, as far as configurations differ.
///
/// # Errors
///
/// It cannot be run, says something else than a version, or is older than all that configurations can be made for.
pub fn version(envoy: &Path) -> Result<EnvoyVersion> {
    let output = Command::new(envoy)
        .arg("--version")
        .output()
        .with_context(|| format!("could not run {}", envoy.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    // `/path/to/envoy  version: HASH/1.40.0/Clean/RELEASE/BoringSSL`
    let version = said
        .split_once("version: ")
        .and_then(|(_, build)| build.split('/').nth(1));
    let version = version.with_context(|| format!("{} says no version: {}", envoy.display(), said.trim()))?;
    Ok(version.parse()?)
}

/// The plugin: `PORTCULLIS_WASM`, or the one that `cargo xtask wasm` built.
///
/// # Errors
///
/// There is none, with what to do about it.
pub fn plugin() -> Result<PathBuf> {
    find("PORTCULLIS_WASM", "target/plugin/portcullis.wasm", "cargo xtask wasm")
}

/// The plugin with the fault that tests ask for, as `cargo xtask wasm --fault-injection` builds it beside the real one.
///
/// # Errors
///
/// There is none, with what to do about it.
pub fn faulty_plugin() -> Result<PathBuf> {
    find(
        "PORTCULLIS_FAULT_WASM",
        "target/plugin/portcullis-fault.wasm",
        "cargo xtask wasm --fault-injection",
    )
}

/// Lets Envoy check a bootstrap without serving, from the folder `from` where its relative paths start.
///
/// # Errors
///
/// Envoy refuses the bootstrap, or warns about it: a deprecated field is an error of the next version.
pub fn validate(envoy: &Path, bootstrap: &Path, from: &Path) -> Result<()> {
    let output = Command::new(envoy)
        .args(["--mode", "validate", "--log-level", "warning", "--config-path"])
        .arg(bootstrap)
        .current_dir(from)
        .output()
        .with_context(|| format!("could not run {}", envoy.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && !said.contains("[warning]"),
        "{}",
        said.trim()
    );
    Ok(())
}

fn find(variable: &str, built: &str, command: &str) -> Result<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    let path = named.clone().unwrap_or_else(|| project_root().join(built));
    if path.is_file() {
        return Ok(path.canonicalize()?);
    }
    match named {
        Some(named) => bail!("{variable} names `{}`, which is no file", named.display()),
        None => bail!("`{built}` is not there: run `{command}`, or set {variable} to its path"),
    }
}

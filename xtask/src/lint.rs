//! `cargo xtask lint`: formatting and clippy, for this machine and for wasm32.

use std::process::Command;

use anyhow::Result;

use crate::rust_src::BuildStd;
use crate::workspace::Workspace;
use crate::{cmd, wasm};

/// Runs the task.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    cmd::run(&mut format(workspace))?;
    cmd::run(&mut clippy(workspace))?;
    cmd::run(&mut clippy_bench(workspace))?;
    cmd::run(&mut clippy_wasm(workspace, BuildStd::provide(workspace)?))
}

/// Every crate is formatted.
pub(crate) fn format(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo("fmt");
    cargo.args(["--all", "--check"]);
    cargo
}

/// Every crate and test, for this machine.
pub(crate) fn clippy(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo("clippy");
    cargo.args(["--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    cargo
}

/// The benchmarks, which are no part of the workspace, without the other policy engines.
pub(crate) fn clippy_bench(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo("clippy");
    cargo.args(["--locked", "--all-targets", "--manifest-path"]);
    cargo.arg(workspace.path("bench/Cargo.toml"));
    cargo.arg("--target-dir").arg(workspace.path("target"));
    cargo.args(["--", "-D", "warnings"]);
    cargo
}

/// What goes into the plugin, for the plugin's target: the code behind `cfg(target_arch = "wasm32")` included.
pub(crate) fn clippy_wasm(workspace: &Workspace, toolchain: BuildStd) -> Command {
    let mut cargo = wasm::plugin_cargo(workspace, toolchain, "clippy");
    cargo.args(["--package", "policy-core", "--package", "policy-filter"]);
    cargo
        .arg("--target-dir")
        .arg(workspace.path("target/plugin-build/lint"));
    cargo.args(["--", "-D", "warnings"]);
    cargo
}

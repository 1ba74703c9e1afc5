//! `cargo xtask no-std`: `policy-core` on a machine that has nothing.
//!
//! `#![no_std]` in a crate does not say that its dependencies keep to it. A target for which only `core` and `alloc`
//! exist does: whatever reaches for std does not compile.

use std::fs;

use anyhow::{Context as _, Result};

use crate::cmd;
use crate::rust_src::BuildStd;
use crate::workspace::Workspace;

/// A microcontroller: no operating system, 32 bits, no 64-bit atomics.
const TARGET: &str = "thumbv7em-none-eabi";

/// The program that uses the core. It is a workspace of its own: with a panic handler it cannot be built for this machine.
const CRATE: &str = "policy-core/tests/ensure-no-std";

/// Runs the task.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    prove(workspace, BuildStd::provide(workspace)?)
}

/// Builds the proof without and with the wire form.
pub(crate) fn prove(workspace: &Workspace, toolchain: BuildStd) -> Result<()> {
    // The versions of the workspace, not newer ones. Cargo drops what the proof does not need.
    let lock = workspace.path(CRATE).join("Cargo.lock");
    fs::copy(workspace.path("Cargo.lock"), &lock).with_context(|| format!("cannot write {}", lock.display()))?;
    for features in [&[][..], &["--features", "json"]] {
        let mut cargo = toolchain.cargo(workspace, "build", "core,alloc");
        cargo
            .arg("--manifest-path")
            .arg(workspace.path(CRATE).join("Cargo.toml"));
        cargo.args(["--target", TARGET]).args(features);
        cmd::run(cargo.arg("--target-dir").arg(workspace.path("target/no-std")))?;
    }
    Ok(())
}

//! `cargo xtask bench`: what decisions and policy changes cost. `bench/` measures; here is what it needs.

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{apt, cmd, envoy, wasm};

/// Traffic, and instruction counts.
const PACKAGES: [&str; 2] = ["wrk", "valgrind"];

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only see that everything runs: small worlds, and no other policy engines
    #[arg(long)]
    short: bool,
    /// One section: engine, wasm, peers, envoy or push
    #[arg(long)]
    only: Option<String>,
}

/// Runs the task. Tables are printed; `target/bench/*.json` has them for programs.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    apt::ensure_installed(&PACKAGES)?;
    let fault_injection = false;
    wasm::run(workspace, wasm::Args { fault_injection })?;
    let envoy = envoy::provide_pinned(workspace)?;
    build_tool(workspace)?;
    build(workspace, args.short)?;

    let mut bench = workspace.command(workspace.path("target/bench-build/release/portcullis-bench"));
    bench.arg("run").arg("--results").arg(workspace.path("target/bench"));
    bench.args(args.short.then_some("--short"));
    if let Some(section) = &args.only {
        bench.args(["--only", section]);
    }
    bench.env("PORTCULLIS_ENVOY", envoy);
    bench.env(
        "PORTCULLIS_CLI",
        workspace.path("target/bench-build/release/portcullis"),
    );
    cmd::run(&mut bench)
}

/// The tool for people, as it is installed, but for the plugin's host, which compiling does not need.
fn build_tool(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo("build");
    cargo.args([
        "--locked",
        "--release",
        "--package",
        "portcullis",
        "--no-default-features",
    ]);
    cmd::run(cargo.arg("--target-dir").arg(workspace.path("target/bench-build")))
}

fn build(workspace: &Workspace, short: bool) -> Result<()> {
    let mut cargo = workspace.cargo("build");
    cargo.args(["--locked", "--release", "--manifest-path"]);
    cargo.arg(workspace.path("bench/Cargo.toml"));
    if !short {
        cargo.args(["--features", "peers"]);
    }
    cargo.arg("--target-dir").arg(workspace.path("target/bench-build"));
    cmd::run(&mut cargo).context("if only bench/Cargo.lock is out of date: cd bench && cargo update --workspace")
}

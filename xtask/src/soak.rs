//! `cargo xtask soak`: reloads by the thousand, under traffic. The test that `cargo xtask test` runs for seconds runs
//! for minutes here, and says what it saw.

use std::env;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{cmd, envoy, wasm};

/// How many reloads the test shall do.
const RELOADS: &str = "PORTCULLIS_SOAK_RELOADS";
/// A plugin to use instead of the one that this task builds.
const PLUGIN_OVERRIDE: &str = "PORTCULLIS_WASM";

/// Options of `cargo xtask soak`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often the policy changes
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    reloads: u32,
}

/// Runs the task. It fails if a verdict is wrong, a connection is dropped, or memory grows.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    if env::var_os(PLUGIN_OVERRIDE).is_none() {
        let fault_injection = false;
        wasm::run(workspace, wasm::Args { fault_injection })?;
    }
    let mut cargo = workspace.cargo("test");
    cargo.args([
        "--locked",
        "--package",
        "envoy-e2e",
        "--test",
        "reload",
        "--test",
        "flip",
    ]);
    // What the tests print is the result.
    cargo.args(["--", "--nocapture"]);
    cargo.env(RELOADS, args.reloads.to_string());
    cargo.env("PORTCULLIS_ENVOY", envoy::provide_pinned(workspace)?);
    cargo.env("PORTCULLIS_REQUIRE_ENVOY", "1");
    cargo.env("PORTCULLIS_REQUIRE_WASM", "1");
    cmd::run(&mut cargo)
}

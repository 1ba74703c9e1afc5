//! The tasks of this workspace: `cargo xtask` lists them, `cargo xtask test` is what CI runs.
//!
//! A task is a module with a `run` function, one variant of [`Task`] (its doc comment is the sentence in the list)
//! and one arm in [`run`]. Whatever a task needs from outside it installs itself, or it fails and says how to.

mod apt;
mod bench;
mod check;
mod cmd;
mod conformance;
mod demo;
mod envoy;
mod fuzz;
mod lint;
mod netns;
mod no_std;
mod node;
mod python;
mod rust_src;
mod soak;
mod startup;
mod wasm;
mod wasm_module;
mod wasm_tests;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};
use workspace::Workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "The tasks of this workspace",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Run everything CI runs: tools, formatting, lints, no_std proof, tests, documentation
    Test,
    /// Build the plugin that Envoy loads, report its size and how long Envoy takes to start it
    Wasm(wasm::Args),
    /// Show the product: policies of a small cluster enforced by a real Envoy, changed while it runs
    Demo(demo::Args),
    /// Ask every conformance case, natively and as the plugin, and print agreement by file and tag
    Conformance,
    /// Install the pinned Envoy, and others
    Envoy(envoy::Args),
    /// Install the Python packages that tests compare against, print the interpreter's path
    Python,
    /// Check formatting, and lint every crate for this machine and the plugin's crates for wasm32
    Lint,
    /// Prove that `policy-core` needs neither std nor an operating system: build it for a bare-metal target
    NoStd,
    /// Run the engine's own tests on the plugin's target, under Node
    WasmTests,
    /// Try inputs that nobody thought of on everything that reads foreign bytes
    Fuzz(fuzz::Args),
    /// Measure what decisions and policy changes cost, beside other ways to decide
    Bench(bench::Args),
    /// Change the policy of a busy Envoy thousands of times: verdicts, connections and memory must be right
    Soak(soak::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Option<Task>) -> Result<()> {
    let workspace = Workspace::discover()?;
    match task {
        None => Ok(Cli::command().print_help()?),
        Some(Task::Test) => check::run(&workspace),
        Some(Task::Wasm(args)) => wasm::run(&workspace, args),
        Some(Task::Demo(args)) => demo::run(&workspace, &args),
        Some(Task::Conformance) => conformance::run(&workspace),
        Some(Task::Envoy(args)) => envoy::run(&workspace, &args),
        Some(Task::Python) => python::run(&workspace),
        Some(Task::Lint) => lint::run(&workspace),
        Some(Task::NoStd) => no_std::run(&workspace),
        Some(Task::WasmTests) => wasm_tests::run(&workspace),
        Some(Task::Fuzz(args)) => fuzz::run(&workspace, &args),
        Some(Task::Bench(args)) => bench::run(&workspace, &args),
        Some(Task::Soak(args)) => soak::run(&workspace, &args),
    }
}

//! What decisions and policy changes cost: the engine, the plugin, Envoy around it, and other ways to decide, on the
//! same policies in the same run. `cargo xtask bench` runs it; `docs/performance.md` says what the numbers mean.

mod engine;
mod envoy;
mod instructions;
mod peers;
mod plugin;
mod push;
mod report;
mod sampler;
mod world;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use sampler::Effort;

#[derive(Parser)]
#[command(name = "portcullis-bench", about = "What decisions and policy changes cost")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure, print tables, write JSON
    Run(Args),
    /// Ask one question many times, for a profiler to count
    Ask(instructions::Ask),
    /// Decide on Envoy's gRPC requests: always yes
    #[command(hide = true)]
    Authorizer,
}

/// What to measure.
#[derive(clap::Args)]
struct Args {
    /// Only to see that everything runs: small worlds, few rounds
    #[arg(long)]
    short: bool,
    /// One section
    #[arg(long)]
    only: Option<Section>,
    /// Where the JSON goes
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    results: PathBuf,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Section {
    /// The engine on this machine
    Engine,
    /// The plugin in wasmtime
    Wasm,
    /// The engine beside other policy engines
    Peers,
    /// CPU time of a real Envoy for each request
    Envoy,
    /// What a policy change costs a running Envoy
    Push,
}

impl Args {
    fn effort(&self) -> Effort {
        if self.short { Effort::SHORT } else { Effort::FULL }
    }

    fn run(&self) -> Result<()> {
        for section in Section::value_variants() {
            if self.only.is_some_and(|only| only != *section) {
                continue;
            }
            eprintln!("measuring: {section:?}");
            let report = match section {
                Section::Engine => engine::measure(self.effort(), self.short)?,
                Section::Wasm => plugin::measure(self.effort(), self.short)?,
                Section::Peers => peers::measure(self.effort(), self.short)?,
                Section::Envoy => envoy::measure(self.short)?,
                Section::Push => push::measure(self.short)?,
            };
            report.finish(&self.results)?;
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Run(args) => args.run(),
        Task::Ask(ask) => ask.run(),
        Task::Authorizer => envoy::authorizer::serve(),
    }
}

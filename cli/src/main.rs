//! `portcullis`: validate, compile, trace and evaluate network policy.

mod args;
mod compile;
mod conformance;
mod diff;
mod doctor;
mod eval;
mod input;
mod judge;
mod matrix;
mod output;
mod pack;
mod placement;
mod policy;
mod reach;
mod replay;
mod suite;
mod trace;
mod validate;

use std::{io, process::ExitCode};

use anyhow::Result;
use args::{Cli, Command};
use clap::Parser as _;

/// What a command found out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Valid, allowed, the same.
    Yes,
    /// Invalid, denied, different.
    No,
}

fn main() -> ExitCode {
    let Cli { color, command } = Cli::parse();
    match run(&command, color) {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command, color: args::Color) -> Result<Outcome> {
    match command {
        Command::Validate(args) => validate::run(args, color),
        Command::Compile(args) => compile::run(args, color),
        Command::Pack(args) => pack::run(args),
        Command::Trace(args) => trace::run(args, color),
        Command::Matrix(args) => matrix::run(args, color),
        Command::Diff(args) => diff::run(args, color),
        Command::Replay(args) => replay::run(args, color),
        Command::Eval(args) => eval::run(args),
        Command::Conformance(args) => conformance::run(args),
        Command::Test(args) => suite::run(args, color),
        Command::Doctor(args) => doctor::run(args, color),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

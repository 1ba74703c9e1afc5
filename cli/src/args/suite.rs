//! What `test` takes.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::Args;

use super::{EngineChoice, Format};

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  portcullis test examples/empire/tests/*.yaml")]
pub(crate) struct TestArgs {
    /// Suites: YAML files with cases and the policies that they are about, or folders of such files.
    #[arg(required = true, value_name = "SUITE")]
    pub(crate) suites: Vec<PathBuf>,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
    /// Write the results as JUnit XML to this file too.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// How many threads ask; as many as there are processors without it.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Run again whenever a suite, or a file that one names, changes.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Put all policies in audit mode: nothing is denied. Cases tell what would be with `would`.
    #[arg(long)]
    pub(crate) audit: bool,
    /// Who decides; the explanations are always those of the native engine.
    #[arg(long, value_enum, default_value_t, value_name = "ENGINE")]
    pub(crate) engine: EngineChoice,
    /// Fail when no case exercises some rule, or no case shows some policy to deny.
    #[arg(long)]
    pub(crate) fail_uncovered: bool,
}

//! `matrix` and `diff`: the commands that look at all flows.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use super::{Format, InputArgs, Port, ReadingArgs};

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  portcullis matrix -f examples/empire --html matrix.html")]
pub(crate) struct MatrixArgs {
    #[command(flatten)]
    pub(crate) input: InputArgs,
    /// Show only this port, and those that no policy tells from it; may be repeated.
    #[arg(long, action = ArgAction::Append, value_name = "PORT[/PROTOCOL]")]
    pub(crate) port: Vec<Port>,
    /// Judge policies in audit mode as if they were enforced. Without this they have no effect, as in a proxy.
    #[arg(long)]
    pub(crate) audit_as_enforced: bool,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: MatrixFormat,
    /// Write a page for browsers too. It is one file that loads nothing.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// The form of a matrix.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum MatrixFormat {
    /// A table for people.
    #[default]
    Text,
    /// For programs: stable, one document.
    Json,
    /// A graph for Graphviz.
    Dot,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  cd examples/empire && portcullis diff -f world.yaml stages/2-kube-dns.yaml stages/3-prometheus.yaml"
)]
pub(crate) struct DiffArgs {
    /// What was in force: a file or folder of objects, or a bundle.
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// What shall be in force, in the same forms.
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// Files or folders with objects that belong to both, such as the pods; may be repeated.
    #[arg(short, long = "file", action = ArgAction::Append, value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// Judge policies in audit mode as if they were enforced. Without this they have no effect, as in a proxy.
    #[arg(long)]
    pub(crate) audit_as_enforced: bool,
    /// Which differences make the exit status 1.
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub(crate) fail_on: FailOn,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Which differences count: between two policy sets, or between then and now.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum FailOn {
    /// All of them.
    #[default]
    Any,
    /// Those that open something, and those of which nobody can say.
    Widening,
    /// Those that close something, and those of which nobody can say.
    Narrowing,
}

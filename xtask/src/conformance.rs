//! `cargo xtask conformance`: what the engine says to every conformance case, natively and as the plugin, in a table.
//!
//! The project carries cases of its own. Corpora beside the checkout are asked too, if they are there.

use std::path::PathBuf;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{cmd, wasm};

/// Cases that belong to the project.
const OWN: &str = "cli/testdata/eval/cases.jsonl";
/// Where corpora that are not part of the project lie.
const CORPORA: &str = "../shared/corpus";
/// Where we differ on purpose, each with its reason.
const KNOWN: &str = "conformance/known-differences.toml";

/// Runs the task. It fails on any disagreement that is not argued for, and where plugin and native engine differ.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    wasm::run(workspace, wasm::Args { fault_injection: false })?;
    ask(workspace)
}

/// The same with the plugin that is there already.
pub(crate) fn ask(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo("run");
    cargo.args(["--locked", "--quiet", "--package", "portcullis", "--"]);
    cargo.args(["conformance", "--engine", "both", "--known"]);
    cmd::run(cargo.arg(workspace.path(KNOWN)).args(corpora(workspace)))
}

fn corpora(workspace: &Workspace) -> Vec<PathBuf> {
    let mut paths = vec![workspace.path(OWN)];
    let others = workspace.path(CORPORA);
    if others.is_dir() {
        paths.push(others);
    } else {
        println!("NOT FOUND: {CORPORA}: only the project's own cases are asked");
    }
    paths
}

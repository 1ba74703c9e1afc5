//! `cargo xtask conformance`: what the engine says to every conformance case, natively and as the plugin, in a table.
//!
//! The project carries cases of its own. Corpora beside the checkout are asked too, if they are there.

use std::path::PathBuf;
use std::process::Command;

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
fn ask(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo("run");
    cargo.args(["--locked", "--quiet", "--package", "portcullis", "--"]);
    compare(workspace, cargo)
}

/// The same right after `cargo test` built the program. Cargo would build it anew, and all of wasmtime with it, only
/// because other features of common dependencies are wanted where fewer crates are.
pub(crate) fn ask_tested(workspace: &Workspace) -> Result<()> {
    let program = workspace.tested_program("portcullis");
    if program.is_file() {
        compare(workspace, workspace.command(program))
    } else {
        ask(workspace)
    }
}

fn compare(workspace: &Workspace, mut portcullis: Command) -> Result<()> {
    portcullis.args(["conformance", "--engine", "both", "--known"]);
    cmd::run(portcullis.arg(workspace.path(KNOWN)).args(corpora(workspace)))
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

//! `cargo xtask fuzz`: inputs that nobody thought of, for everything that reads foreign bytes.
//!
//! The targets are laid out for `cargo fuzz`, but it is not needed: it adds a few compiler flags, all of them stable,
//! and a sanitizer for unsafe code, of which the crates under test have none.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::cmd;
use crate::workspace::Workspace;

/// Counters for every edge and the operands of every comparison, for libFuzzer to see what an input reaches.
const RUSTC_FLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

/// How much a test run tries: whichever is over first.
const SMOKE_RUNS: u32 = 20_000;
const SMOKE_SECONDS: u64 = 5;

/// An input that takes longer is a finding. Generous: the machine may be busy.
const SLOWEST_INPUT_SECONDS: u32 = 25;

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A file of fuzz/fuzz_targets, without its ending; all of them, one after another, if absent
    target: Option<String>,
    /// How long to try each
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

/// Runs the task. What it learns stays in `fuzz/corpus`, for the next time and for `cargo fuzz`.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let targets = targets(workspace)?;
    if let Some(wanted) = &args.target {
        ensure!(
            targets.contains(wanted),
            "no target `{wanted}`; there are: {}",
            targets.join(", ")
        );
    }
    let programs = build(workspace)?;
    for target in targets
        .iter()
        .filter(|target| args.target.as_ref().is_none_or(|wanted| wanted == *target))
    {
        let corpus = workspace.path("fuzz/corpus").join(target);
        let limit = format!("-max_total_time={}", args.seconds);
        fuzz(workspace, &programs, target, &corpus, &[&limit, "-print_final_stats=1"])?;
    }
    Ok(())
}

/// Tries every target for a moment, starting with its seeds and regressions. Nothing stays of it, so that the next
/// test run does the same.
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    let programs = build(workspace)?;
    for target in targets(workspace)? {
        let corpus = workspace.path("target/fuzz/smoke").join(&target);
        if corpus.exists() {
            fs::remove_dir_all(&corpus).with_context(|| format!("cannot remove {}", corpus.display()))?;
        }
        let limits = [
            format!("-runs={SMOKE_RUNS}"),
            format!("-max_total_time={SMOKE_SECONDS}"),
        ];
        let [runs, seconds] = limits.each_ref().map(String::as_str);
        fuzz(
            workspace,
            &programs,
            &target,
            &corpus,
            &[runs, seconds, "-seed=1", "-verbosity=0", "-print_funcs=0"],
        )?;
    }
    Ok(())
}

/// The names of all targets.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let dir = workspace.path("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        let stem = path.file_stem().context("a file has a name")?;
        names.push(stem.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Builds all targets; returns the folder of the programs.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let host = host(workspace)?;
    let target_dir = workspace.path("target/fuzz");
    let mut cargo = workspace.cargo("build");
    cargo.args(["--locked", "--release", "--bins", "--manifest-path"]);
    cargo.arg(workspace.path("fuzz/Cargo.toml"));
    // With a target, even if it is this machine, the flags are not for build scripts and macros.
    cargo.args(["--target", &host]).arg("--target-dir").arg(&target_dir);
    cargo.env("RUSTFLAGS", RUSTC_FLAGS.join(" "));
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
    cmd::run(&mut cargo).context("if only fuzz/Cargo.lock is out of date: cd fuzz && cargo update --workspace")?;
    Ok(target_dir.join(host).join("release"))
}

/// The compiler's name for this machine.
fn host(workspace: &Workspace) -> Result<String> {
    let printed = cmd::output(workspace.command("rustc").arg("-vV"))?;
    let host = printed.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// Runs one target; new inputs go to `corpus`. A finding ends it with an error, and its input is kept as an artifact.
fn fuzz(workspace: &Workspace, programs: &Path, target: &str, corpus: &Path, options: &[&str]) -> Result<()> {
    let artifacts = workspace.path("fuzz/artifacts").join(target);
    for dir in [corpus, &artifacts] {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    let mut command = workspace.command(programs.join(target));
    command.args(options).arg(format!("-timeout={SLOWEST_INPUT_SECONDS}"));
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg(corpus).args(known_inputs(workspace, target));
    cmd::run(&mut command).with_context(|| {
        format!("a finding of `{target}`: see fuzz/artifacts/{target}, and keep the input in fuzz/regressions/{target}")
    })
}

/// Folders with inputs that the project keeps.
fn known_inputs(workspace: &Workspace, target: &str) -> impl Iterator<Item = PathBuf> {
    let dirs = ["fuzz/seeds", "fuzz/regressions"].map(|dir| workspace.path(dir).join(target));
    dirs.into_iter().filter(|dir| dir.is_dir())
}

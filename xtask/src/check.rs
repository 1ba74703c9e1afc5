//! `cargo xtask test`: everything, in the order in which a failure is cheapest to find out. The demo is the last
//! test: it fails unless the seed's policies hold in a running Envoy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::rust_src::BuildStd;
use crate::workspace::Workspace;
use crate::{cmd, conformance, demo, envoy, fuzz, lint, netns, no_std, python, wasm, wasm_tests};

/// Runs the task. It stops at the first step that fails.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut report = Report::default();
    let result = steps(workspace, &mut report);
    report.print();
    result
}

fn steps(workspace: &Workspace, report: &mut Report) -> Result<()> {
    report.step("rust tools", || rust_tools(workspace))?;
    report.step("formatting", || cmd::run(&mut lint::format(workspace)))?;
    let toolchain = report.step("std source", || BuildStd::provide(workspace))?;
    let envoy = report.step("Envoy", || envoy::provide_pinned(workspace))?;
    let oldest = report.step("oldest Envoy", || envoy::provide_oldest(workspace))?;
    let python = report.step("Python packages", || python::provide(workspace))?;
    let networks = report.step("network tools", netns::provide)?;
    report.step("clippy", || cmd::run(&mut lint::clippy(workspace)))?;
    report.step("clippy for benchmarks", || cmd::run(&mut lint::clippy_bench(workspace)))?;
    report.step("clippy for wasm32", || {
        cmd::run(&mut lint::clippy_wasm(workspace, toolchain))
    })?;
    report.step("no_std proof", || no_std::prove(workspace, toolchain))?;
    report.step("plugin", || wasm::run(workspace, wasm::Args { fault_injection: true }))?;
    let environment = Environment {
        workspace,
        envoy,
        python,
        networks,
    };
    report.step("tests", || cmd::run(&mut environment.tests()))?;
    report.step("tests, oldest Envoy", || {
        cmd::run(&mut environment.tests_with(&oldest)?)
    })?;
    report.step("tests on wasm32", || wasm_tests::test(workspace, toolchain))?;
    report.step("fuzzing", || fuzz::smoke(workspace))?;
    report.step("conformance", || conformance::ask_tested(workspace))?;
    report.step("demo", || demo::run(workspace, &demo::Args::default()))?;
    report.step("documentation", || cmd::run(&mut documentation(workspace)))
}

/// The parts of a Rust toolchain that a minimal installation leaves out.
fn rust_tools(workspace: &Workspace) -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !cmd::succeeds(workspace.cargo(subcommand).arg("--version")) {
            cmd::run(workspace.command("rustup").args(["component", "add", component]))
                .with_context(|| format!("`cargo {subcommand}` is missing; install {component} for this toolchain"))?;
        }
    }
    Ok(())
}

/// Where tests find what this task has installed.
struct Environment<'a> {
    workspace: &'a Workspace,
    envoy: PathBuf,
    python: PathBuf,
    /// Whether tests may make network namespaces.
    networks: bool,
}

impl Environment<'_> {
    /// All tests, to the end even when one fails. Those that need Envoy or the plugin fail without it, they do not skip.
    fn tests(&self) -> Command {
        self.tests_on(&self.envoy)
    }

    /// The tests that need an Envoy, on another one.
    fn tests_with(&self, envoy: &Path) -> Result<Command> {
        let mut cargo = self.tests_on(envoy);
        // By name and not by package: with fewer packages, cargo would build their dependencies anew, only because
        // fewer features of them are wanted.
        for target in test_targets(&self.workspace.path("envoy/tests"))? {
            cargo.args(["--test", &target]);
        }
        Ok(cargo)
    }

    fn tests_on(&self, envoy: &Path) -> Command {
        let mut cargo = self.workspace.cargo("test");
        cargo.args(["--locked", "--workspace", "--no-fail-fast"]);
        cargo.env("PORTCULLIS_REQUIRE_ENVOY", "1");
        cargo.env("PORTCULLIS_ENVOY", envoy);
        cargo.env("PORTCULLIS_PYTHON", &self.python);
        cargo.env("PORTCULLIS_REQUIRE_WASM", "1");
        cargo.env("PORTCULLIS_REQUIRE_NETNS", if self.networks { "1" } else { "0" });
        // The plugin that was just built, not one of the caller's: tests find it, and check that it is up to date.
        cargo.env_remove("PORTCULLIS_WASM").env_remove("PORTCULLIS_FAULT_WASM");
        cargo
    }
}

/// The names of the integration tests in a folder, as cargo finds them.
fn test_targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let is_target = path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file();
        let name = path.file_stem().filter(|_| is_target);
        names.extend(name.map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn documentation(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo("doc");
    cargo
        .args(["--locked", "--no-deps", "--workspace"])
        .env("RUSTDOCFLAGS", "-D warnings");
    cargo
}

/// What ran, how it ended and how long it took.
#[derive(Default)]
struct Report {
    rows: Vec<(&'static str, bool, Duration)>,
}

impl Report {
    fn step<T>(&mut self, name: &'static str, body: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n=== {name}");
        let started = Instant::now();
        let result = body().with_context(|| format!("step `{name}` failed"));
        self.rows.push((name, result.is_ok(), started.elapsed()));
        result
    }

    fn print(&self) {
        eprintln!();
        for (name, passed, took) in &self.rows {
            let outcome = if *passed { "ok" } else { "FAILED" };
            eprintln!("{name:<20} {outcome:<6} {:>7.1} s", took.as_secs_f64());
        }
        let failed = self.rows.iter().filter(|(_, passed, _)| !passed).count();
        println!("steps: {} passed, {failed} failed", self.rows.len() - failed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_tests_that_cargo_finds() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["b.rs", "a/main.rs", "common/mod.rs", "data.json"] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(test_targets(dir.path()).unwrap(), ["a", "b"]);
    }
}

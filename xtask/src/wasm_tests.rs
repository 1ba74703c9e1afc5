//! `cargo xtask wasm-tests`: the engine's own tests on the plugin's target, under Node.
//!
//! The engine that ships has 32-bit pointers and another code generator than the one that `cargo test` tests. A crate
//! whose tests run here takes the attribute `#[test]` from `policy-core/tests/wasm-test`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::rust_src::BuildStd;
use crate::workspace::Workspace;
use crate::{cmd, node};

/// Without WASI, as the plugin.
const TARGET: &str = "wasm32-unknown-unknown";

/// What of the standard library is built from source. A panic ends one test, so it need not unwind.
const STD_CRATES: &str = "std,panic_abort";

/// What of `policy-core` is tested: all that needs neither files nor other programs.
const SUITES: [&str; 3] = ["--lib", "--test=decide", "--test=oracle"];

/// The program that runs a test module in Node.
const RUNNER: &str = "wasm-bindgen-test-runner";

/// Runs the task.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    test(workspace, BuildStd::provide(workspace)?)
}

/// Builds and runs the tests. It fails also if a suite has none: then its attribute is not the one for wasm32.
pub(crate) fn test(workspace: &Workspace, toolchain: BuildStd) -> Result<()> {
    node::ensure_installed()?;
    let runner = provide_runner(workspace)?;
    let mut cargo = toolchain.cargo(workspace, "test", STD_CRATES);
    cargo.args([
        "--locked",
        "--no-fail-fast",
        "--target",
        TARGET,
        "--package",
        "policy-core",
    ]);
    cargo.args(SUITES);
    // Property tests are slow without optimisation, and debug information in Wasm helps nobody.
    cargo.args([
        "--config",
        "profile.test.opt-level=1",
        "--config",
        "profile.test.debug=false",
    ]);
    cargo.arg("--target-dir").arg(workspace.path("target/wasm-tests"));
    cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", &runner);
    // Flags of the caller are for another machine.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");

    eprintln!("$ {}", cmd::render(&cargo));
    let (passed, printed) = cmd::captured(&mut cargo)?;
    print!("{printed}");
    ensure!(passed, "tests failed on wasm32; repeat with: {}", cmd::render(&cargo));
    let suites = passed_tests(&printed);
    ensure!(
        suites.len() == SUITES.len() && !suites.contains(&0),
        "{} suites, but these numbers of tests ran: {suites:?}",
        SUITES.len()
    );
    Ok(())
}

/// The numbers of tests that passed, one for each suite that says so.
fn passed_tests(printed: &str) -> Vec<u32> {
    let results = printed
        .lines()
        .filter_map(|line| line.strip_prefix("test result: ok. "));
    results
        .filter_map(|result| result.split_once(" passed")?.0.parse().ok())
        .collect()
}

/// The runner for the locked version of wasm-bindgen, installed if it is not there: the two must be the same.
fn provide_runner(workspace: &Workspace) -> Result<PathBuf> {
    let lock = fs::read_to_string(workspace.path("Cargo.lock"))?;
    let version = locked_version(&lock, "wasm-bindgen").context("Cargo.lock has no wasm-bindgen")?;
    let home = workspace.tools_dir().join(format!("wasm-bindgen-{version}"));
    let runner = home.join("bin").join(RUNNER);
    if !runner.is_file() {
        let mut cargo = workspace.cargo("install");
        // Not `--locked`: it asks for versions that are newer than what a mirror of the registry may have. Without the
        // default features it cannot download browsers, which nobody here tests in.
        cargo.args([
            "--no-default-features",
            "--version",
            version,
            "wasm-bindgen-cli",
            "--bin",
            RUNNER,
        ]);
        cargo.arg("--root").arg(&home);
        cargo
            .arg("--target-dir")
            .arg(workspace.path("target/tools/wasm-bindgen-build"));
        cmd::run(&mut cargo)?;
    }
    Ok(runner)
}

/// The version of a package in a lock file.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_version_is_that_of_the_very_package() {
        let lock = "[[package]]\nname = \"wasm-bindgen-test\"\nversion = \"0.3.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.1\"\nsource = \"x\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.1"));
        assert_eq!(locked_version(lock, "wasm-bindgen-test"), Some("0.3.1"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }

    #[test]
    fn a_suite_without_tests_is_noticed() {
        let printed = "test result: ok. 12 passed; 0 failed\nno tests to run!\ntest result: FAILED. 3 passed; 1 failed\n\
                       test result: ok. 0 passed; 0 failed\n";
        assert_eq!(passed_tests(printed), [12, 0]);
    }
}

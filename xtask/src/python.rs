//! `cargo xtask python`: the Python packages that tests compare against, apart from the system's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{apt, cmd};

/// RE2 itself, the judge of our patterns.
const PACKAGES: [&str; 1] = ["google-re2==1.1.20251105"];

/// Fails where one of [`PACKAGES`] is missing.
const IMPORTS: &str = "import re2";

/// Runs the task: prints the path of the interpreter.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    println!("{}", provide(workspace)?.display());
    Ok(())
}

/// An interpreter that finds [`PACKAGES`], installed if it is not there.
pub(crate) fn provide(workspace: &Workspace) -> Result<PathBuf> {
    let home = workspace.tools_dir().join("python");
    let interpreter = home.join("bin/python");
    let stamp = home.join("packages.txt");
    let wanted = PACKAGES.join("\n");
    let current = fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted);
    if current && works(&interpreter) {
        return Ok(interpreter);
    }
    ensure_pip()?;
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("cannot remove {}", home.display()))?;
    }
    if cmd::succeeds(Command::new("python3").args(["-m", "venv"]).arg(&home)) {
        cmd::run(
            Command::new(&interpreter)
                .args(["-m", "pip", "install", "--quiet"])
                .args(PACKAGES),
        )?;
    } else {
        eprintln!("this Python has no venv module; installing into a folder of its own instead");
        install_beside(&home, &interpreter)?;
    }
    cmd::run(Command::new(&interpreter).args(["-c", IMPORTS]))?;
    fs::write(&stamp, wanted)?;
    Ok(interpreter)
}

/// `pip install` of the system's Python. The caller says where to: never into the system.
pub(crate) fn pip_install() -> Result<Command> {
    ensure_pip()?;
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
    ]);
    Ok(pip)
}

fn ensure_pip() -> Result<()> {
    if cmd::succeeds(Command::new("python3").args(["-m", "pip", "--version"])) {
        return Ok(());
    }
    apt::ensure_installed(&["python3", "python3-pip"]).context("tools come from Python wheels, which needs pip")
}

fn works(interpreter: &Path) -> bool {
    cmd::succeeds(Command::new(interpreter).args(["-c", IMPORTS]))
}

/// Without `venv`: packages in a folder, and a script in the interpreter's place that points Python to it.
fn install_beside(home: &Path, interpreter: &Path) -> Result<()> {
    let packages = home.join("packages");
    // A venv that failed half-way has left files.
    if home.exists() {
        fs::remove_dir_all(home)?;
    }
    fs::create_dir_all(home.join("bin"))?;
    cmd::run(pip_install()?.arg("--target").arg(&packages).args(PACKAGES))?;
    let script =
        "#!/bin/sh\nhome=$(dirname \"$(dirname \"$0\")\")\nPYTHONPATH=\"$home/packages\" exec python3 \"$@\"\n";
    fs::write(interpreter, script)?;
    cmd::run(Command::new("chmod").arg("+x").arg(interpreter))
}

//! Debian packages: installed when we may, asked for by their exact command when we may not.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::cmd;

/// Makes sure that `packages` are installed.
///
/// Without `apt-get` or without root the error is the command to type.
pub(crate) fn ensure_installed(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !cmd::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("install these with this system's package manager (names as in Debian): {list}");
    }
    if cmd::output(Command::new("id").arg("-u"))? != "0" {
        bail!("not root; run: sudo apt-get update && sudo apt-get install --yes {list}");
    }
    cmd::run(&mut apt_get("update"))?;
    cmd::run(
        apt_get("install")
            .args(["--yes", "--no-install-recommends"])
            .args(missing),
    )
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .stderr(Stdio::null());
    query
        .output()
        .is_ok_and(|output| output.status.success() && output.stdout == b"installed")
}

fn apt_get(subcommand: &str) -> Command {
    let mut command = Command::new("apt-get");
    // Package scripts must not ask questions: CI has no terminal to answer them.
    command.env("DEBIAN_FRONTEND", "noninteractive").arg(subcommand);
    command
}

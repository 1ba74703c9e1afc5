//! Node, which runs what comes from npm and the engine's tests on wasm32.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::{apt, cmd};

/// The first with a source of randomness that needs no import.
const OLDEST: u32 = 20;

/// Makes sure that there is a Node that is new enough.
pub(crate) fn ensure_installed() -> Result<()> {
    let node = || cmd::output(Command::new("node").arg("--version")).ok();
    if node().is_none() {
        apt::ensure_installed(&["nodejs"]).with_context(|| format!("this needs Node {OLDEST} or newer"))?;
    }
    let version = node().context("`node --version` does not work")?;
    let new_enough = major(&version).is_some_and(|major| major >= OLDEST);
    ensure!(new_enough, "Node {version} is too old; install {OLDEST} or newer");
    Ok(())
}

/// Makes sure that there is Node with its package manager.
pub(crate) fn ensure_npm() -> Result<()> {
    ensure_installed()?;
    if cmd::succeeds(Command::new("npm").arg("--version")) {
        return Ok(());
    }
    apt::ensure_installed(&["npm"]).context("this needs npm, which comes with Node from most sources")
}

/// 20 of `v20.11.1`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node() {
        assert_eq!(major("v20.11.1"), Some(20));
        assert_eq!(major("20.11.1"), None);
        assert_eq!(major("v"), None);
    }
}

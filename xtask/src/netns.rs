//! What tests in network namespaces need: root, some programs, and a kernel that lets us.

use std::process::Command;

use anyhow::Result;
use envoy_e2e::netns;

use crate::{apt, cmd};

/// Installs what is missing. Returns whether such tests can run here; where they cannot, they say so and pass.
pub(crate) fn provide() -> Result<bool> {
    if cmd::output(Command::new("id").arg("-u"))? == "0" {
        let missing = |program: &str| Command::new(program).arg("--version").output().is_err();
        let packages = netns::PROGRAMS.iter().filter(|(program, _)| missing(program));
        apt::ensure_installed(&packages.map(|(_, package)| *package).collect::<Vec<_>>())?;
    }
    let possible = netns::requirements();
    if let Err(obstacle) = &possible {
        println!("==== TESTS IN NETWORK NAMESPACES ARE SKIPPED: {obstacle:#} ====");
    }
    Ok(possible.is_ok())
}

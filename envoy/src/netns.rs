//! Clusters made of network namespaces: every pod and every host outside has its own, and so its own addresses,
//! routes and ports. What runs in them needs not know of Envoy, because the kernel hands it the traffic.
//!
//! - [`Namespace`] is one network of its own; [`Inside`] holds a server that lives in one;
//! - [`Network`] is a node with hosts around it, each on a wire of its own;
//! - [`intercept`] leads the traffic of a node (TPROXY) or of one pod (REDIRECT) to Envoy, and services to their pods;
//! - [`curl`] is the real curl in a namespace, and what came of a call;
//! - [`balancer`] stands for a load balancer that tells, by the PROXY protocol, on whose behalf it calls.
//!
//! All of it needs Linux, root and a few programs: ask [`requirements`]. Namespaces end with the values that stand for
//! them; those of a process that was killed are removed by the next one. `docs/real-networks.md` is the manual.

pub mod balancer;
pub mod curl;
pub mod intercept;
mod namespace;
mod network;
mod owner;
mod tool;

pub use namespace::{Inside, Namespace, remove_abandoned};
pub use network::{NODE, Network};

use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, anyhow, ensure};

/// The programs that are called, and the Debian packages that they come from.
pub const PROGRAMS: [(&str, &str); 4] = [
    ("ip", "iproute2"),
    ("iptables-restore", "iptables"),
    ("curl", "curl"),
    ("setpriv", "util-linux"),
];

/// Whether this process can make namespaces and intercept traffic in them; tried once, not guessed.
///
/// # Errors
///
/// What is missing: root, a program, or a feature of the kernel with what it said.
pub fn requirements() -> Result<()> {
    static FOUND: OnceLock<Result<(), String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| try_out().map_err(|error| format!("{error:#}")));
    found.clone().map_err(|missing| anyhow!(missing))
}

fn try_out() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "network namespaces need root, and this is not root"
    );
    for (program, package) in PROGRAMS {
        // Any answer will do, only a program that is not there cannot be run.
        let found = Command::new(program).arg("--version").output();
        found.with_context(|| format!("no `{program}`: install the package {package}"))?;
    }
    let namespace = Namespace::new("requirements").context("no network namespaces here")?;
    intercept::try_out(&namespace).context("traffic cannot be intercepted here")
}

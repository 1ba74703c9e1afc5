//! A compiler that comes with the source of std.
//!
//! The plugin needs a std whose panics unwind on wasm32, and no toolchain ships one built: it is compiled from source
//! with `-Zbuild-std`. The same trick gives the bare-metal `core` that the no_std proof builds on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{apt, cmd};

/// Debian's compiler, kept new for building browsers, with matching source, linter and linker.
const DEBIAN_PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy", "lld-22"];
const DEBIAN_WASM_LINKER: &str = "wasm-ld-22";

/// The source of std below the root of a toolchain.
const STD_SOURCE: &str = "lib/rustlib/src/rust/library";

/// How long rustup may try to download: without network it would otherwise try for many minutes.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

/// A toolchain that can build std from source.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BuildStd {
    /// The toolchain that runs this task.
    Active,
    /// Debian's own, next to whatever else is installed.
    Debian,
}

impl BuildStd {
    /// Finds a toolchain or installs one: the active one as it is, the active one with `rust-src` from rustup, Debian's.
    pub(crate) fn provide(workspace: &Workspace) -> Result<Self> {
        let sysroot = PathBuf::from(cmd::output(workspace.command("rustc").args(["--print", "sysroot"]))?);
        if has_std_source(&sysroot) && has_linker(&sysroot) {
            return Ok(Self::Active);
        }
        if has_linker(&sysroot) && cmd::succeeds(workspace.command("rustup").arg("--version")) {
            eprintln!("the active Rust toolchain lacks the source of std; asking rustup for it");
            match cmd::run_within(
                workspace.command("rustup").args(["component", "add", "rust-src"]),
                RUSTUP_LIMIT,
            ) {
                Ok(()) if has_std_source(&sysroot) => return Ok(Self::Active),
                Ok(()) => eprintln!("rustup installed it into another toolchain than the active one"),
                Err(error) => eprintln!("rustup could not: {error:#}"),
            }
        }
        eprintln!("using Debian's Rust toolchain, which packages the source of std");
        apt::ensure_installed(&DEBIAN_PACKAGES)
            .context("building std from source needs `rustup component add rust-src`, or Debian's packages instead")?;
        Ok(Self::Debian)
    }

    /// Where the source of this toolchain's std is.
    pub(crate) fn std_source(self, workspace: &Workspace) -> Result<PathBuf> {
        let mut rustc = match self {
            Self::Active => workspace.command("rustc"),
            Self::Debian => workspace.command("/usr/bin/rustc"),
        };
        let sysroot = cmd::output(rustc.args(["--print", "sysroot"]))?;
        Ok(Path::new(&sysroot).join(STD_SOURCE))
    }

    /// `cargo SUBCOMMAND -Zbuild-std=CRATES` of this toolchain, in the checkout.
    pub(crate) fn cargo(self, workspace: &Workspace, subcommand: &str, crates: &str) -> Command {
        let mut command = match self {
            Self::Active => workspace.cargo(subcommand),
            Self::Debian => debian_cargo(workspace, subcommand),
        };
        // `-Z` flags and the few unstable features of the plugin's crate on a stable compiler.
        command.env("RUSTC_BOOTSTRAP", "1").arg(format!("-Zbuild-std={crates}"));
        command
    }
}

/// Debian's cargo with Debian's compiler, whatever rustup has put in front of them.
fn debian_cargo(workspace: &Workspace, subcommand: &str) -> Command {
    let program = match subcommand {
        // `cargo clippy` would look into `~/.cargo/bin` first and find rustup's.
        "clippy" => "/usr/bin/cargo-clippy",
        _ => "/usr/bin/cargo",
    };
    let mut command = workspace.cargo_at(program);
    command.env("CARGO", "/usr/bin/cargo").env("RUSTC", "/usr/bin/rustc");
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_WASM_LINKER);
    // Set by the cargo that runs us, for its own compiler.
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("LD_LIBRARY_PATH");
    command.arg(subcommand);
    command
}

fn has_std_source(sysroot: &Path) -> bool {
    sysroot.join(STD_SOURCE).join("std/Cargo.toml").is_file()
}

/// Whether the compiler finds `rust-lld`, the linker of every target without an operating system.
fn has_linker(sysroot: &Path) -> bool {
    let bundled = fs::read_dir(sysroot.join("lib/rustlib"))
        .is_ok_and(|entries| entries.flatten().any(|host| host.path().join("bin/rust-lld").is_file()));
    bundled || cmd::succeeds(Command::new("rust-lld").args(["-flavor", "wasm", "--version"]))
}

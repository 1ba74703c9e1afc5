//! Where things are: the one place that knows the layout of `target/`.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The checkout this task runs in.
///
/// Artefacts live under `target/` of the checkout even when `CARGO_TARGET_DIR` points elsewhere: tests look there.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace that holds this crate. Cargo says where when it runs us; a copied binary falls back to the place
    /// it was built in.
    pub(crate) fn discover() -> Result<Self> {
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest_dir)
            .parent()
            .context("the xtask crate must lie inside the workspace")?;
        Ok(Self {
            root: root.to_path_buf(),
        })
    }

    /// A path relative to the checkout.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Folder of the built plugin, in all its variants.
    pub(crate) fn plugin_dir(&self) -> PathBuf {
        self.path("target/plugin")
    }

    /// Folder of the tools that tasks install: Envoy, Python packages.
    pub(crate) fn tools_dir(&self) -> PathBuf {
        self.path("target/tools")
    }

    /// Where `cargo test` leaves a program that integration tests run.
    pub(crate) fn tested_program(&self, name: &str) -> PathBuf {
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), |dir| self.path(dir));
        target
            .join("debug")
            .join(name)
            .with_extension(env::consts::EXE_EXTENSION)
    }

    /// A command that runs in the checkout.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The caller's cargo, in the checkout. rustup's gives the toolchain that runs this task.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = self.cargo_at("cargo");
        command.arg(subcommand);
        command
    }

    /// A given cargo, in the checkout.
    pub(crate) fn cargo_at(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command(program);
        // `cargo run` describes the xtask package in these; build scripts must not take them for their own.
        for (name, _) in env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
            {
                command.env_remove(name);
            }
        }
        command
    }
}

//! `cargo xtask wasm`: the plugin, built so that a panic unwinds.
//!
//! On wasm32 Rust aborts on panic, and an abort takes down every request of the Envoy worker. With unwinding panics the
//! plugin turns one into a denial, so std itself must be compiled that way, hence from source.

mod flags;
mod wasm_opt;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::rust_src::BuildStd;
use crate::wasm_module::ModuleSize;
use crate::workspace::Workspace;
use crate::{cmd, envoy, startup};
use wasm_opt::WasmOpt;

/// Envoy compiles about 1 kB a millisecond before it serves traffic, and holds the code in memory for good.
const SIZE_LIMIT: usize = 450_000;

/// The plugin's target. No WASI: the engine needs nothing of a system.
const TARGET: &str = "wasm32-unknown-unknown";

/// What of the standard library is built from source.
const STD_CRATES: &str = "std,panic_unwind";

/// The default without the symbolizer of backtraces, and with the small variants of sorting and formatting.
const STD_FEATURES: &str = "panic-unwind,optimize_for_size";

/// Options of `cargo xtask wasm`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also build the variant that panics on demand; only tests use it
    #[arg(long)]
    pub(crate) fault_injection: bool,
}

/// Which plugin to build.
#[derive(Clone, Copy, Debug)]
enum Variant {
    /// The one that ships.
    Shipped,
    /// The one that panics when a test asks for it.
    Fault,
}

impl Variant {
    /// Where the built module lies.
    fn artefact(self, workspace: &Workspace) -> PathBuf {
        workspace.plugin_dir().join(match self {
            Self::Shipped => "portcullis.wasm",
            Self::Fault => "portcullis-fault.wasm",
        })
    }

    /// One folder for each variant: both modules have the same file name, so in a common one each build would undo the
    /// other's and neither would ever be up to date.
    fn build_dir(self, workspace: &Workspace) -> PathBuf {
        workspace.path("target/plugin-build").join(match self {
            Self::Shipped => "shipped",
            Self::Fault => "fault",
        })
    }

    fn features(self) -> &'static [&'static str] {
        match self {
            Self::Shipped => &[],
            Self::Fault => &["--features", "fault-injection"],
        }
    }
}

/// Runs the task.
pub(crate) fn run(workspace: &Workspace, args: Args) -> Result<()> {
    let toolchain = BuildStd::provide(workspace)?;
    let wasm_opt = WasmOpt::provide(workspace)?;
    build(workspace, toolchain, &wasm_opt, Variant::Shipped)?;
    report_startup(workspace)?;
    if args.fault_injection {
        build(workspace, toolchain, &wasm_opt, Variant::Fault)?;
    }
    Ok(())
}

/// Cargo of `toolchain` for the plugin's target, with the flags of the plugin.
pub(crate) fn plugin_cargo(workspace: &Workspace, toolchain: BuildStd, subcommand: &str) -> Command {
    let mut command = toolchain.cargo(workspace, subcommand, STD_CRATES);
    command.args(["--locked", "--target", TARGET]);
    command.arg(format!("-Zbuild-std-features={STD_FEATURES}"));
    // Flags of the caller's environment must not change what ships; the encoded form would win over the plain one.
    command.env("RUSTFLAGS", flags::unwinding());
    command.env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

fn build(workspace: &Workspace, toolchain: BuildStd, wasm_opt: &WasmOpt, variant: Variant) -> Result<()> {
    let started = Instant::now();
    let build_dir = variant.build_dir(workspace);
    let mut cargo = plugin_cargo(workspace, toolchain, "build");
    cargo
        .args(["--package", "policy-filter", "--profile", "plugin"])
        .args(variant.features())
        .env("RUSTFLAGS", flags::shipped(workspace, toolchain)?);
    cmd::run(cargo.arg("--target-dir").arg(&build_dir))?;
    let module = build_dir.join(TARGET).join("plugin/policy_filter.wasm");
    let smaller = wasm_opt.shrink(&module, &build_dir.join("wasm-opt"))?;
    let artefact = variant.artefact(workspace);
    install(&smaller, &artefact)?;
    let took = started.elapsed();

    let size = ModuleSize::of(&fs::read(&artefact)?).with_context(|| format!("in {}", artefact.display()))?;
    println!(
        "{}: {} bytes, {} without custom sections, {} before wasm-opt, built in {:.1} s",
        artefact.display(),
        size.total,
        size.without_custom(),
        fs::metadata(&module)?.len(),
        took.as_secs_f64()
    );
    ensure!(
        size.total <= SIZE_LIMIT,
        "the plugin has {} bytes, more than the limit of {SIZE_LIMIT}",
        size.total
    );
    Ok(())
}

/// Puts a module in its place in one step, so that no reader sees half of it.
///
/// It is written anew even when nothing changed: tests refuse a module that is older than its sources, and a source
/// can become newer without changing the module.
fn install(built: &Path, artefact: &Path) -> Result<()> {
    let dir = artefact.parent().context("an artefact has a folder")?;
    fs::create_dir_all(dir)?;
    let partial = artefact.with_extension(format!("wasm.{}", std::process::id()));
    let bytes = fs::read(built).with_context(|| format!("cannot read {}", built.display()))?;
    fs::write(&partial, bytes).with_context(|| format!("cannot write {}", partial.display()))?;
    fs::rename(&partial, artefact).with_context(|| format!("cannot write {}", artefact.display()))
}

fn report_startup(workspace: &Workspace) -> Result<()> {
    let Some(binary) = envoy::installed(workspace)? else {
        println!("start-up not measured: no Envoy here yet, `cargo xtask envoy` installs it");
        return Ok(());
    };
    let took = startup::measure(&binary, &Variant::Shipped.artefact(workspace))?;
    println!(
        "Envoy compiles and configures it in {} ms ({})",
        took.as_millis(),
        binary.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installing_replaces_and_renews() {
        let dir = tempfile::tempdir().unwrap();
        let (built, artefact) = (dir.path().join("built.wasm"), dir.path().join("out/plugin.wasm"));
        fs::write(&built, b"one").unwrap();
        install(&built, &artefact).unwrap();
        let first = fs::metadata(&artefact).unwrap().modified().unwrap();

        // Unchanged input: the file is still renewed, so that it is younger than every source.
        std::thread::sleep(std::time::Duration::from_millis(20));
        install(&built, &artefact).unwrap();
        assert!(fs::metadata(&artefact).unwrap().modified().unwrap() > first);

        fs::write(&built, b"two").unwrap();
        install(&built, &artefact).unwrap();
        assert_eq!(fs::read(&artefact).unwrap(), b"two");
        assert_eq!(
            fs::read_dir(dir.path().join("out")).unwrap().count(),
            1,
            "a partial file stayed behind"
        );
    }
}

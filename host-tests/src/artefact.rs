//! Where the built plugin is, and whether it is the one that the sources describe.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};

/// The shipped plugin below the project root.
const PLUGIN: &str = "target/plugin/portcullis.wasm";
/// The plugin that panics on request, for tests of panic safety.
const FAULT_PLUGIN: &str = "target/plugin/portcullis-fault.wasm";
/// Overrides the path of the shipped plugin; the age is then not checked.
const OVERRIDE: &str = "PORTCULLIS_WASM";
/// What the plugin is made from.
const SOURCES: [&str; 5] = [
    "filter/src",
    "filter/Cargo.toml",
    "policy-core/src",
    "policy-core/Cargo.toml",
    "Cargo.lock",
];

/// The path of the shipped plugin. The environment variable `PORTCULLIS_WASM` overrides it.
///
/// # Errors
/// If there is none, or if it is older than its sources: a test of yesterday's plugin is no test.
pub fn locate() -> Result<PathBuf> {
    match std::env::var_os(OVERRIDE) {
        Some(path) => {
            let path = PathBuf::from(path);
            match path.is_file() {
                true => Ok(path),
                false => bail!("{OVERRIDE} names {}, which is not a file", path.display()),
            }
        }
        None => locate_in(&project_root(), PLUGIN),
    }
}

/// The path of the plugin that panics on request.
///
/// # Errors
/// As [`locate`].
pub fn locate_fault() -> Result<PathBuf> {
    locate_in(&project_root(), FAULT_PLUGIN)
}

/// The root of the workspace.
#[must_use]
pub fn project_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

fn locate_in(root: &Path, artefact: &str) -> Result<PathBuf> {
    let path = root.join(artefact);
    let Ok(built) = modified(&path) else {
        bail!("{artefact} does not exist: run `cargo xtask wasm`");
    };
    for source in SOURCES {
        if let Some((newer, _)) = newest(&root.join(source))?.filter(|(_, time)| *time > built) {
            let newer = newer.strip_prefix(root).unwrap_or(&newer);
            bail!("{artefact} is older than {}: run `cargo xtask wasm`", newer.display());
        }
    }
    Ok(path)
}

/// The newest file at or below `path`; `None` if there is nothing.
fn newest(path: &Path) -> Result<Option<(PathBuf, SystemTime)>> {
    if !path.exists() {
        return Ok(None);
    }
    if path.is_file() {
        return Ok(Some((path.to_path_buf(), modified(path)?)));
    }
    let mut found: Option<(PathBuf, SystemTime)> = None;
    for entry in std::fs::read_dir(path).with_context(|| format!("read {}", path.display()))? {
        if let Some(candidate) = newest(&entry?.path())?
            && found.as_ref().is_none_or(|(_, time)| candidate.1 > *time)
        {
            found = Some(candidate);
        }
    }
    Ok(found)
}

fn modified(path: &Path) -> Result<SystemTime> {
    let metadata = path.metadata().with_context(|| format!("read {}", path.display()))?;
    Ok(metadata.modified()?)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::Duration;

    use super::*;

    fn write_at(root: &Path, file: &str, seconds: u64) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("create a folder");
        fs::write(&path, "").expect("write a file");
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        File::options()
            .write(true)
            .open(&path)
            .and_then(|f| f.set_modified(time))
            .expect("set time");
    }

    #[test]
    fn a_plugin_older_than_any_of_its_sources_is_refused() {
        let rows: &[(&str, &str, u64, bool)] = &[
            ("as old as its sources", "filter/src/lib.rs", 100, true),
            ("older than the filter", "filter/src/lib.rs", 101, false),
            ("older than a nested file", "policy-core/src/a/b.rs", 101, false),
            ("older than a manifest", "policy-core/Cargo.toml", 101, false),
            ("older than the lock file", "Cargo.lock", 101, false),
            ("another crate does not matter", "cli/src/main.rs", 999, true),
        ];
        for (why, file, seconds, accepted) in rows {
            let root = tempfile::tempdir().expect("a temporary folder");
            write_at(root.path(), PLUGIN, 100);
            write_at(root.path(), file, *seconds);
            let got = locate_in(root.path(), PLUGIN);
            assert_eq!(got.is_ok(), *accepted, "{why}: {got:?}");
            if let Err(error) = got {
                let text = error.to_string();
                assert!(
                    text.contains("cargo xtask wasm") && text.contains(file),
                    "{why}: {text}"
                );
            }
        }
    }

    #[test]
    fn a_missing_plugin_says_how_to_build_it() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let error = locate_in(root.path(), FAULT_PLUGIN).expect_err("nothing was built");
        assert!(
            error
                .to_string()
                .contains("portcullis-fault.wasm does not exist: run `cargo xtask wasm`")
        );
    }
}

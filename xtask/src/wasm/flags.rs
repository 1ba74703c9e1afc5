//! What the compiler of the plugin is told.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::rust_src::BuildStd;
use crate::workspace::Workspace;

/// Unwinding, in the encoding of exceptions that became the standard; wasmtime does not run the older one.
const UNWINDING: [&str; 3] = [
    "-Ctarget-feature=+exception-handling",
    "-Cpanic=unwind",
    "-Cllvm-args=-wasm-use-legacy-eh=false",
];

/// How large a function may be that is put in the place of its call. The plugin is optimised for size, where next to
/// nothing is; with this it executes a seventh less for each request, and is a fortieth larger.
const INLINING: &str = "-Cllvm-args=-inline-threshold=45";

/// What changes how the code of the plugin works, as `RUSTFLAGS`.
pub(super) fn unwinding() -> String {
    UNWINDING.join(" ")
}

/// The same, how much is inlined, and the names of source files in messages, as `RUSTFLAGS`.
///
/// A panic says where it was. The folders of this machine in it would be known to nobody else, take 4 kB of the plugin,
/// and be all that differs between two builds of the same sources.
pub(super) fn shipped(workspace: &Workspace, toolchain: BuildStd) -> Result<String> {
    let mut flags = vec![unwinding(), INLINING.to_owned()];
    flags.extend(registries().iter().filter_map(|registry| renamed(registry, "")));
    flags.extend(renamed(&toolchain.std_source(workspace)?, "library"));
    Ok(flags.join(" "))
}

/// The flag that puts a name in a folder's place. None for a folder with a blank, which separates flags.
fn renamed(folder: &Path, name: &str) -> Option<String> {
    let folder = folder.to_str()?;
    let is_one_word = !folder.contains(char::is_whitespace);
    is_one_word.then(|| format!("--remap-path-prefix={folder}={name}"))
}

/// Where cargo keeps the sources of crates, in one folder for each.
fn registries() -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let sources = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let mut registries: Vec<PathBuf> = sources
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    // The order must not make cargo think that something changed.
    registries.sort();
    registries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gets_a_name_unless_it_would_be_two_flags() {
        let cases = [
            (
                "/opt/std",
                "library",
                Some("--remap-path-prefix=/opt/std=library"),
                "a name",
            ),
            ("/opt/crates", "", Some("--remap-path-prefix=/opt/crates="), "none"),
            ("/opt/my crates", "", None, "a blank would end the flag"),
        ];
        for (folder, name, flag, why) in cases {
            assert_eq!(renamed(Path::new(folder), name).as_deref(), flag, "{why}");
        }
    }
}

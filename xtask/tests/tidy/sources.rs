//! The files that the other tests look at.

use std::fs;
use std::path::{Path, PathBuf};

/// What may hold rules of ours: code, configuration, documents.
const TEXT: [&str; 6] = ["rs", "toml", "md", "yaml", "yml", "sh"];

/// One text file of the project.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Whether it is only there to test: in a folder of tests or benches, or a `tests.rs` module.
    pub(crate) fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| ["tests", "benches", "tests.rs"].contains(&part))
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the xtask crate lies inside the workspace")
}

/// Every text file of the project, without build output and hidden folders.
pub(crate) fn all() -> Vec<Source> {
    let mut sources = Vec::new();
    collect(root(), &mut sources);
    assert!(
        sources
            .iter()
            .any(|source| source.path == "xtask/tests/tidy/sources.rs"),
        "the search finds nothing"
    );
    sources
}

/// Those that are Rust.
pub(crate) fn rust() -> impl Iterator<Item = Source> {
    all().into_iter().filter(|source| source.path.ends_with(".rs"))
}

fn collect(dir: &Path, sources: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)
        .expect("a readable folder")
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                collect(&path, sources);
            }
        } else if TEXT.contains(&extension.as_ref()) {
            let relative = path
                .strip_prefix(root())
                .expect("below the root")
                .to_string_lossy()
                .into_owned();
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{relative}: {error}"));
            sources.push(Source { path: relative, text });
        }
    }
}

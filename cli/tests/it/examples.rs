//! The policies that Cilium ships as examples and tests: valid or not, as their manifest says.

use std::{collections::BTreeSet, fs, io::Write as _, path::Path};

use serde::Deserialize;
use serde_json::Value;

use crate::run::{corpus, portcullis};

const CORPUS: &str = "cilium-examples";

#[derive(Deserialize)]
struct Manifest {
    files: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    file: String,
    valid: bool,
}

/// The list of known differences.
#[derive(Deserialize)]
struct List {
    difference: Vec<Known>,
}

/// An entry of the list. Those of this corpus are about files.
#[derive(Deserialize)]
struct Known {
    corpus: String,
    names: Vec<String>,
    ours: String,
    theirs: String,
}

#[test]
fn shipped_policies_are_valid_or_not_as_they_are_in_a_cluster() {
    let Some(manifest) = corpus("cilium-examples/MANIFEST.json") else {
        return;
    };
    let folder = manifest.parent().expect("a folder");
    let manifest: Manifest = serde_json::from_slice(&fs::read(&manifest).expect("readable")).expect("a manifest");
    let known = known();
    let mut applied = BTreeSet::new();
    let mut failures = Vec::new();
    for Example { file, valid } in &manifest.files {
        let (got, errors) = validate(&folder.join(file));
        if got == *valid {
            continue;
        }
        let claim = (file.clone(), word(got), word(*valid));
        match known.contains(&claim) {
            true => drop(applied.insert(claim)),
            false => failures.push(format!("{file}: expected {}\n  {}", word(*valid), errors.join("\n  "))),
        }
    }
    for (file, ours, _) in known.difference(&applied) {
        failures.push(format!("{file}: is listed as {ours} by us, but is as expected"));
    }
    // Not `eprintln!`, which is swallowed when the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "{CORPUS}: {} files, {} known differences",
        manifest.files.len(),
        applied.len()
    );
    assert!(
        failures.is_empty(),
        "{} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// What the list says about this corpus: file, our word, theirs.
fn known() -> BTreeSet<(String, &'static str, &'static str)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/known-differences.toml");
    let list: List = toml::from_str(&fs::read_to_string(path).expect("a list")).expect("a list");
    let here = list.difference.into_iter().filter(|known| known.corpus == CORPUS);
    here.flat_map(|known| {
        let words = (word(known.ours == "valid"), word(known.theirs == "valid"));
        known.names.into_iter().map(move |name| (name, words.0, words.1))
    })
    .collect()
}

fn word(valid: bool) -> &'static str {
    if valid { "valid" } else { "invalid" }
}

/// Whether the file is valid, and what is wrong with it if not. Examples leave the namespace to whoever applies them.
fn validate(path: &Path) -> (bool, Vec<String>) {
    let path = path.to_str().expect("text");
    let output = portcullis(&["validate", "-f", path, "-n", "default", "-o", "json"]);
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let diagnostics = report["diagnostics"].as_array().expect("a list").iter();
    let errors = diagnostics.filter(|diagnostic| diagnostic["severity"] == "error");
    let text = |error: &Value| format!("{} {}: {}", error["code"], error["path"], error["message"]);
    (report["valid"] == true, errors.map(text).collect())
}

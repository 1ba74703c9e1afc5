//! Small compilations, as readable pairs in `testdata`: `<case>.in.yaml`, the bundle `<case>.out.json` and what there
//! is to say about it, `<case>.out.txt`. `UPDATE_GOLDEN=1 cargo test -p policy-compiler` writes them anew.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use policy_compiler::{CompileOptions, Compiled, Input, compile};
use serde_json::Value;

const MAX_LINES: usize = 60;

#[test]
fn compilations_are_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut inputs: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("testdata")
        .map(|entry| entry.expect("entry").path())
        .collect();
    inputs.retain(|path| path.to_string_lossy().ends_with(".in.yaml"));
    inputs.sort();
    assert!(!inputs.is_empty());
    for path in inputs {
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        let mut input = Input::new();
        input.add_text(&name, &fs::read_to_string(&path).expect("readable"));
        let compiled = compile(&input, &CompileOptions::default());
        let case = folder.join(name.trim_end_matches(".in.yaml"));
        compare(&case.with_extension("out.txt"), &messages(&compiled));
        compare(&case.with_extension("out.json"), &bundle(&compiled));
    }
}

fn messages(compiled: &Compiled) -> String {
    compiled
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.render(false) + "\n\n")
        .collect()
}

/// The bundle without what every bundle has; nothing if there is nothing else, or if nobody should use it.
fn bundle(compiled: &Compiled) -> String {
    if compiled.has_errors() {
        return String::new();
    }
    let mut json: Value = serde_json::from_slice(&compiled.bundle.to_json()).expect("JSON");
    let fields = json.as_object_mut().expect("a map");
    fields.retain(|key, _| !["version", "digest", "options"].contains(&key.as_str()));
    if fields.is_empty() {
        String::new()
    } else {
        pretty(&json, 0) + "\n"
    }
}

/// JSON with every list item and field on a line of its own as long as it is long.
fn pretty(json: &Value, depth: usize) -> String {
    const WIDTH: usize = 110;
    let flat = json.to_string();
    if flat.len() + 2 * depth <= WIDTH {
        return flat;
    }
    let indent = "  ".repeat(depth + 1);
    let close = "  ".repeat(depth);
    match json {
        Value::Array(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("{indent}{}", pretty(item, depth + 1)))
                .collect();
            format!("[\n{}\n{close}]", items.join(",\n"))
        }
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{indent}\"{key}\": {}", pretty(value, depth + 1)));
            format!("{{\n{}\n{close}}}", fields.collect::<Vec<_>>().join(",\n"))
        }
        _ => flat,
    }
}

/// An empty output has no file.
fn compare(path: &Path, actual: &str) {
    if env::var_os("UPDATE_GOLDEN").is_some() {
        if actual.is_empty() {
            let _ = fs::remove_file(path);
        } else {
            fs::write(path, actual).expect("writable");
        }
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        actual,
        expected,
        "{}: run with UPDATE_GOLDEN=1 if the new output is right",
        path.display()
    );
    assert!(actual.lines().count() < MAX_LINES, "{}: split the case", path.display());
}

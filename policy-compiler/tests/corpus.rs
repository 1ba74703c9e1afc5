//! Validation against the conformance corpora: where a line says which objects a cluster rejects, those are rejected
//! here and no others, but for the list of known differences.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use policy_compiler::{Code, CompileOptions, Compiled, Input, Validation, compile};
use serde::Deserialize;
use serde_json::Value;

/// An entry of the list of known differences, as far as it is about objects.
#[derive(Deserialize)]
struct Known {
    corpus: String,
    names: Vec<String>,
    object: Option<String>,
}

/// Where we have another opinion of an object than a cluster, on purpose: corpus, line and object.
type Different = BTreeSet<(String, String, String)>;

#[derive(Default)]
struct Counts {
    lines: usize,
    objects: usize,
    rejected: usize,
    codes: BTreeMap<&'static str, usize>,
    different: Different,
}

#[test]
fn objects_are_rejected_as_by_a_cluster() {
    let Some(folder) = corpus() else { return };
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("corpus")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let known = known_differences();
    let mut failures = Vec::new();
    let mut seen = Different::new();
    for file in &files {
        let corpus = file.file_name().unwrap_or_default().to_string_lossy();
        let mut counts = Counts::default();
        for line in fs::read_to_string(file).expect("readable").lines() {
            let line = serde_json::from_str(line).expect("JSON");
            check_line(&corpus, &line, &known, &mut counts, &mut failures);
        }
        let Counts {
            lines,
            objects,
            rejected,
            codes,
            different,
        } = counts;
        seen.extend(different);
        println!("{corpus}: {lines} lines, {objects} objects, {rejected} rejected as expected, {codes:?}");
    }
    for (corpus, line, object) in known.difference(&seen) {
        failures.push(format!(
            "{corpus}: {line}: we agree about {object}: remove it from the list"
        ));
    }
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

fn corpus() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("\n*** NOT CHECKED: no corpora at ../shared/corpus beside the project ***\n");
    None
}

/// What the list of known differences says about objects.
fn known_differences() -> Different {
    let list = include_str!("../../conformance/known-differences.toml");
    let mut list: BTreeMap<String, Vec<Known>> = toml::from_str(list).expect("a list");
    let entries = list.remove("difference").unwrap_or_default();
    let claims = entries.into_iter().filter_map(|entry| {
        let object = entry.object?;
        let claim = move |name| (entry.corpus.clone(), name, object.clone());
        Some(entry.names.into_iter().map(claim))
    });
    claims.flatten().collect()
}

fn check_line(corpus: &str, line: &Value, known: &Different, counts: &mut Counts, failures: &mut Vec<String>) {
    let name = line["name"].as_str().unwrap_or_default();
    let compiled = compile_line(line);
    counts.lines += 1;
    counts.objects += line["objects"].as_array().map_or(0, Vec::len);
    let Some(expected) = line["rejected"].as_array() else {
        return;
    };
    let expected: BTreeSet<&str> = expected.iter().filter_map(Value::as_str).collect();
    let mut seen = BTreeSet::new();
    let claim = |object: &str| (corpus.to_owned(), name.to_owned(), object.to_owned());
    for rejected in &compiled.rejected {
        let object = rejected.object.to_string();
        let codes: BTreeSet<Code> = rejected.errors.iter().map(|error| error.code).collect();
        if expected.contains(object.as_str()) {
            counts.rejected += 1;
            codes
                .iter()
                .for_each(|code| *counts.codes.entry(code.as_str()).or_default() += 1);
        } else if known.contains(&claim(&object)) {
            counts.different.insert(claim(&object));
        } else {
            let errors: Vec<String> = rejected.errors.iter().map(ToString::to_string).collect();
            failures.push(format!("{name}: {object} should be accepted: {}", errors.join("; ")));
        }
        seen.insert(object);
    }
    for object in expected.iter().filter(|object| !seen.contains(**object)) {
        match known.contains(&claim(object)) {
            true => {
                counts.different.insert(claim(object));
            }
            false => failures.push(format!("{name}: {object} should be rejected: {}", line["why"])),
        }
    }
}

fn compile_line(line: &Value) -> Compiled {
    let mut input = Input::new();
    line["objects"]
        .as_array()
        .into_iter()
        .flatten()
        .for_each(|object| input.add_value(object));
    let mut options: CompileOptions = serde_json::from_value(line["options"].clone()).expect("options");
    if line["options"].get("validation").is_none() {
        options.validation = Validation::Agent;
    }
    if let Some(cluster) = line["cluster"].as_str() {
        options.cluster = cluster.to_owned();
    }
    compile(&input, &options)
}

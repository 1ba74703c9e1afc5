//! Validation against the conformance corpora: every object that a cluster rejects is rejected here, and what it
//! accepts is accepted, unless it uses what is not supported yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use policy_compiler::{Code, CompileOptions, Compiled, Input, Validation, compile};
use serde_json::Value;

/// Lines where we reject on purpose what Cilium accepts.
const STRICTER: [(&str, &str); 6] = [
    ("i-0413-agent", "a leading zero makes a port octal"),
    ("i-0413-cluster", "a leading zero makes a port octal"),
    ("i-0473-agent", "an invalid host pattern would only fail in the proxy"),
    ("i-0473-cluster", "an invalid host pattern would only fail in the proxy"),
    ("spec-5.oct", "a leading zero makes a port octal"),
    ("spec-6.10b", "an invalid host pattern would only fail in the proxy"),
];

#[derive(Default)]
struct Counts {
    lines: usize,
    objects: usize,
    rejected: usize,
    unsupported: usize,
    codes: BTreeMap<&'static str, usize>,
    stricter: BTreeSet<&'static str>,
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
    let mut failures = Vec::new();
    let mut seen = BTreeSet::new();
    for file in &files {
        let mut counts = Counts::default();
        for line in fs::read_to_string(file).expect("readable").lines() {
            check_line(&serde_json::from_str(line).expect("JSON"), &mut counts, &mut failures);
        }
        let Counts {
            lines,
            objects,
            rejected,
            unsupported,
            codes,
            stricter,
        } = counts;
        seen.extend(stricter);
        println!(
            "{}: {lines} lines, {objects} objects, {rejected} rejected as expected, {unsupported} only unsupported, {codes:?}",
            file.file_name().unwrap_or_default().display()
        );
    }
    for (line, why) in STRICTER.iter().filter(|(line, _)| !seen.contains(line)) {
        failures.push(format!("{line}: no longer stricter ({why}): remove it from the list"));
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

fn check_line(line: &Value, counts: &mut Counts, failures: &mut Vec<String>) {
    let name = line["name"].as_str().unwrap_or_default();
    let compiled = compile_line(line);
    let expected: BTreeSet<&str> = line["rejected"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut seen = BTreeSet::new();
    counts.lines += 1;
    counts.objects += line["objects"].as_array().map_or(0, Vec::len);
    for rejected in &compiled.rejected {
        let object = rejected.object.to_string();
        let codes: BTreeSet<Code> = rejected.errors.iter().map(|error| error.code).collect();
        if expected.contains(object.as_str()) {
            counts.rejected += 1;
            codes
                .iter()
                .for_each(|code| *counts.codes.entry(code.as_str()).or_default() += 1);
        } else if codes.iter().all(|code| *code == Code::UNSUPPORTED) {
            counts.unsupported += 1;
        } else if let Some((known, _)) = STRICTER.iter().find(|(known, _)| *known == name) {
            counts.stricter.insert(known);
        } else {
            let errors: Vec<String> = rejected.errors.iter().map(ToString::to_string).collect();
            failures.push(format!("{name}: {object} should be accepted: {}", errors.join("; ")));
        }
        seen.insert(object);
    }
    for object in expected.iter().filter(|object| !seen.contains(**object)) {
        failures.push(format!("{name}: {object} should be rejected: {}", line["why"]));
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

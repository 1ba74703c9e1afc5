//! The corpus of units: patterns, canonical forms, entities, prefixes and rules, each on its own.
//!
//! Patterns are asked of the engine's own types. The rest becomes a line for `eval`, or objects for `compile`, so that
//! it takes the way that a policy takes.

mod matching;
mod patterns;

use std::{collections::BTreeMap, fs, io::Write as _};

use serde::Deserialize;
use serde_json::Value;

use crate::run::corpus;

/// A case.
#[derive(Deserialize)]
struct Unit {
    id: String,
    kind: String,
    input: Value,
    expect: Value,
}

/// What a case shows.
enum Finding {
    /// What was expected.
    Same,
    /// What differs.
    Different(String),
    /// Part of the case has no counterpart here; the rest, if any, is as expected.
    NotAsked(String),
}

#[test]
fn units_are_as_expected() {
    let Some(path) = corpus("units.json") else { return };
    let units: Vec<Unit> = serde_json::from_slice(&fs::read(path).expect("readable")).expect("units");
    let (mut failures, mut not_asked) = (Vec::new(), Vec::new());
    let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for unit in &units {
        let [asked, left_out] = counts.entry(&unit.kind).or_default();
        match find(unit) {
            Finding::Same => *asked += 1,
            Finding::Different(what) => failures.push(format!("{}: {what}", unit.id)),
            Finding::NotAsked(why) => {
                *left_out += 1;
                not_asked.push(format!("NOT ASKED: {}: {why}\n", unit.id));
            }
        }
    }
    // Not `eprintln!`, which is swallowed when the test passes.
    let _ = writeln!(std::io::stderr(), "{}{counts:?}", not_asked.concat());
    assert!(
        failures.is_empty(),
        "{} of {} differ:\n{}",
        failures.len(),
        units.len(),
        failures.join("\n")
    );
}

fn find(unit: &Unit) -> Finding {
    match unit.kind.as_str() {
        "dns-pattern" => patterns::dns(unit),
        "dns-canonical-pattern" => patterns::canonical_dns(unit, "matchPattern"),
        "dns-canonical-name" => patterns::canonical_dns(unit, "name"),
        "sni-pattern" => patterns::sni(unit),
        "sni-canonical-pattern" => patterns::canonical_sni(unit),
        "sni-pattern-validation" => patterns::invalid_sni(unit),
        "selector-normalisation" => matching::selector(unit),
        "entity-match" => matching::entity(unit),
        "cidr-rule-match" => matching::cidr(unit),
        "kafka-rules" => matching::kafka(unit),
        "dns-rules" => matching::dns(unit),
        kind => Finding::Different(format!("a kind that nobody knows, {kind}")),
    }
}

impl Finding {
    /// All of the differences, if there are some.
    fn of(differences: &[String]) -> Self {
        match differences {
            [] => Self::Same,
            _ => Self::Different(differences.join("; ")),
        }
    }
}

/// The strings of a list; none if there is no list.
fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

//! DNS names and TLS server names against patterns, and the canonical forms of patterns.

use policy_core::{FqdnPattern, SniPattern};

use super::{Finding, Unit, texts};

pub(super) fn dns(unit: &Unit) -> Finding {
    let selector = &unit.input["selector"];
    let pattern = match (selector["matchName"].as_str(), selector["matchPattern"].as_str()) {
        (Some(name), None) => FqdnPattern::name(name),
        (None, Some(pattern)) => FqdnPattern::pattern(pattern),
        _ => return Finding::NotAsked("not exactly one of a name and a pattern".into()),
    };
    match pattern {
        // Names are made canonical before they are matched: without a final dot there is none to ask about.
        Ok(pattern) => Finding::of(&differences(unit, |name| {
            name.ends_with(b".").then(|| pattern.matches(name))
        })),
        Err(error) => Finding::Different(error.to_string()),
    }
}

pub(super) fn sni(unit: &Unit) -> Finding {
    let text = unit.input["serverName"].as_str().expect("a pattern");
    let Ok(pattern) = SniPattern::parse(text) else {
        // No policy has it (C12), so it matches nothing.
        return Finding::of(&differences(unit, |_| Some(false)));
    };
    let differences = differences(unit, |name| Some(pattern.matches(name)));
    match pattern.to_string() == text {
        false if !differences.is_empty() => Finding::NotAsked(format!("in a policy, {text} means {pattern}")),
        true | false => Finding::of(&differences),
    }
}

/// Compares by meaning: our canonical form has no trailing dot, and one word for every pattern of stars.
pub(super) fn canonical_dns(unit: &Unit, key: &str) -> Finding {
    let parse = if key == "name" {
        FqdnPattern::name
    } else {
        FqdnPattern::pattern
    };
    let (text, want) = (unit.input[key].as_str(), unit.expect["canonical"].as_str());
    let (text, want) = (text.expect("a name"), want.expect("a canonical form"));
    match (parse(text), parse(want)) {
        (Ok(got), Ok(same)) if got == same => Finding::Same,
        (Ok(got), Ok(same)) => Finding::Different(format!("{text} is {got}, not {same}")),
        (Err(error), _) | (_, Err(error)) => Finding::Different(error.to_string()),
    }
}

pub(super) fn canonical_sni(unit: &Unit) -> Finding {
    let text = unit.input["serverName"].as_str().expect("a pattern");
    let want = unit.expect["canonical"].as_str().expect("a canonical form");
    match SniPattern::parse(text) {
        Ok(got) if got.to_string() == want => Finding::Same,
        Ok(got) => Finding::Different(format!("{text} is {got}, not {want}")),
        Err(_) if text.is_empty() => Finding::NotAsked("no policy has an empty pattern (C12)".into()),
        Err(error) => Finding::Different(error.to_string()),
    }
}

/// What a proxy refuses, once patterns are canonical. A policy may have some of it: what becomes another pattern then,
/// and what only the schema of the API server refuses (D10).
pub(super) fn invalid_sni(unit: &Unit) -> Finding {
    const BY_SCHEMA: &str = "example..com";
    let valid: Vec<&str> = texts(&unit.expect["invalid"])
        .filter(|text| SniPattern::parse(text).is_ok())
        .collect();
    let unchanged = |text: &&str| SniPattern::parse(text).is_ok_and(|pattern| pattern.to_string() == **text);
    let differences: Vec<String> = valid
        .iter()
        .filter(|text| unchanged(text) && **text != BY_SCHEMA)
        .map(|text| format!("{text} is accepted"))
        .collect();
    match differences.is_empty() {
        true => Finding::NotAsked(format!("in a policy these are valid: {}", valid.join(", "))),
        false => Finding::of(&differences),
    }
}

/// The names that match otherwise than expected. A name is left out if `matches` has no answer.
fn differences(unit: &Unit, matches: impl Fn(&[u8]) -> Option<bool>) -> Vec<String> {
    let mut differences = Vec::new();
    for (key, want) in [("match", true), ("no_match", false)] {
        for name in texts(&unit.expect[key]) {
            if matches(name.as_bytes()).is_some_and(|got| got != want) {
                differences.push(format!("`{name}`: expected {want}"));
            }
        }
    }
    differences
}

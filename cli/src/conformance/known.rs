//! Differences that are known, and why.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::compare::{Difference, Kind};

/// The list of known differences, and which of its entries still apply.
#[derive(Default)]
pub(super) struct KnownDifferences {
    claims: Vec<Claim>,
    /// Positions of the claims that applied.
    applied: BTreeSet<usize>,
}

/// That one line differs in one thing.
#[derive(Debug)]
struct Claim {
    corpus: String,
    line: String,
    difference: Expected,
}

/// The two opinions.
#[derive(Clone, Debug)]
struct Expected {
    about: About,
    ours: String,
    theirs: String,
}

/// What a difference is about.
#[derive(Clone, PartialEq, Eq, Debug)]
enum About {
    Object(String),
    Flow(usize),
    /// A file of examples, which other tests read.
    File,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    difference: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    corpus: String,
    names: Vec<String>,
    object: Option<String>,
    #[serde(default)]
    flows: Vec<usize>,
    ours: String,
    theirs: String,
    /// For people. An entry without one is refused.
    #[serde(rename = "reason")]
    _reason: String,
}

impl KnownDifferences {
    /// Reads the list. An error says that it is not one.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is not a list of differences", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text)?;
        let mut claims = Vec::new();
        for entry in file.difference {
            let differences = entry.differences()?;
            claims.extend(entry.names.iter().flat_map(|line| {
                differences.iter().map(|difference| Claim {
                    corpus: entry.corpus.clone(),
                    line: line.clone(),
                    difference: difference.clone(),
                })
            }));
        }
        Ok(Self {
            claims,
            applied: BTreeSet::new(),
        })
    }

    /// Whether the list has this difference. Its entry applies then.
    pub(super) fn has(&mut self, corpus: &str, line: &str, difference: &Difference) -> bool {
        let position = self
            .claims
            .iter()
            .position(|claim| claim.corpus == corpus && claim.line == line && claim.difference.is(difference));
        self.applied.extend(position);
        position.is_some()
    }

    /// The entries for a corpus that did not apply: the name of the line, and what was claimed.
    pub(super) fn stale(&self, corpus: &str) -> Vec<(String, Difference)> {
        let stale = |(i, claim): &(usize, &Claim)| claim.corpus == corpus && !self.applied.contains(i);
        let claims = self.claims.iter().enumerate().filter(stale);
        claims
            .map(|(_, claim)| (claim.line.clone(), claim.difference.stale()))
            .collect()
    }
}

impl Entry {
    fn differences(&self) -> Result<Vec<Expected>> {
        let about = match (&self.object, self.flows.as_slice()) {
            (Some(object), []) => vec![About::Object(object.clone())],
            (None, []) => vec![About::File],
            (None, flows) => flows.iter().copied().map(About::Flow).collect(),
            (Some(_), [_, ..]) => bail!("{}: has both `object` and `flows`", self.names.join(", ")),
        };
        let expected = |about| Expected {
            about,
            ours: self.ours.clone(),
            theirs: self.theirs.clone(),
        };
        Ok(about.into_iter().map(expected).collect())
    }
}

impl Expected {
    fn is(&self, difference: &Difference) -> bool {
        let same = match &self.about {
            About::Object(object) => difference.object.as_ref() == Some(object),
            About::Flow(flow) => difference.flow == Some(*flow),
            About::File => false,
        };
        same && self.ours == difference.got && self.theirs == difference.expected
    }

    fn stale(&self) -> Difference {
        let (object, flow) = match &self.about {
            About::Object(object) => (Some(object.clone()), None),
            About::Flow(flow) => (None, Some(*flow)),
            About::File => (None, None),
        };
        Difference {
            kind: Kind::Stale,
            flow,
            object,
            expected: format!("{}, and {} from us", self.theirs, self.ours),
            got: "no such difference".into(),
            because: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        [[difference]]
        corpus = "a.jsonl"
        names = ["one", "two"]
        flows = [1]
        ours = "deny"
        theirs = "allow"
        reason = "for a test"
    "#;

    fn difference(flow: usize, expected: &str, got: &str) -> Difference {
        Difference {
            kind: Kind::Verdict,
            flow: Some(flow),
            object: None,
            expected: expected.into(),
            got: got.into(),
            because: Some("default-deny".into()),
        }
    }

    #[test]
    fn only_what_is_listed_is_known() {
        let mut known = KnownDifferences::parse(LIST).expect("a list");
        for (corpus, line, flow, expected, got, want, why) in [
            ("a.jsonl", "one", 1, "allow", "deny", true, "as listed"),
            ("b.jsonl", "one", 1, "allow", "deny", false, "another corpus"),
            ("a.jsonl", "three", 1, "allow", "deny", false, "another line"),
            ("a.jsonl", "one", 0, "allow", "deny", false, "another flow"),
            ("a.jsonl", "one", 1, "deny", "allow", false, "the other way round"),
            ("a.jsonl", "one", 1, "allow", "conflict", false, "another answer"),
        ] {
            let difference = difference(flow, expected, got);
            assert_eq!(known.has(corpus, line, &difference), want, "{why}");
        }
        let stale: Vec<String> = known.stale("a.jsonl").into_iter().map(|(line, _)| line).collect();
        assert_eq!(stale, ["two"], "the one that applied is not stale");
        assert!(known.stale("b.jsonl").is_empty(), "another corpus says nothing");
    }

    #[test]
    fn an_entry_is_complete() {
        assert!(KnownDifferences::parse("").expect("an empty list").claims.is_empty());
        for (from, to, part, why) in [
            (
                "flows = [1]",
                "flows = [1]\nobject = \"a\"",
                "`object` and `flows`",
                "about two things",
            ),
            ("reason = \"for a test\"", "", "missing field `reason`", "no reason"),
            ("flows = [1]", "flow = 1", "unknown field `flow`", "a misspelt field"),
        ] {
            let error = KnownDifferences::parse(&LIST.replace(from, to)).err().expect(why);
            assert!(format!("{error:#}").contains(part), "{why}: {error:#}");
        }
    }
}

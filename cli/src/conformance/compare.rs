//! One answer against what its line expects.

use std::{collections::BTreeSet, fmt};

use policy_core::{Layer, bundle::Authentication};
use serde::Serialize;

use super::{
    corpus::{Expectation, FlowExpectation},
    tally::Tally,
};
use crate::{
    eval::LineAnswer,
    judge::{Answer, BothSides},
};

/// Something that is not as expected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Difference {
    pub(super) kind: Kind,
    /// Which flow of the line, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flow: Option<usize>,
    /// Which object of the line, `Kind/namespace/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object: Option<String>,
    pub(super) expected: String,
    pub(super) got: String,
    /// What led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<String>,
}

/// What is not as expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// The verdict.
    Verdict,
    /// The layer, whether the connection is proxied, or the authentication mode.
    Detail,
    /// Whether an object is valid.
    Object,
    /// There is no answer.
    Unanswered,
    /// Two engines differ.
    Engines,
    /// A known difference that is none.
    Stale,
}

impl Difference {
    /// Two engines gave these answers to one line. Shows where they part.
    pub(super) fn between_engines(first: &str, second: &str) -> Self {
        let same = first.bytes().zip(second.bytes()).take_while(|(a, b)| a == b).count();
        let excerpt = |text: &str| {
            let (start, end) = (same.saturating_sub(80), (same + 120).min(text.len()));
            let bytes = text.as_bytes().get(start..end).unwrap_or_default();
            format!("…{}…", String::from_utf8_lossy(bytes))
        };
        let (expected, got) = (
            format!("native: {}", excerpt(first)),
            format!("wasm: {}", excerpt(second)),
        );
        Self {
            kind: Kind::Engines,
            flow: None,
            object: None,
            expected,
            got,
            because: None,
        }
    }
}

/// Counts what agrees, and lists what does not without counting it: some of it may be known.
pub(super) fn compare(expected: &Expectation, answer: &LineAnswer) -> (Tally, Vec<Difference>) {
    let mut tally = Tally {
        lines: 1,
        ..Tally::default()
    };
    let mut differences = Vec::new();
    if let Some(objects) = &expected.rejected {
        compare_objects(objects, answer, &mut tally, &mut differences);
    }
    for (i, (expected, got)) in expected.flows.iter().zip(&answer.flows).enumerate() {
        compare_flow(i, expected, got, &mut tally, &mut differences);
    }
    (tally, differences)
}

fn compare_objects(expected: &[String], answer: &LineAnswer, tally: &mut Tally, differences: &mut Vec<Difference>) {
    let unsupported = |rejected: &&crate::eval::Rejected| rejected.only_unsupported();
    let names = |rejected: &crate::eval::Rejected| rejected.object.clone();
    let unsupported: BTreeSet<String> = answer.rejected.iter().filter(unsupported).map(names).collect();
    let got: BTreeSet<String> = answer
        .rejected
        .iter()
        .map(names)
        .filter(|name| !unsupported.contains(name))
        .collect();
    let expected: BTreeSet<String> = expected
        .iter()
        .filter(|name| !unsupported.contains(*name))
        .cloned()
        .collect();
    tally.objects_unsupported += unsupported.len();
    tally.objects_agreed += expected.intersection(&got).count();
    let mut differ = |object: &String, expected: &str, got: &str| {
        differences.push(Difference {
            kind: Kind::Object,
            flow: None,
            object: Some(object.clone()),
            expected: expected.into(),
            got: got.into(),
            because: None,
        });
    };
    for object in expected.difference(&got) {
        differ(object, "rejected", "accepted");
    }
    for object in got.difference(&expected) {
        differ(object, "accepted", "rejected");
    }
}

fn compare_flow(
    i: usize,
    expected: &FlowExpectation,
    got: &BothSides,
    tally: &mut Tally,
    differences: &mut Vec<Difference>,
) {
    let answer = &got.combined;
    if answer.reason == Answer::UNSUPPORTED {
        tally.unsupported += 1;
        return;
    }
    let verdict = answer.verdict.as_str();
    let rule = answer.rule.as_deref().unwrap_or("no rule");
    let because = format!("{}, {rule}", answer.reason);
    let mut differ = |kind, expected: String, got: String, because| {
        differences.push(Difference {
            kind,
            flow: Some(i),
            object: None,
            expected,
            got,
            because: Some(because),
        });
    };
    if expected.expect != verdict {
        differ(Kind::Verdict, expected.expect.clone(), verdict.to_owned(), because);
        return;
    }
    tally.agreed += 1;
    let got = Detail {
        layer: answer.layer.map(Layer::as_str),
        proxied: answer.proxied,
        // Of interest only where it is expected.
        auth: expected
            .auth
            .as_ref()
            .map(|_| answer.auth.map_or("none", Authentication::as_str)),
    };
    let wanted = Detail {
        layer: expected.layer.as_ref().map_or(got.layer, |layer| layer.as_deref()),
        proxied: expected.proxied.unwrap_or(got.proxied),
        auth: expected.auth.as_deref(),
    };
    if wanted != got {
        differ(
            Kind::Detail,
            wanted.to_string(),
            got.to_string(),
            format!("{verdict}, {because}"),
        );
    }
}

/// How a verdict came about.
#[derive(PartialEq, Eq)]
struct Detail<'a> {
    layer: Option<&'a str>,
    proxied: bool,
    auth: Option<&'a str>,
}

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.layer.unwrap_or("no layer"))?;
        if self.proxied {
            f.write_str(", proxied")?;
        }
        self.auth.map_or(Ok(()), |auth| write!(f, ", authentication {auth}"))
    }
}

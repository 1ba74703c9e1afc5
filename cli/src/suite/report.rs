//! The results of all suites, as they go out as JSON and are printed as text.

use std::fmt;

use policy_compiler::Diagnostic;
use policy_core::{Direction, Protocol, Reason};
use serde::Serialize;

use super::{
    ask::{Seen, Side},
    case::{Case, Expect},
    coverage::Coverage,
    form::Suite,
    world::{State, World},
};
use crate::judge::Answer;

/// The results of a run.
#[derive(Serialize)]
pub(super) struct Report {
    /// Whether every case of every suite went as expected, and nothing is left out if that counts.
    pub(super) passed: bool,
    pub(super) cases: usize,
    pub(super) failed: usize,
    pub(super) suites: Vec<SuiteReport>,
    pub(super) coverage: Vec<Coverage>,
}

/// Whether cases must leave nothing out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MustCover {
    Yes,
    No,
}

/// The results of a suite.
#[derive(Serialize)]
pub(super) struct SuiteReport {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) passed: bool,
    pub(super) failed: usize,
    /// Why nobody was asked: objects that are invalid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) invalid: Vec<Diagnostic>,
    pub(super) cases: Vec<CaseReport>,
}

/// The result of a case.
#[derive(Serialize)]
pub(super) struct CaseReport {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) passed: bool,
    /// What was asked, in words.
    pub(super) question: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    pub(super) expected: Expected,
    pub(super) seen: Answer,
    /// What is not as expected, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
    /// What each side says, for a case that failed; if only the verdict without audit is wrong, what it would say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) sides: Vec<SideReport>,
    /// Whether what the sides come to is to pass.
    #[serde(skip)]
    pub(super) sides_allow: bool,
}

#[derive(Serialize)]
pub(super) struct Expected {
    pub(super) verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) would: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<String>,
}

/// What one side says.
#[derive(Serialize)]
pub(super) struct SideReport {
    /// `ingress` or `egress`.
    pub(super) direction: &'static str,
    #[serde(flatten)]
    pub(super) answer: Answer,
    pub(super) explanation: String,
    pub(super) isolated_by: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nearest: Option<Nearest>,
}

/// The allow rule that came closest.
#[derive(Serialize)]
pub(super) struct Nearest {
    pub(super) rule: String,
    pub(super) missed: String,
}

impl Report {
    /// Compares what was seen with what was expected. With `must_cover`, what the cases leave out fails too.
    pub(super) fn new(
        suites: &[Suite],
        worlds: &[World],
        seen: Vec<Vec<Seen>>,
        coverage: Vec<Coverage>,
        must_cover: MustCover,
    ) -> Self {
        let covers = must_cover == MustCover::No || coverage.iter().all(Coverage::is_full);
        let pairs = suites.iter().zip(seen).enumerate();
        let reports = pairs.map(|(i, (suite, seen))| SuiteReport::new(suite, seen, invalid(i, worlds)));
        let suites: Vec<SuiteReport> = reports.collect();
        Self {
            passed: covers && suites.iter().all(|suite| suite.passed),
            cases: suites.iter().map(|suite| suite.cases.len()).sum(),
            failed: suites.iter().map(|suite| suite.failed).sum(),
            suites,
            coverage,
        }
    }
}

fn invalid(suite: usize, worlds: &[World]) -> &[Diagnostic] {
    let world = worlds.iter().find(|world| world.suites.contains(&suite));
    match world.map(|world| &world.state) {
        Some(State::Invalid(errors)) => errors,
        Some(State::Ready { .. }) | None => &[],
    }
}

impl SuiteReport {
    fn new(suite: &Suite, seen: Vec<Seen>, invalid: &[Diagnostic]) -> Self {
        let both = suite.cases.iter().zip(seen);
        let cases: Vec<CaseReport> = both.map(|(case, seen)| CaseReport::new(case, seen)).collect();
        let failed = cases.iter().filter(|case| !case.passed).count();
        Self {
            name: suite.name.clone(),
            file: suite.path.display().to_string(),
            passed: failed == 0 && invalid.is_empty(),
            failed,
            invalid: invalid.to_vec(),
            cases,
        }
    }
}

impl CaseReport {
    fn new(case: &Case, seen: Seen) -> Self {
        let wrong = problem(case, &seen);
        let would = wrong.is_none().then(|| wrong_would(case, &seen)).flatten();
        let combined = &seen.answer.combined;
        let spokesman = if would.is_some() {
            combined.as_if_enforced()
        } else {
            combined
        };
        let sides_allow = spokesman.allows();
        let sides = match (&wrong, &would) {
            (Some(_), _) => seen.sides,
            (None, Some(_)) if seen.would.is_empty() => seen.sides,
            (None, Some(_)) => seen.would,
            (None, None) => Vec::new(),
        };
        let problem = wrong.or(would);
        Self {
            name: case.name.clone(),
            line: case.at.line(),
            passed: problem.is_none(),
            question: case.question(),
            from: case.from.value.to_string(),
            to: case.flow.to.value.to_string(),
            port: case.flow.port.number,
            protocol: case.flow.port.protocol,
            expected: Expected {
                verdict: case.expect.as_str(),
                would: case.would.map(Expect::as_str),
                because: case.because.clone(),
            },
            sides_allow,
            seen: seen.answer.combined,
            problem,
            sides: sides.into_iter().map(SideReport::from).collect(),
        }
    }
}

impl From<Side> for SideReport {
    fn from(side: Side) -> Self {
        let Side {
            direction,
            answer,
            explanation,
            isolated_by,
            nearest,
        } = side;
        Self {
            direction: Direction::as_str(direction),
            answer,
            explanation,
            isolated_by,
            nearest: nearest.map(|(rule, missed)| Nearest { rule, missed }),
        }
    }
}

/// What is not as expected; nothing if all is.
fn problem(case: &Case, seen: &Seen) -> Option<String> {
    let combined = &seen.answer.combined;
    let (expected, verdict) = (case.expect.as_str(), combined.verdict.as_str());
    if combined.allows() != (case.expect == Expect::Allow) {
        return Some(format!("expected {expected}, seen {verdict}"));
    }
    let Some(because) = case.because.as_deref() else {
        // Whoever mistypes an address must not get the denial that was hoped for.
        return seen.sides.is_empty().then(|| {
            let reason = &combined.reason;
            format!("expected {expected}, but no policy was asked: {reason} (`because: {reason}` if that is meant)")
        });
    };
    if causes(seen).any(|cause| cause.reason == because || cause.rules.iter().any(|rule| rule.contains(because))) {
        return None;
    }
    let found: Vec<String> = causes(seen).map(|cause| cause.to_string()).collect();
    Some(format!(
        "expected {expected} because of `{because}`, seen {verdict} because of {}",
        found.join(" and ")
    ))
}

/// What would not be as expected if audit were off.
fn wrong_would(case: &Case, seen: &Seen) -> Option<String> {
    let expected = case.would?;
    let would = seen.answer.combined.as_if_enforced();
    (would.allows() != (expected == Expect::Allow)).then(|| {
        let (expected, verdict, reason) = (expected.as_str(), would.verdict.as_str(), &would.reason);
        format!("expected that it would {expected}, but it would {verdict}: {reason}")
    })
}

/// Why one side says what the whole says.
struct Cause<'a> {
    reason: &'a str,
    rules: Vec<&'a str>,
}

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rules.first() {
            Some(rule) if self.reason == Reason::AllowedByRule.as_str() => f.write_str(rule),
            Some(rule) => write!(f, "{} ({rule})", self.reason),
            None => f.write_str(self.reason),
        }
    }
}

/// The causes of all sides with the verdict of the whole, and of the whole if nobody was asked.
fn causes(seen: &Seen) -> impl Iterator<Item = Cause<'_>> {
    let whole = &seen.answer.combined;
    let sides = seen.sides.iter().filter(|side| side.answer.allows() == whole.allows());
    let of_sides = sides.map(|side| Cause {
        reason: &side.answer.reason,
        rules: side
            .answer
            .rule
            .iter()
            .chain(&side.answer.conflicts_with)
            .chain(side.isolated_by.iter().filter(|_| !side.answer.allows()))
            .map(String::as_str)
            .collect(),
    });
    let alone = seen.sides.is_empty().then(|| Cause {
        reason: &whole.reason,
        rules: whole.rule.iter().map(String::as_str).collect(),
    });
    of_sides.chain(alone)
}

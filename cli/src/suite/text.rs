//! Results for people.

use std::fmt::Write as _;

use policy_core::Reason;

use super::{
    coverage::Coverage,
    report::{CaseReport, Nearest, Report, SideReport, SuiteReport},
};
use crate::output::{Style, render as render_diagnostics, wrap};

/// How wide the text gets.
const WIDTH: usize = 110;
/// Where values start.
const INDENT: usize = 15;

/// A line for each suite, one for each failure with its reasons below, what is not covered, and a summary.
pub(super) fn render(report: &Report, style: Style) -> String {
    let mut text = String::new();
    for suite in &report.suites {
        text.push_str(&suite_line(suite, style));
    }
    for suite in &report.suites {
        text.push_str(&failures(suite, style));
    }
    let coverage = uncovered(&report.coverage, style);
    if !coverage.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{coverage}");
    }
    let _ = write!(text, "\n{}", summary(report, style));
    text
}

/// What failed in a suite, as text on its own: for other forms of the report.
pub(super) fn details(case: &CaseReport) -> String {
    let mut text = String::new();
    field(&mut text, "asked", &case.question);
    // A side that says otherwise than the whole has no part in it.
    for side in case
        .sides
        .iter()
        .filter(|side| side.answer.allows() == case.sides_allow)
    {
        render_side(&mut text, side);
    }
    if case.sides.is_empty() {
        field(&mut text, "reason", &case.seen.reason);
    }
    text
}

fn suite_line(suite: &SuiteReport, style: Style) -> String {
    let SuiteReport {
        name,
        file,
        passed,
        failed,
        invalid,
        cases,
    } = suite;
    let word = if *passed { style.good("ok  ") } else { style.bad("FAIL") };
    let count = match (invalid.len(), failed) {
        (0, 0) => counted(cases.len(), "case"),
        (0, failed) => format!("{failed} of {} failed", counted(cases.len(), "case")),
        (_, _) => "not asked: its objects are invalid".into(),
    };
    format!("{word}  {file}  {name}: {count}\n")
}

fn failures(suite: &SuiteReport, style: Style) -> String {
    let mut text = String::new();
    if !suite.invalid.is_empty() {
        let _ = write!(text, "\n{}", render_diagnostics(&suite.invalid, style).trim_end());
        text.push('\n');
    }
    for case in &suite.cases {
        let Some(problem) = &case.problem else { continue };
        let word = style.bad("FAIL");
        let _ = writeln!(text, "\n{word}  {}:{}  {}: {problem}", suite.file, case.line, case.name);
        text.push_str(&details(case));
    }
    text
}

fn render_side(text: &mut String, side: &SideReport) {
    let SideReport {
        direction,
        answer,
        explanation,
        isolated_by,
        nearest,
    } = side;
    let verdict = answer.verdict.as_str();
    field(
        text,
        direction,
        &format!("{verdict}: {explanation} ({})", answer.reason),
    );
    let default_deny = answer.reason == Reason::DefaultDeny.as_str();
    if let Some(rule) = answer.rule.as_ref().filter(|_| !default_deny) {
        field(text, "rule", rule);
    }
    if let Some(rule) = &answer.conflicts_with {
        field(text, "conflicts with", rule);
    }
    if default_deny {
        for (i, rule) in isolated_by.iter().enumerate() {
            field(text, if i == 0 { "isolated by" } else { "" }, rule);
        }
    }
    if let Some(Nearest { rule, missed }) = nearest {
        field(text, "nearest allow", rule);
        field(text, "", &format!("missed: {missed}"));
    }
}

fn uncovered(coverage: &[Coverage], style: Style) -> String {
    let mut text = String::new();
    for Coverage {
        suites,
        uncovered,
        never_denied,
        ..
    } in coverage
    {
        let suites = suites.join(", ");
        for (rule, inside) in outermost(uncovered) {
            let inside = match inside {
                0 => String::new(),
                more => format!(", and {more} inside it"),
            };
            let word = style.heading("no case exercises");
            let _ = writeln!(text, "{word}  {rule}{inside}\n  in {suites}");
        }
        for policy in never_denied {
            let word = style.heading("no case is denied by");
            let _ = writeln!(text, "{word}  {policy}\n  in {suites}");
        }
    }
    text
}

/// The places that are in no other of them, each with how many others are in it. A place comes before what is in it.
fn outermost(places: &[String]) -> Vec<(&str, usize)> {
    let mut outermost: Vec<(&str, usize)> = Vec::new();
    for place in places {
        let outer = outermost.last_mut();
        match outer.filter(|(outer, _)| place.strip_prefix(*outer).is_some_and(|rest| rest.starts_with('.'))) {
            Some((_, inside)) => *inside += 1,
            None => outermost.push((place, 0)),
        }
    }
    outermost
}

fn summary(report: &Report, style: Style) -> String {
    let Report {
        passed,
        cases,
        failed,
        suites,
        coverage,
    } = report;
    let word = if *passed {
        style.good("passed")
    } else {
        style.bad("failed")
    };
    let rules: usize = coverage.iter().map(|coverage| coverage.rules).sum();
    let covered: usize = coverage.iter().map(|coverage| coverage.covered).sum();
    let failed = if *failed > 0 {
        format!("{failed} of ")
    } else {
        String::new()
    };
    let cases = format!(
        "{failed}{} in {}",
        counted(*cases, "case"),
        counted(suites.len(), "suite")
    );
    format!("{word}: {cases}; {covered} of {} exercised\n", counted(rules, "rule"))
}

/// `1 case`, `2 cases`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

fn field(text: &mut String, name: &str, value: &str) {
    let mut name = name;
    for line in wrap(value, WIDTH - INDENT - 2) {
        let _ = writeln!(text, "  {name:<INDENT$}{line}");
        name = "";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_is_counted() {
        let places = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        for (paths, want, why) in [
            (&[][..], vec![], "nothing"),
            (&["a", "a.b[0]", "a.b[0].c"], vec![("a", 2)], "what is in what is in it"),
            (&["a.b[0]", "a.b[1]"], vec![("a.b[0]", 0), ("a.b[1]", 0)], "beside it"),
            (
                &["a[1]", "a[10]"],
                vec![("a[1]", 0), ("a[10]", 0)],
                "not by its first letters",
            ),
        ] {
            assert_eq!(outermost(&places(paths)), want, "{why}");
        }
    }
}

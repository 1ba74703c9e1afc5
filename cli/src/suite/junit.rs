//! Results as JUnit XML, the form that build servers show.

use std::{fs::File, path::Path};

use anyhow::{Context as _, Result};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{
    report::{CaseReport, Report, SuiteReport},
    text::details,
};

/// Writes a document with a `testsuite` for each suite.
pub(super) fn write(path: &Path, report: &Report) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let file = File::create(path).with_context(context)?;
    document(report).serialize(file).with_context(context)
}

fn document(report: &Report) -> quick_junit::Report {
    let mut document = quick_junit::Report::new("portcullis");
    document.add_test_suites(report.suites.iter().map(suite));
    document
}

fn suite(report: &SuiteReport) -> TestSuite {
    let mut suite = TestSuite::new(report.name.as_str());
    suite.add_property(("file", report.file.as_str()));
    suite.add_test_cases(report.cases.iter().map(|case| test_case(case, &report.file)));
    if !report.invalid.is_empty() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        let lines: Vec<String> = report.invalid.iter().map(ToString::to_string).collect();
        status.set_message("invalid objects").set_description(lines.join("\n"));
        let mut case = TestCase::new("objects are valid", status);
        case.set_classname(report.file.as_str());
        suite.add_test_case(case);
    }
    suite
}

fn test_case(case: &CaseReport, file: &str) -> TestCase {
    let status = match &case.problem {
        None => TestCaseStatus::success(),
        Some(problem) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let details = format!("{file}:{}\n{}", case.line, details(case));
            status.set_message(problem.as_str()).set_description(details);
            status
        }
    };
    let mut test = TestCase::new(case.name.as_str(), status);
    test.set_classname(file);
    test.extra.insert("line".into(), case.line.to_string().into());
    test
}

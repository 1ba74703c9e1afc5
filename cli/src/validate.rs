//! `validate`: everything that is wrong with objects, at once.

use anyhow::Result;
use policy_compiler::Diagnostic;
use serde::Serialize;

use crate::{
    Outcome,
    args::{Color, Format, ValidateArgs},
    output::{Stream, Style, Summary, print, print_json, render},
    policy,
};

/// The JSON form of the answer.
#[derive(Serialize)]
struct Report<'a> {
    valid: bool,
    #[serde(flatten)]
    summary: Summary,
    diagnostics: &'a [Diagnostic],
}

/// Prints all diagnostics and how many there are.
pub(crate) fn run(args: &ValidateArgs, color: Color) -> Result<Outcome> {
    let diagnostics = policy::compile(&args.input, &[], None)?.diagnostics;
    let summary = Summary::of(&diagnostics);
    let valid = summary.errors == 0 && (summary.warnings == 0 || !args.deny_warnings);
    match args.output {
        Format::Json => print_json(&Report {
            valid,
            summary,
            diagnostics: &diagnostics,
        })?,
        Format::Text => {
            let style = Style::new(color, Stream::Output);
            let verdict = if valid {
                style.good("valid")
            } else {
                style.bad("invalid")
            };
            print(&format!("{}{verdict}: {summary}\n", render(&diagnostics, style)))?;
        }
    }
    Ok(if valid { Outcome::Yes } else { Outcome::No })
}

//! `diff`: what does one policy set allow that the other does not?

mod compare;
mod load;
mod report;
mod text;
mod undecided;

use anyhow::Result;

use crate::{
    Outcome,
    args::{Color, DiffArgs, Format},
    output::{Stream, Style, print, print_json},
    policy,
    reach::Space,
};
pub(crate) use compare::Change;
use report::Report;

/// Compares the verdicts of both on every flow that either can tell apart.
pub(crate) fn run(args: &DiffArgs, color: Color) -> Result<Outcome> {
    let errors = Style::new(color, Stream::Error);
    let (Some(old), Some(new)) = (
        load::bundle(args, &args.old, errors)?,
        load::bundle(args, &args.new, errors)?,
    ) else {
        return Ok(Outcome::No);
    };
    let [old, new] = [old, new].map(|bundle| policy::in_effect(bundle, args.audit_as_enforced));
    let space = Space::new(vec![old.clone(), new.clone()])?;
    let differences = compare::differences(&space);
    let undecided = undecided::rules(&old, &new, &space, &differences);
    let report = Report::new(&space, &differences, undecided);
    match args.output {
        Format::Json => print_json(&report)?,
        Format::Text => print(&text::render(&report, Style::new(color, Stream::Output)))?,
    }
    let counts = differences
        .iter()
        .any(|difference| difference.change.counts(args.fail_on));
    let found = counts || !report.undecided.is_empty();
    Ok(if found { Outcome::No } else { Outcome::Yes })
}

//! The differences for people.

use std::fmt::Write as _;

use super::report::{Entry, Report, Said, Side};
use crate::output::{Style, quoted, wrap};

/// How wide the text gets; a witness is never broken, so that it can be copied.
const WIDTH: usize = 110;
/// Where values start.
const INDENT: usize = 10;
/// How many examples of requests are named.
const MAX_SHOWN: usize = 3;

/// A paragraph for each difference, and how many there are.
pub(super) fn render(report: &Report, style: Style) -> String {
    let mut text = String::new();
    for entry in &report.differences {
        difference(&mut text, entry, style);
    }
    for rule in &report.undecided {
        let word = style.heading("patterns differ");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{word}  only {} has this rule, and no flow was found that shows what it changes",
            rule.side.to_uppercase()
        );
        field(&mut text, "rule", &rule.rule);
        let _ = writeln!(text, "  {:<INDENT$}{}\n", "", rule.what);
    }
    for (side, names) in [("OLD", &report.only_in_old), ("NEW", &report.only_in_new)] {
        if !names.is_empty() {
            let _ = writeln!(text, "not compared: only {side} has {}\n", names.join(", "));
        }
    }
    let _ = writeln!(text, "{}", summary(report));
    if !report.differences.is_empty() {
        text.push_str("A witness is for `portcullis trace`, with -f and the files of either side.\n");
    }
    text
}

fn difference(text: &mut String, entry: &Entry, style: Style) {
    let word = match entry.change {
        "opened" => style.good(entry.change),
        _ => style.bad(entry.change),
    };
    let mut lines = wrap(&entry.heading, WIDTH - INDENT - 2).into_iter();
    let _ = writeln!(text, "{word}  {}", style.heading(&lines.next().unwrap_or_default()));
    lines.for_each(|line| {
        let _ = writeln!(text, "        {}", style.heading(&line));
    });
    field(text, "ports", &entry.ports.join(", "));
    if !entry.showing.is_empty() {
        let more = entry.showing.len().saturating_sub(MAX_SHOWN);
        let mut shown: Vec<String> = entry.showing.iter().take(MAX_SHOWN).cloned().collect();
        if more > 0 {
            shown.push(format!("{more} more examples"));
        }
        field(text, "showing", &shown.join("; "));
    }
    for Side { direction, old, new } in &entry.sides {
        field(text, direction, &format!("was {}", said(old)));
        field(text, "", &format!("now {}", said(new)));
    }
    let options: Vec<String> = entry.witness.trace.iter().map(|word| quoted(word)).collect();
    let _ = writeln!(text, "  {:<INDENT$}{}\n", "witness", options.join(" "));
}

fn said(said: &Said) -> String {
    let Said {
        verdict,
        explanation,
        rule,
        ..
    } = said;
    match rule {
        Some(rule) => format!("{verdict}: {explanation} ({rule})"),
        None => format!("{verdict}: {explanation}"),
    }
}

fn summary(report: &Report) -> String {
    match (report.opened, report.closed, report.undecided.len()) {
        (0, 0, 0) => "no difference".into(),
        (opened, closed, 0) => format!("{opened} opened, {closed} closed"),
        (opened, closed, undecided) => format!("{opened} opened, {closed} closed, {undecided} undecided"),
    }
}

fn field(text: &mut String, name: &str, value: &str) {
    let mut name = name;
    for line in wrap(value, WIDTH - INDENT - 2) {
        let _ = writeln!(text, "  {name:<INDENT$}{line}");
        name = "";
    }
}

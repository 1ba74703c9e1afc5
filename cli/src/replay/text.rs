//! What changed, for people.

use std::fmt::Write as _;

use super::report::{After, Before, Entry, Place, Report};
use crate::output::{Style, Table, quoted, wrap};

/// How wide the text gets; a question for `trace` is never broken, so that it can be copied.
const WIDTH: usize = 110;
/// Where values start.
const INDENT: usize = 10;

/// A paragraph for each of the first `show` groups, a table of what was not judged, and the counts.
pub(super) fn render(report: &Report, show: usize, style: Style) -> String {
    let mut text = String::new();
    for entry in report.groups.iter().take(show) {
        group(&mut text, entry, style);
    }
    let more: Vec<u64> = report.groups.iter().skip(show).map(|entry| entry.flows).collect();
    if !more.is_empty() {
        let groups = if more.len() == 1 { "group" } else { "groups" };
        let flows = counted(more.iter().sum(), "flow");
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "and {} more {groups} with {flows}: --show prints more\n",
            more.len()
        );
    }
    if let Some(rest) = &report.not_grouped {
        let (all, groups) = (rest.opened + rest.closed, report.groups.len());
        let _ = writeln!(
            text,
            "and {} in more groups than the {groups} that are kept: {} opened, {} closed\n",
            counted(all, "flow"),
            rest.opened,
            rest.closed
        );
    }
    if !report.unjudged.is_empty() {
        unjudged(&mut text, report, style);
    }
    let _ = writeln!(text, "{}", summary(report));
    text
}

/// One line, for the end.
fn summary(report: &Report) -> String {
    let Report {
        lines,
        judged,
        same,
        opened,
        closed,
        ..
    } = report;
    let changes = match (opened, closed) {
        (0, 0) => "none changes".into(),
        _ => format!("{closed} closed, {opened} opened, {same} the same"),
    };
    match lines - judged {
        0 => format!("{}: {changes}", counted(*lines, "flow")),
        rest => format!(
            "{} of {}: {changes}; {rest} not judged",
            counted(*judged, "flow"),
            counted(*lines, "line")
        ),
    }
}

fn group(text: &mut String, entry: &Entry, style: Style) {
    let word = match entry.change {
        "opened" => style.good(entry.change),
        _ => style.bad(entry.change),
    };
    let request = entry
        .request
        .as_deref()
        .map_or_else(String::new, |request| format!("  {request}"));
    let heading = format!(
        "{} → {}  {}/{}{request}",
        entry.from.name, entry.to.name, entry.port, entry.protocol
    );
    let mut lines = wrap(&heading, WIDTH - INDENT).into_iter();
    let _ = writeln!(text, "{word}  {}", style.heading(&lines.next().unwrap_or_default()));
    for line in lines {
        let _ = writeln!(text, "        {}", style.heading(&line));
    }
    let flows = counted(entry.flows, "flow");
    field(text, "lines", &format!("{flows}, first {}", place(&entry.first.place)));
    let Before { verdict, reason, rule } = &entry.then;
    let reason = reason
        .as_deref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    field(
        text,
        "was",
        &format!("{verdict}{reason}{}", in_brackets(rule.as_deref())),
    );
    now(text, &entry.now);
    if let Some(options) = &entry.first.trace {
        let options: Vec<String> = options.iter().map(|word| quoted(word)).collect();
        let _ = writeln!(text, "  {:<INDENT$}{}", "trace", options.join(" "));
    }
    text.push('\n');
}

fn now(text: &mut String, now: &After) {
    let After {
        verdict,
        layer: _,
        direction,
        reason: _,
        explanation,
        rule,
        isolated_by: _,
        nearest,
    } = now;
    let side = direction.map_or_else(String::new, |direction| format!(" by {direction}"));
    field(
        text,
        "now",
        &format!("{verdict}{side}: {explanation}{}", in_brackets(rule.as_deref())),
    );
    if let Some(nearest) = nearest {
        field(text, "nearest", &nearest.rule);
        field(text, "", &format!("missed: {}", nearest.missed));
    }
}

fn unjudged(text: &mut String, report: &Report, style: Style) {
    let _ = writeln!(text, "{}", style.heading("not judged"));
    let mut table = Table::new(&["reason", "lines"]);
    for row in &report.unjudged {
        table.row(vec![row.reason.into(), row.lines.to_string()]);
    }
    let mut rows = table.render();
    rows.truncate(rows.trim_end().len());
    let mut rows = rows.lines();
    let _ = writeln!(text, "  {}  first", rows.next().unwrap_or_default());
    for (row, entry) in rows.zip(&report.unjudged) {
        let detail = match entry.detail.is_empty() {
            true => entry.explanation,
            false => &entry.detail,
        };
        let _ = writeln!(text, "  {row}  {}: {detail}", place(&entry.first));
    }
    text.push('\n');
}

fn place(Place { file, line }: &Place) -> String {
    format!("{file}:{line}")
}

fn in_brackets(rule: Option<&str>) -> String {
    rule.map_or_else(String::new, |rule| format!(" ({rule})"))
}

/// `1 flow`, `2 flows`.
fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

fn field(text: &mut String, name: &str, value: &str) {
    let mut name = name;
    for line in wrap(value, WIDTH - INDENT - 2) {
        let _ = writeln!(text, "  {name:<INDENT$}{line}");
        name = "";
    }
}

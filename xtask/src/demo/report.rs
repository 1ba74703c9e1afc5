//! What people see: a table for each stage, and a line at the end. Colours only where a terminal can show them.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anstream::println;
use anstyle::{AnsiColor, Style};

use super::claim::Because;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const QUIET: Style = Style::new().dimmed();
const LOUD: Style = Style::new().bold();

/// Counts rows while it prints them.
pub(super) struct Report {
    verbose: bool,
    started: Instant,
    agreed: usize,
    differing: Vec<String>,
    left_out: usize,
}

/// A row, ready to be printed.
pub(super) struct Row<'a> {
    pub(super) from: &'a str,
    pub(super) what: &'a str,
    pub(super) expected: &'a dyn Display,
    pub(super) seen: &'a dyn Display,
    pub(super) decided_by: &'a str,
    /// Whether what was seen is what was expected, by every account.
    pub(super) confirmed: bool,
    pub(super) because: Because,
    /// The line of the access log, if one belongs to it.
    pub(super) log_line: &'a str,
}

impl Report {
    /// An empty report; `verbose` adds to each row why it is expected, and what Envoy logged.
    pub(super) fn new(verbose: bool) -> Self {
        Self {
            verbose,
            started: Instant::now(),
            agreed: 0,
            differing: Vec::new(),
            left_out: 0,
        }
    }

    /// Something that happens between tables.
    pub(super) fn note(&self, text: &str) {
        println!("{QUIET}{text}{QUIET:#}");
    }

    /// The head of a table: what it is about, and remarks.
    pub(super) fn heading(&self, title: &str, remarks: &[String]) {
        println!("\n{LOUD}{title}{LOUD:#}");
        for remark in remarks {
            println!("{QUIET}  {remark}{QUIET:#}");
        }
        let (from, what, expected, seen) = ("from", "request", "expected", "seen");
        println!("{QUIET}    {from:<16}{what:<60}{expected:<10}{seen:<9}decided by{QUIET:#}");
    }

    /// Prints and counts a row.
    pub(super) fn row(&mut self, row: &Row<'_>) {
        let Row {
            from,
            what,
            expected,
            seen,
            decided_by,
            confirmed,
            because,
            log_line,
        } = row;
        let (style, mark) = if *confirmed { (GOOD, "✓") } else { (BAD, "✗") };
        println!(
            "  {style}{mark}{style:#} {from:<16}{what:<60}{expected:<10}{style}{seen:<9}{style:#}{QUIET}{decided_by}{QUIET:#}"
        );
        if self.verbose || !confirmed {
            println!("{QUIET}      {because}{QUIET:#}");
            if !log_line.is_empty() {
                println!("{QUIET}      Envoy's log: {log_line}{QUIET:#}");
            }
        }
        if *confirmed {
            self.agreed += 1;
        } else {
            self.differing
                .push(format!("{from}: {what}: expected {expected}, seen {seen}"));
        }
    }

    /// Counts a row that cannot be shown in this run.
    pub(super) fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// The last lines; whether all rows are as expected.
    pub(super) fn summary(&self, stages: usize) -> bool {
        let all = self.agreed + self.differing.len();
        let took = seconds(self.started.elapsed());
        println!();
        if self.left_out > 0 {
            let left_out = self.left_out;
            println!("{QUIET}rows left out, for want of a connection from an earlier stage: {left_out}{QUIET:#}");
        }
        for row in &self.differing {
            println!("{BAD}✗{BAD:#} {row}");
        }
        let (style, words) = if self.differing.is_empty() {
            (GOOD, "all as expected".to_owned())
        } else {
            (BAD, format!("{} DIFFER", self.differing.len()))
        };
        let plural = if stages == 1 { "" } else { "s" };
        println!("{all} rows in {stages} stage{plural}, {style}{words}{style:#}, {took}");
        self.differing.is_empty()
    }
}

/// A duration as people read it.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

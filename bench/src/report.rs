//! What was measured, as tables to read and as JSON to compare.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::sampler::Series;

/// The results of one section.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    section: &'static str,
    machine: Machine,
    rows: Vec<Row>,
    ratios: Vec<Ratio>,
}

/// Where it was measured.
#[derive(Debug, Serialize)]
struct Machine {
    processor: String,
    cores: usize,
    /// What else went on in the minute before.
    load: String,
}

/// One thing that was measured.
#[derive(Clone, Debug, Serialize)]
struct Row {
    group: String,
    name: String,
    unit: &'static str,
    median: f64,
    low: f64,
    high: f64,
    samples: usize,
}

/// Two things in one run, and what the project wants of them.
#[derive(Debug, Serialize)]
struct Ratio {
    name: String,
    median: f64,
    low: f64,
    high: f64,
    wanted: &'static str,
    met: Option<bool>,
}

/// What a ratio shall be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// So much, or less.
    AtMost(f64, &'static str),
    /// So much, or more.
    AtLeast(f64, &'static str),
    /// Only to know.
    Nothing,
}

impl Report {
    /// An empty report of `section`.
    pub(crate) fn new(section: &'static str) -> Self {
        Self {
            section,
            machine: Machine::here(),
            rows: Vec::new(),
            ratios: Vec::new(),
        }
    }

    /// Adds what was measured several times. An empty series is left out.
    pub(crate) fn add(&mut self, group: &str, name: &str, unit: &'static str, series: &Series) {
        if let Some(spread) = series.spread() {
            self.rows.push(Row {
                group: group.to_owned(),
                name: name.to_owned(),
                unit,
                median: spread.median,
                low: spread.low,
                high: spread.high,
                samples: series.0.len(),
            });
        }
    }

    /// Adds a number that is the same every time.
    pub(crate) fn add_exact(&mut self, group: &str, name: &str, unit: &'static str, value: f64) {
        self.add(group, name, unit, &Series(vec![value]));
    }

    /// Adds a ratio, measured within each round.
    pub(crate) fn add_ratio(&mut self, name: &str, series: &Series, wanted: Wanted) {
        let Some(spread) = series.spread() else { return };
        let (wanted, met) = match wanted {
            Wanted::AtMost(limit, text) => (text, Some(spread.median <= limit)),
            Wanted::AtLeast(limit, text) => (text, Some(spread.median >= limit)),
            Wanted::Nothing => ("", None),
        };
        self.ratios.push(Ratio {
            name: name.to_owned(),
            median: spread.median,
            low: spread.low,
            high: spread.high,
            wanted,
            met,
        });
    }

    /// Prints the tables, and writes `SECTION.json` to `dir`.
    pub(crate) fn finish(&self, dir: &Path) -> Result<()> {
        println!("{}", self.text());
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let path = dir.join(self.section).with_extension("json");
        let json = serde_json::to_string_pretty(self)?;
        fs::write(&path, json + "\n").with_context(|| path.display().to_string())
    }

    fn text(&self) -> String {
        let Machine { processor, cores, load } = &self.machine;
        let mut text = format!("\n## {}\n\n{processor}, {cores} cores, load {load}\n", self.section);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "\n| what | case | median | half of all | unit |\n|---|---|---:|---:|---|"
        );
        for row in &self.rows {
            let half = match row.samples {
                1 => String::new(),
                _ => format!("{} – {}", number(row.low), number(row.high)),
            };
            let (group, name, median, unit) = (&row.group, &row.name, number(row.median), row.unit);
            let _ = writeln!(text, "| {group} | {name} | {median} | {half} | {unit} |");
        }
        if !self.ratios.is_empty() {
            let _ = writeln!(
                text,
                "\n| ratio | median | half of all | wanted | |\n|---|---:|---:|---|---|"
            );
        }
        for ratio in &self.ratios {
            let met = match ratio.met {
                Some(true) => "✓",
                Some(false) => "missed",
                None => "",
            };
            let (name, wanted, median) = (&ratio.name, ratio.wanted, number(ratio.median));
            let half = format!("{} – {}", number(ratio.low), number(ratio.high));
            let _ = writeln!(text, "| {name} | {median} | {half} | {wanted} | {met} |");
        }
        text
    }
}

impl Machine {
    fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo");
        let processor = processor.lines().find_map(|line| line.strip_prefix("model name"));
        let load = read("/proc/loadavg");
        Self {
            processor: processor.map_or_else(String::new, |name| name.trim_start_matches(['\t', ':', ' ']).to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

/// Three digits that matter, with separators.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_readable() {
        for (value, expected, why) in [
            (0.0, "0.00", "nothing"),
            (1.2345, "1.23", "below ten"),
            (12.345, "12.3", "below a hundred"),
            (123.4, "123", "no digit behind the point says anything"),
            (1234.5, "1,234", "one separator"),
            (12_345_678.0, "12,345,678", "two of them"),
        ] {
            assert_eq!(number(value), expected, "{why}");
        }
    }

    #[test]
    fn a_missed_target_is_told() {
        let mut report = Report::new("test");
        report.add("group", "case", "ns", &Series(vec![1.0, 2.0, 3.0, 4.0, 5.0]));
        report.add_ratio("flat", &Series(vec![1.3]), Wanted::AtMost(1.2, "≤ 1.2"));
        report.add_ratio("fast", &Series(vec![60.0]), Wanted::AtLeast(50.0, "≥ 50"));
        let text = report.text();
        for line in [
            "| group | case | 3.00 | 2.00 – 4.00 | ns |",
            "| flat | 1.30 | 1.30 – 1.30 | ≤ 1.2 | missed |",
            "| fast | 60.0 | 60.0 – 60.0 | ≥ 50 | ✓ |",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}

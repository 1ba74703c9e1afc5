//! What a run found out, as tables and as JSON.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::Result;
use serde::Serialize;

use super::{
    compare::{Difference, Kind},
    corpus::Expectation,
    tally::Tally,
};
use crate::{
    args::Format,
    output::{Table, print, print_json},
};

/// What a run found out so far.
#[derive(Default, Serialize)]
pub(super) struct Report {
    total: Tally,
    files: Vec<Counted>,
    #[serde(serialize_with = "as_list")]
    tags: BTreeMap<String, Tally>,
    differences: Vec<Located>,
}

#[derive(Serialize)]
struct Counted {
    name: String,
    #[serde(flatten)]
    tally: Tally,
}

/// A difference and its line.
#[derive(Serialize)]
struct Located {
    file: String,
    line: String,
    #[serde(flatten)]
    difference: Difference,
}

impl Report {
    /// What is added next belongs to this file.
    pub(super) fn start_file(&mut self, file: &str) {
        self.files.push(Counted {
            name: file.into(),
            tally: Tally::default(),
        });
    }

    /// Adds one line of a file.
    pub(super) fn add(&mut self, file: &str, line: &Expectation, tally: Tally, differences: Vec<Difference>) {
        self.total += tally;
        if let Some(counted) = self.files.last_mut() {
            counted.tally += tally;
        }
        for tag in &line.tags {
            *self.tags.entry(tag.clone()).or_default() += tally;
        }
        self.differences
            .extend(differences.into_iter().map(|difference| Located {
                file: file.into(),
                line: line.name.clone(),
                difference,
            }));
    }

    /// Adds a known difference with a line of a file that is none.
    pub(super) fn add_stale(&mut self, file: &str, line: String, difference: Difference) {
        let mut tally = Tally::default();
        tally.differs(difference.kind);
        self.total += tally;
        if let Some(counted) = self.files.last_mut() {
            counted.tally += tally;
        }
        self.differences.push(Located {
            file: file.into(),
            line,
            difference,
        });
    }

    /// Whether nothing differs.
    pub(super) fn agrees(&self) -> bool {
        self.total.agrees()
    }

    /// Prints it, with at most `show` differences.
    pub(super) fn print(&self, format: Format, show: usize) -> Result<()> {
        match format {
            Format::Json => print_json(self),
            Format::Text => print(&self.text(show)),
        }
    }

    fn text(&self, show: usize) -> String {
        let mut text = String::new();
        let mut files = table("file");
        for Counted { name, tally } in &self.files {
            files.row(row(name, tally));
        }
        files.row(row("total", &self.total));
        text.push_str(&files.render());
        let mut tags = table("tag");
        for (tag, tally) in &self.tags {
            tags.row(row(tag, tally));
        }
        if !self.tags.is_empty() {
            text.push('\n');
            text.push_str(&tags.render());
        }
        for located in self.differences.iter().take(show) {
            located.render(&mut text);
        }
        if let Some(more) = self.differences.len().checked_sub(show).filter(|more| *more > 0) {
            let _ = write!(text, "\n… and {more} more: --show {}\n", self.differences.len());
        }
        text
    }
}

impl Located {
    fn render(&self, text: &mut String) {
        let Self { file, line, difference } = self;
        let Difference {
            kind,
            flow,
            object,
            expected,
            got,
            because,
        } = difference;
        let flow = flow.map_or_else(String::new, |flow| format!(" flow {flow}"));
        let object = object.as_ref().map_or_else(String::new, |object| format!(" {object}"));
        let because = because
            .as_ref()
            .map_or_else(String::new, |because| format!(" ({because})"));
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{file}: {line}{flow}{object}: {}\n  expected  {expected}\n  got       {got}{because}\n",
            title(*kind)
        );
    }
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Verdict => "another verdict",
        Kind::Detail => "another layer or way",
        Kind::Object => "another opinion of an object",
        Kind::Unanswered => "no answer",
        Kind::Engines => "the engines differ",
        Kind::Stale => "a stale entry of the known differences",
    }
}

fn table(first: &str) -> Table {
    Table::new(&[
        first,
        "lines",
        "agreed",
        "disagreed",
        "details",
        "unsupported",
        "objects",
        "wrong",
        "unsupported",
        "unanswered",
        "engines differ",
        "known",
        "stale",
    ])
}

fn row(name: &str, tally: &Tally) -> Vec<String> {
    let Tally {
        lines,
        agreed,
        disagreed,
        details,
        unsupported,
        objects_agreed,
        objects_disagreed,
        objects_unsupported,
        unanswered,
        engines_differ,
        known,
        stale,
    } = *tally;
    let numbers = [
        lines,
        agreed,
        disagreed,
        details,
        unsupported,
        objects_agreed,
        objects_disagreed,
        objects_unsupported,
        unanswered,
        engines_differ,
        known,
        stale,
    ];
    [name.to_owned()]
        .into_iter()
        .chain(numbers.iter().map(ToString::to_string))
        .collect()
}

fn as_list<S: serde::Serializer>(tags: &BTreeMap<String, Tally>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(tags.iter().map(|(name, tally)| Counted {
        name: name.clone(),
        tally: *tally,
    }))
}

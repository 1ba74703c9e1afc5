//! A table: flows across, sources down, and in each cell what is expected.
//!
//! ```yaml
//! name: who reaches the shop
//! flows:
//!   web: {to: shop/web, port: 8080}
//!   db: {to: shop/db, port: 5432}
//! expect: |
//!   from      web    db
//!   shop/web  -      allow
//!   ops/mon   allow  deny
//! ```

use std::collections::BTreeMap;

use policy_compiler::{Code, Location};

use super::{
    case::{Case, Expect, FLOW_KEYS, Flow, read_flows},
    read::{Located, Place, Reader},
};
use crate::args::Peer;

const KEYS: [&str; 3] = ["name", "flows", "expect"];
/// What stands above the sources.
const CORNER: &str = "from";
/// A cell that asks nothing.
const NOTHING: &str = "-";

/// A word of the drawing.
#[derive(Clone)]
struct Word<'n> {
    text: &'n str,
    at: Location,
}

/// The cases of an item of `tables`, row by row.
pub(super) fn read_table(reader: &mut Reader, place: &Place<'_>) -> Vec<Case> {
    if !reader.is_map_of(place, &KEYS) {
        return Vec::new();
    }
    let name = reader.require(place, "name");
    let name = name.and_then(|name| reader.text(&name)).unwrap_or_default();
    let flows = reader.require(place, "flows");
    let flows = flows.map(|flows| read_columns(reader, &flows)).unwrap_or_default();
    let Some(drawing) = reader.require(place, "expect") else {
        return Vec::new();
    };
    let Some(text) = reader.text(&drawing) else {
        return Vec::new();
    };
    let mut lines = words(reader, &drawing, text).into_iter();
    let Some(heading) = lines.next() else {
        reader.error(&drawing, Code::VALUE, "this table is empty");
        return Vec::new();
    };
    let columns = read_heading(reader, &heading, &flows);
    for (flow, (at, _)) in &flows {
        if !heading.iter().skip(1).any(|word| word.text == *flow) {
            let message = format!("the table has no column for `{flow}`");
            reader.error_at(at.clone(), "", Code::VALUE, message);
        }
    }
    if lines.len() == 0 {
        reader.error(&drawing, Code::VALUE, "this table has no rows");
    }
    let mut cases = Vec::new();
    for line in lines {
        cases.extend(read_row(reader, name, &line, &columns));
    }
    cases
}

/// The flows by name, each with its place. A flow that is wrong is left out, with an error.
fn read_columns<'n>(reader: &mut Reader, place: &Place<'n>) -> BTreeMap<&'n str, (Location, Option<Flow>)> {
    let mut flows = BTreeMap::new();
    for (name, place) in reader.entries(place) {
        let at = reader.location(place.node);
        if name.contains(char::is_whitespace) || name == CORNER {
            reader.error(
                &place,
                Code::VALUE,
                format!("`{name}` cannot name a column: that is one word other than `{CORNER}`"),
            );
        }
        let known = reader.is_map_of(&place, &FLOW_KEYS);
        let mut read = if known { read_flows(reader, &place) } else { Vec::new() };
        if read.len() > 1 {
            let message = "a column is one flow: lists of destinations or ports are for `cases`";
            reader.error(&place, Code::VALUE, message);
        }
        flows.insert(name, (at, read.pop()));
    }
    flows
}

/// The column of each word but the first.
fn read_heading<'n>(
    reader: &mut Reader,
    heading: &[Word<'n>],
    flows: &BTreeMap<&'n str, (Location, Option<Flow>)>,
) -> Vec<(&'n str, Option<Flow>)> {
    let mut columns: Vec<(&str, Option<Flow>)> = Vec::new();
    for (i, Word { text, at }) in heading.iter().enumerate() {
        let mut complain = |message| {
            reader.error_at(at.clone(), "", Code::VALUE, message);
        };
        if i == 0 {
            if *text != CORNER {
                complain(format!(
                    "the first line of a table starts with `{CORNER}`, not with `{text}`"
                ));
            }
            continue;
        }
        if columns.iter().any(|(known, _)| known == text) {
            complain(format!("`{text}` has two columns"));
        }
        let flow = flows.get(text);
        if flow.is_none() {
            complain(format!("no flow is called `{text}`"));
        }
        columns.push((text, flow.and_then(|(_, flow)| flow.clone())));
    }
    columns
}

fn read_row(reader: &mut Reader, table: &str, line: &[Word<'_>], columns: &[(&str, Option<Flow>)]) -> Vec<Case> {
    let Some((source, cells)) = line.split_first() else {
        return Vec::new();
    };
    let peer = match source.text.parse::<Peer>() {
        Ok(peer) => peer,
        Err(error) => {
            reader.error_at(source.at.clone(), "", Code::VALUE, error);
            return Vec::new();
        }
    };
    if cells.len() != columns.len() {
        let message = format!("{} answers for {} columns", cells.len(), columns.len());
        reader
            .error_at(source.at.clone(), "", Code::VALUE, message)
            .help(format!("write `{NOTHING}` where nothing is asked"));
        return Vec::new();
    }
    let mut cases = Vec::new();
    for (cell, (column, flow)) in cells.iter().zip(columns) {
        if cell.text == NOTHING {
            continue;
        }
        let Some(expect) = Expect::from_word(cell.text) else {
            let message = format!("`{}` is none of `allow`, `deny` and `{NOTHING}`", cell.text);
            reader.error_at(cell.at.clone(), "", Code::VALUE, message);
            continue;
        };
        // One that is wrong was reported where it stands.
        let Some(flow) = flow else { continue };
        cases.push(Case {
            name: format!("{table}: {} {column}", source.text),
            at: cell.at.clone(),
            from: Located {
                value: peer.clone(),
                at: source.at.clone(),
            },
            flow: flow.clone(),
            expect,
            would: None,
            because: None,
        });
    }
    cases
}

/// The words of each line that has some. Lines that start with `#` are for people.
fn words<'n>(reader: &Reader, place: &Place<'_>, text: &'n str) -> Vec<Vec<Word<'n>>> {
    let whole = reader.location(place.node);
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        let words = line.split_whitespace().map(|word| {
            let column = word.as_ptr().addr() - line.as_ptr().addr();
            let at = reader.inside_block(&whole, number, line, column, word.len());
            Word {
                text: word,
                at: at.unwrap_or_else(|| whole.clone()),
            }
        });
        let words: Vec<Word<'_>> = words.collect();
        if !words.is_empty() {
            lines.push(words);
        }
    }
    lines
}

//! The matrix as a graph for Graphviz: an edge for everybody who can be reached.

use std::{collections::BTreeMap, fmt::Write as _};

use super::grid::Grid;
use crate::reach::{Group, Outcome, PortClass, Reach};

/// How many rules an edge names.
const MAX_LINES: usize = 4;

/// The graph, a cluster for each namespace. Edges are dashed where not everything passes.
pub(super) fn render(grid: &Grid<'_>) -> String {
    let mut text = String::from(
        "digraph reach {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n",
    );
    let mut groups: BTreeMap<&Group, Vec<usize>> = BTreeMap::new();
    for (i, party) in grid.parties.iter().enumerate() {
        groups.entry(&party.group).or_default().push(i);
    }
    for (i, (group, members)) in groups.into_iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  subgraph cluster_{i} {{\n    label={};", quoted(group.name()));
        for party in members {
            let name = grid
                .parties
                .get(party)
                .map(|party| party.name.as_str())
                .unwrap_or_default();
            let _ = writeln!(text, "    p{party} [label={}];", quoted(name));
        }
        text.push_str("  }\n");
    }
    let alone = |party: usize| grid.parties.get(party).is_some_and(|party| party.members.len() == 1);
    // That somebody may call itself is no news.
    for (from, to) in grid.pairs().filter(|(from, to)| from != to || !alone(*from)) {
        match grid.reach(from, to) {
            Reach::All => {
                let _ = writeln!(text, "  p{from} -> p{to};");
            }
            Reach::Some => {
                let label = quoted(&label(grid.of_pair(from, to)));
                let _ = writeln!(text, "  p{from} -> p{to} [style=dashed, label={label}];");
            }
            Reach::None | Reach::Unasked => {}
        }
    }
    text.push_str("}\n");
    text
}

fn label<'a>(ports: impl Iterator<Item = (&'a PortClass, &'a Outcome)>) -> String {
    let mut lines = Vec::new();
    for (port, outcome) in ports {
        match outcome.reach {
            Reach::All => lines.push(port.label.clone()),
            Reach::Some => {
                let passing: Vec<&str> = outcome.passing.iter().map(|passing| passing.what.as_str()).collect();
                lines.push(format!("{}: {}", port.label, passing.join(", ")));
            }
            Reach::None | Reach::Unasked => {}
        }
    }
    let more = lines.len().saturating_sub(MAX_LINES);
    lines.truncate(MAX_LINES);
    if more > 0 {
        lines.push(format!("{more} more"));
    }
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_quotes_stays_inside_them() {
        for (text, want) in [
            ("web", r#""web""#),
            (r#"GET /"a""#, r#""GET /\"a\"""#),
            (r"GET /a\.b", r#""GET /a\\.b""#),
            ("80/TCP\n443/TCP", r#""80/TCP\n443/TCP""#),
        ] {
            assert_eq!(quoted(text), want);
        }
    }
}

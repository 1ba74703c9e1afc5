//! The matrix for terminals.

use std::{collections::BTreeMap, fmt::Write as _};

use super::grid::{Grid, together};
use crate::{
    args::Port,
    output::{Style, wrap},
    reach::{Group, Outcome, Party, PortClass, Reach},
};

/// From so many parties on, namespaces are shown instead.
const MAX_ROWS: usize = 24;
/// How many lines explain where not everything passes.
const MAX_LINES: usize = 40;
/// How wide the text gets.
const WIDTH: usize = 110;

/// Rows and columns of the table: the parties, or their groups.
struct Axis {
    name: String,
    parties: Vec<usize>,
}

/// A table of who reaches whom, what passes where not everything does, and who is in each class.
pub(super) fn render(grid: &Grid<'_>, asked_for: &[Port], style: Style) -> String {
    let folded = grid.parties.len() > MAX_ROWS;
    let axis = if folded {
        groups(grid.parties)
    } else {
        each(grid.parties)
    };
    let mut text = format!("{}\n\n", style.heading(&heading(grid, asked_for)));
    table(&mut text, grid, &axis, style);
    text.push_str("\n● everything   ◐ some ports or requests   · nothing   (blank: no policy is asked)\n");
    if folded {
        let count = grid.parties.len();
        let _ = writeln!(
            text,
            "{count} classes are folded into namespaces; --html and -o json show each."
        );
        return text;
    }
    partly(&mut text, grid, style);
    members(&mut text, grid.parties, style);
    text
}

fn heading(grid: &Grid<'_>, asked_for: &[Port]) -> String {
    if asked_for.is_empty() {
        return "Who can reach whom, on all ports together".into();
    }
    let labels: Vec<&str> = grid.ports.iter().map(|port| port.label.as_str()).collect();
    let ports: Vec<String> = asked_for
        .iter()
        .map(|port| format!("{}/{}", port.number, port.protocol))
        .collect();
    match labels == ports.iter().map(String::as_str).collect::<Vec<_>>() {
        true => format!("Who can reach whom on {}", ports.join(", ")),
        false => format!("Who can reach whom on {} ({})", ports.join(", "), labels.join(", ")),
    }
}

fn each(parties: &[Party]) -> Vec<Axis> {
    let parties = parties.iter().enumerate();
    parties
        .map(|(i, party)| Axis {
            name: party.full_name(),
            parties: vec![i],
        })
        .collect()
}

fn groups(parties: &[Party]) -> Vec<Axis> {
    let mut groups: BTreeMap<&Group, Vec<usize>> = BTreeMap::new();
    for (i, party) in parties.iter().enumerate() {
        groups.entry(&party.group).or_default().push(i);
    }
    groups
        .into_iter()
        .map(|(group, parties)| Axis {
            name: group.name().to_owned(),
            parties,
        })
        .collect()
}

fn table(text: &mut String, grid: &Grid<'_>, axis: &[Axis], style: Style) {
    let digits = axis.len().to_string().len();
    let width = axis.iter().map(|axis| axis.name.chars().count()).max().unwrap_or(0);
    let pad = digits + 2 + width.max("from ↓  to →".len());
    let numbers = (1..=axis.len())
        .map(|number| format!("{number:>digits$}"))
        .collect::<Vec<_>>()
        .join("  ");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:<pad$}  {numbers}", "from ↓  to →");
    for (number, from) in (1..).zip(axis) {
        let cells = axis.iter().map(|to| {
            let pairs = from
                .parties
                .iter()
                .flat_map(|from| to.parties.iter().map(|to| (*from, *to)));
            let mark = mark(together(pairs.map(|(from, to)| grid.reach(from, to))), style);
            format!("{}{mark}", " ".repeat(digits - 1))
        });
        let cells = cells.collect::<Vec<_>>().join("  ");
        let name = format!("{number:>digits$}  {}", from.name);
        let _ = writeln!(text, "{}", format!("{name:<pad$}  {cells}").trim_end());
    }
}

fn mark(reach: Reach, style: Style) -> String {
    match reach {
        Reach::All => style.good("●"),
        Reach::Some => style.good("◐"),
        Reach::None => "·".into(),
        Reach::Unasked => " ".into(),
    }
}

/// What passes between pairs where not everything does; those with the same answer together.
fn partly(text: &mut String, grid: &Grid<'_>, style: Style) {
    let mut answers: BTreeMap<Vec<String>, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
    for (from, to) in grid.pairs().filter(|(from, to)| grid.reach(*from, *to) == Reach::Some) {
        let lines = grid
            .of_pair(from, to)
            .filter_map(|(port, outcome)| line(port, outcome))
            .collect();
        answers.entry(lines).or_default().entry(from).or_default().push(to);
    }
    if answers.is_empty() {
        return;
    }
    let name = |party: &usize| grid.parties.get(*party).map(Party::full_name).unwrap_or_default();
    let _ = writeln!(text, "\n{}", style.heading("Where not everything passes"));
    let mut shown = 0;
    for (lines, pairs) in &answers {
        let mut sources: BTreeMap<&Vec<usize>, Vec<usize>> = BTreeMap::new();
        for (from, to) in pairs {
            sources.entry(to).or_default().push(*from);
        }
        for (to, from) in sources {
            let names = |parties: &[usize]| parties.iter().map(name).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "  {} → {}", names(&from), names(to));
        }
        for line in lines.iter().flat_map(|line| wrap(line, WIDTH - 6)) {
            let _ = writeln!(text, "      {line}");
        }
        shown += pairs.len() + lines.len();
        if shown > MAX_LINES {
            text.push_str("  … and more: see --html or -o json\n");
            break;
        }
    }
}

/// `8080/TCP: GET /metrics`; `None` if nothing passes.
fn line(port: &PortClass, outcome: &Outcome) -> Option<String> {
    let label = &port.label;
    match outcome.reach {
        Reach::All => Some(format!("{label}: everything")),
        Reach::Some if outcome.passing.is_empty() => Some(format!("{label}: connections, no example of what passes")),
        Reach::Some => {
            let passing = outcome.passing.iter().map(|passing| match &passing.rule {
                Some(rule) => format!("{} ({rule})", passing.what),
                None => passing.what.clone(),
            });
            Some(format!("{label}: {}", passing.collect::<Vec<_>>().join(", ")))
        }
        Reach::None | Reach::Unasked => None,
    }
}

fn members(text: &mut String, parties: &[Party], style: Style) {
    let mut classes = parties.iter().filter(|party| party.members.len() > 1).peekable();
    if classes.peek().is_some() {
        let _ = writeln!(text, "\n{}", style.heading("The same to every policy"));
    }
    for party in classes {
        let line = format!("{}: {}", party.full_name(), party.members.join(", "));
        for line in wrap(&line, WIDTH - 2) {
            let _ = writeln!(text, "  {line}");
        }
    }
}

//! The whole walkthrough: who they are, and what was held against the question.

use std::fmt::Write as _;

use policy_core::Direction;

use crate::{
    output::{Style, wrap},
    trace::{
        report::{Described, Effect, Places, Row, Side, file_and_line},
        text::WIDTH,
    },
};

/// Everybody once: sides share their ends.
pub(super) fn render_parties(text: &mut String, sides: &[Side], style: Style) {
    let mut parties: Vec<&Described> = Vec::new();
    let ends = sides.iter().flat_map(|side| match side.direction {
        Direction::Egress => [&side.subject, &side.peer],
        Direction::Ingress => [&side.peer, &side.subject],
    });
    for party in ends {
        if !parties.iter().any(|known| known.name == party.name) {
            parties.push(party);
        }
    }
    for party in parties {
        render_party(text, party, style);
    }
}

fn render_party(text: &mut String, party: &Described, style: Style) {
    let heading = style.heading(&party.name);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\n{heading}\n  {}", party.kind.words());
    for name in &party.names {
        let _ = writeln!(text, "  DNS gave its address for {}", name.trim_end_matches('.'));
    }
    let origins = party.origins.iter().map(|origin| {
        let at = origin.at.as_ref().map(file_and_line);
        at.map_or_else(|| origin.words.clone(), |at| format!("{}, {at}", origin.words))
    });
    let width = party
        .labels
        .iter()
        .map(|label| label.chars().count())
        .max()
        .unwrap_or_default();
    for (label, origin) in party.labels.iter().zip(origins) {
        let _ = writeln!(text, "  {label:<width$}  {origin}");
    }
}

/// Every rule, by policy, and what came of it.
pub(super) fn render_considered(text: &mut String, side: &Side, places: &Places, style: Style) {
    let selecting = side
        .said
        .isolated_by
        .iter()
        .chain(side.considered.iter().map(|row| &row.rule));
    if selecting.clone().next().is_none() {
        let _ = writeln!(text, "  no policy selects {} in this direction", side.subject.name);
        return;
    }
    let mut last = "";
    for row in &side.considered {
        let (object, path) = row.rule.split_once(' ').unwrap_or((&row.rule, ""));
        if object != last {
            let _ = writeln!(text, "\n  {object}{}", isolation(side, object));
            last = object;
        }
        render_row(text, row, path, places, style);
    }
}

/// Whether the rules of an object isolate the subject.
fn isolation(side: &Side, object: &str) -> &'static str {
    let of_object = |rule: &String| rule.split_once(' ').is_some_and(|(of, _)| of == object);
    if side.said.isolated_by.iter().any(of_object) {
        ", which isolates"
    } else {
        ", which does not isolate"
    }
}

fn render_row(text: &mut String, row: &Row, path: &str, places: &Places, style: Style) {
    let outcome = match (&row.missed, row.effect) {
        (Some(missed), _) => format!("missed: {missed}"),
        (None, Effect::Allow) => style.good("matches"),
        (None, Effect::Deny) => style.bad("matches, and denies"),
    };
    let line = places
        .line(&row.rule)
        .map_or_else(String::new, |line| format!("  {line}"));
    let _ = writeln!(text, "    {path}{line}");
    for line in wrap(&outcome, WIDTH - 6) {
        let _ = writeln!(text, "      {line}");
    }
}

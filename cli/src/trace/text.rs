//! A trace for people.

use std::fmt::Write as _;

use policy_core::{Direction, Layer, Reason, bundle::Authentication};

use super::report::{ChangedHeader, Described, Nearest, Side, Trace, Would};
use crate::{
    judge::Answer,
    output::{Style, wrap},
};

/// How wide the text gets.
const WIDTH: usize = 110;
/// Where values start.
const INDENT: usize = 15;

/// The reasons of a denial that comes from what no rule allows.
const UNALLOWED: [Reason; 6] = [
    Reason::DefaultDeny,
    Reason::NoHttpRuleMatches,
    Reason::NoDnsRuleMatches,
    Reason::NoKafkaRuleMatches,
    Reason::ServerNameNotAllowed,
    Reason::WrongProtocol,
];

/// Several lines: the verdict on the question, what each side says, and who they are.
pub(super) fn render(trace: &Trace, style: Style) -> String {
    let Trace {
        from,
        to,
        protocol,
        port,
        http,
        sni,
        kafka,
        dns,
        authenticated,
        answer,
        explanation,
        sides,
    } = trace;
    let shown = [("TLS", sni), ("", http), ("Kafka", kafka), ("DNS", dns)];
    let shown = shown.map(|(what, value)| value.as_ref().map(|value| format!("{what} {value}").trim().to_owned()));
    let question = [Some(format!("{from} → {to}  {port}/{protocol}"))]
        .into_iter()
        .chain(shown);
    let question = question.flatten().collect::<Vec<String>>().join("  ");
    let question = style.heading(&question);
    let mut text = format!("{}{}  {question}\n", word(answer, style), would_be(answer, style));
    for (direction, end) in [(Direction::Egress, from), (Direction::Ingress, to)] {
        let mut asked = sides.iter().filter(|side| side.direction == direction).peekable();
        if asked.peek().is_none() && !sides.is_empty() {
            let heading = style.heading(&format!("{direction} of {end}"));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\n{heading}\n  not asked: it is outside the cluster");
        }
        asked.for_each(|side| render_side(&mut text, side, *authenticated, style));
    }
    if sides.is_empty() {
        let _ = writeln!(text, "\n  {explanation}");
    } else {
        let _ = writeln!(text, "\n{}", style.heading("labels"));
        render_parties(&mut text, sides);
    }
    text
}

/// Everybody once: sides share their ends.
fn render_parties(text: &mut String, sides: &[Side]) {
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
        let _ = writeln!(text, "  {}", party.name);
        for line in wrap(&party.labels.join(" "), WIDTH - 4) {
            let _ = writeln!(text, "    {line}");
        }
    }
}

fn render_side(text: &mut String, side: &Side, authenticated: bool, style: Style) {
    let Side {
        direction,
        subject,
        peer,
        port,
        answer,
        explanation,
        isolated_by,
        nearest,
        would,
        header_changes,
        inspects_requests,
        inspects_server_name,
    } = side;
    let (subject, peer) = (&subject.name, &peer.name);
    let heading = match direction {
        Direction::Egress => format!("egress of {subject} to {peer}, port {port}"),
        Direction::Ingress => format!("ingress of {subject} from {peer}, port {port}"),
    };
    let _ = writeln!(text, "\n{}", style.heading(&heading));
    field(text, "verdict", &format!("{}: {explanation}", verdict(answer, style)));
    // The rule of a default deny is only one of those that isolate.
    if let Some(rule) = answer
        .rule
        .as_ref()
        .filter(|_| answer.reason != Reason::DefaultDeny.as_str())
    {
        field(text, "rule", rule);
    }
    if let Some(rule) = &answer.conflicts_with {
        field(text, "conflicts with", rule);
    }
    if let Some(mode) = answer.auth {
        field(text, "authentication", authentication(mode, authenticated));
    }
    // What makes a missing allow a denial.
    if UNALLOWED.iter().any(|reason| reason.as_str() == answer.reason) {
        for (i, rule) in isolated_by.iter().enumerate() {
            field(text, if i == 0 { "isolated by" } else { "" }, rule);
        }
    }
    if let Some(Nearest { rule, missed }) = nearest {
        field(text, "nearest allow", rule);
        field(text, "", &format!("missed: {missed}"));
    }
    if let Some(Would {
        answer, explanation, ..
    }) = would
    {
        field(
            text,
            "as if enforced",
            &format!("{}: {explanation}", verdict(answer, style)),
        );
        if let Some(rule) = &answer.rule {
            field(text, "", rule);
        }
    }
    for ChangedHeader { header, change, value } in header_changes {
        let value = value.as_ref().map_or_else(String::new, |value| format!(": {value}"));
        field(text, "header", &format!("{change} {header}{value}"));
    }
    let notes = [
        (
            *inspects_requests,
            "requests are decided one by one; ask about one with --http",
        ),
        (
            *inspects_server_name,
            "the TLS server name decides; ask about one with --sni",
        ),
    ];
    for (_, note) in notes.iter().filter(|(applies, _)| *applies) {
        field(text, "note", note);
    }
}

/// What a mode asks for, and why it is met or not.
fn authentication(mode: Authentication, authenticated: bool) -> &'static str {
    match (mode, authenticated) {
        (Authentication::Disabled, _) => "disabled: the peer need not have proven who it is",
        (Authentication::Required, true) => {
            "required: needs an authenticated peer, which this one counts as without --unauthenticated"
        }
        (Authentication::Required, false) => "required: needs an authenticated peer, which this one is not",
        (Authentication::TestAlwaysFail, _) => "test-always-fail: no proof is ever enough",
    }
}

/// `allow at l7`.
fn verdict(answer: &Answer, style: Style) -> String {
    let word = word(answer, style);
    match answer.layer {
        Some(layer @ (Layer::L4 | Layer::L7)) => format!("{word} at {}", layer.as_str()),
        Some(Layer::L3) | None => word,
    }
}

/// What the verdict would be if audit were off, if that is another one.
fn would_be(answer: &Answer, style: Style) -> String {
    match &answer.would {
        Some(would) if would.allows() != answer.allows() => format!(" (as if enforced: {})", word(would, style)),
        Some(_) | None => String::new(),
    }
}

fn word(answer: &Answer, style: Style) -> String {
    let word = answer.verdict.as_str();
    if answer.allows() {
        style.good(word)
    } else {
        style.bad(word)
    }
}

fn field(text: &mut String, name: &str, value: &str) {
    let mut name = name;
    for line in wrap(value, WIDTH - INDENT - 2) {
        let _ = writeln!(text, "  {name:<INDENT$}{line}");
        name = "";
    }
}

//! A trace for people: the verdict and its reasons, and if wanted the whole way to them.

mod full;

use std::fmt::Write as _;

use policy_core::{Direction, Layer, Reason, bundle::Authentication};

use super::report::{ChangedHeader, Nearest, Places, Said, Side, Trace};
use crate::{
    args::Explain,
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

/// Several lines: the verdict on the question, and what each side says; in full also who they are, where their labels
/// come from, and every rule that was considered.
pub(super) fn render(trace: &Trace, explain: Explain, style: Style) -> String {
    let Trace {
        from,
        to,
        service,
        answer,
        explanation,
        sides,
        places,
        ..
    } = trace;
    let question = style.heading(&question(trace));
    let mut text = format!("{}{}  {question}\n", word(answer, style), would_be(answer, style));
    if let Some(service) = service {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{to} is the service {service}");
    }
    if sides.is_empty() {
        let _ = writeln!(text, "\n  {explanation}");
        return text;
    }
    if explain == Explain::Full {
        full::render_parties(&mut text, sides, style);
    }
    for (direction, end) in [(Direction::Egress, from), (Direction::Ingress, to)] {
        let mut asked = sides.iter().filter(|side| side.direction == direction).peekable();
        if asked.peek().is_none() {
            let heading = style.heading(&format!("{direction} of {end}"));
            let _ = writeln!(text, "\n{heading}\n  not asked: it is outside the cluster");
        }
        for side in asked {
            render_side(&mut text, side, trace.authenticated, places, style);
            if explain == Explain::Full {
                full::render_considered(&mut text, side, places, style);
            }
        }
    }
    text
}

/// `from → to  80/TCP  GET /`.
fn question(trace: &Trace) -> String {
    let Trace {
        from,
        to,
        protocol,
        port,
        http,
        sni,
        kafka,
        dns,
        ..
    } = trace;
    let shown = [("TLS", sni), ("", http), ("Kafka", kafka), ("DNS", dns)];
    let shown = shown.map(|(what, value)| value.as_ref().map(|value| format!("{what} {value}").trim().to_owned()));
    let question = [Some(format!("{from} → {to}  {port}/{protocol}"))]
        .into_iter()
        .chain(shown);
    question.flatten().collect::<Vec<String>>().join("  ")
}

fn render_side(text: &mut String, side: &Side, authenticated: bool, places: &Places, style: Style) {
    let Side {
        direction,
        subject,
        peer,
        port,
        said,
        would,
        header_changes,
        inspects_requests,
        inspects_server_name,
        ..
    } = side;
    let (subject, peer) = (&subject.name, &peer.name);
    let heading = match direction {
        Direction::Egress => format!("egress of {subject} to {peer}, port {port}"),
        Direction::Ingress => format!("ingress of {subject} from {peer}, port {port}"),
    };
    let _ = writeln!(text, "\n{}", style.heading(&heading));
    why(text, "verdict", said, places, style);
    if let Some(mode) = said.answer.auth {
        field(text, "authentication", authentication(mode, authenticated));
    }
    if let Some(would) = would {
        why(text, "as if enforced", would, places, style);
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

/// A verdict and what led to it.
fn why(text: &mut String, name: &str, said: &Said, places: &Places, style: Style) {
    let Said {
        answer,
        explanation,
        isolated_by,
        nearest,
    } = said;
    field(text, name, &format!("{}: {explanation}", verdict(answer, style)));
    // The rule of a default deny is only one of those that isolate.
    let is_default = answer.reason == Reason::DefaultDeny.as_str();
    if let Some(name) = answer.rule.as_ref().filter(|_| !is_default) {
        rule(text, "rule", name, places);
    }
    if let Some(name) = &answer.conflicts_with {
        rule(text, "conflicts with", name, places);
    }
    // What makes a missing allow a denial.
    if UNALLOWED.iter().any(|reason| reason.as_str() == answer.reason) {
        for (i, rule) in isolated_by.iter().enumerate() {
            let line = places.line(rule).map_or_else(String::new, |line| format!("  {line}"));
            field(text, if i == 0 { "isolated by" } else { "" }, &format!("{rule}{line}"));
        }
    }
    if let Some(Nearest { rule: name, missed, .. }) = nearest {
        rule(text, "nearest allow", name, places);
        field(text, "", &format!("missed: {missed}"));
    }
}

/// A rule, and below it the line where it stands.
fn rule(text: &mut String, name: &str, rule: &str, places: &Places) {
    field(text, name, rule);
    if let Some(excerpt) = places.excerpt(rule) {
        field(text, "", &excerpt);
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

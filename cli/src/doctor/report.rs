//! What comes out: for people, and for programs.

use std::fmt::Write as _;

use policy_compiler::Severity;
use serde::Serialize;

use super::{
    envoy::{Listener, Snapshot},
    finding::Finding,
    json::Json as _,
};
use crate::output::{Style, Summary, wrap};

/// How wide the text gets.
const WIDTH: usize = 110;

/// The answer.
#[derive(Serialize)]
pub(super) struct Report {
    /// No errors.
    pub(super) healthy: bool,
    #[serde(flatten)]
    pub(super) summary: Summary,
    pub(super) envoy: About,
    pub(super) listeners: Vec<Examined>,
    pub(super) findings: Vec<Finding>,
}

/// Which Envoy answered; empty if nobody knows.
#[derive(Serialize)]
pub(super) struct About {
    pub(super) version: String,
    pub(super) state: String,
}

/// A listener that was looked at.
#[derive(Serialize)]
pub(super) struct Examined {
    pub(super) name: String,
    pub(super) address: String,
    /// No error is about it.
    pub(super) guarded: bool,
}

impl Report {
    /// What was found in these listeners.
    pub(super) fn new(snapshot: &Snapshot, listeners: &[Listener<'_>], findings: Vec<Finding>) -> Self {
        let count = |severity| {
            findings
                .iter()
                .filter(|finding| finding.fault.severity == severity)
                .count()
        };
        let summary = Summary {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: 0,
        };
        let examined = listeners.iter().map(|listener| Examined {
            name: listener.name.clone(),
            address: listener.address.clone(),
            guarded: !findings
                .iter()
                .any(|finding| finding.is_error() && finding.listeners.contains(&listener.name)),
        });
        Self {
            healthy: summary.errors == 0,
            summary,
            envoy: About {
                version: snapshot.server.text("/version").to_owned(),
                state: snapshot.server.text("/state").to_owned(),
            },
            listeners: examined.collect(),
            findings,
        }
    }

    /// What is wrong, then a line for each listener. If nothing is wrong there are only these.
    pub(super) fn render(&self, style: Style) -> String {
        let mut text: String = self
            .findings
            .iter()
            .map(|finding| render(finding, style) + "\n")
            .collect();
        let width = |of: fn(&Examined) -> &String| self.listeners.iter().map(|listener| of(listener).len()).max();
        let width = width(|listener| &listener.name).unwrap_or_default();
        for Examined { name, address, guarded } in &self.listeners {
            let word = if *guarded {
                style.good("guarded    ")
            } else {
                style.bad("not guarded")
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{word}  {name:<width$}  {address}");
        }
        if !self.findings.is_empty() {
            let word = if self.healthy {
                style.good("healthy")
            } else {
                style.bad("unhealthy")
            };
            let _ = writeln!(text, "{word}: {}", self.summary);
        }
        text
    }
}

/// In the form of the compiler's messages.
fn render(finding: &Finding, style: Style) -> String {
    let Finding {
        fault,
        listeners,
        place,
        message,
    } = finding;
    let head = format!("{}[{}]", fault.severity, fault.code);
    let head = match fault.severity {
        Severity::Error => style.bad(&head),
        Severity::Warning | Severity::Note => style.heading(&head),
    };
    let place = match (listeners.join(", "), place.as_str()) {
        (listeners, "") => listeners,
        (listeners, place) => format!("{listeners}: {place}"),
    };
    let mut text = String::new();
    let _ = writeln!(text, "{head}: {message}");
    for (mark, words) in [
        ("  --> ", place.as_str()),
        ("   = note: ", fault.consequence),
        ("   = help: ", fault.remedy),
    ] {
        if words.is_empty() {
            continue;
        }
        for (line, words) in wrap(words, WIDTH - mark.len()).iter().enumerate() {
            let mark = if line == 0 {
                mark.to_owned()
            } else {
                " ".repeat(mark.len())
            };
            let _ = writeln!(text, "{mark}{words}");
        }
    }
    text
}

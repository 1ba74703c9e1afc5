//! Where the rules of an answer stand.

use std::collections::BTreeMap;

use policy_compiler::{Compiled, Location};
use policy_core::RuleRef;
use serde::Serialize;

/// The places of rules, by their references.
#[derive(Serialize, Default)]
#[serde(transparent)]
pub(in crate::trace) struct Places(BTreeMap<String, Place>);

/// The place of a rule.
#[derive(Serialize)]
pub(in crate::trace) struct Place {
    #[serde(flatten)]
    location: Location,
    /// The line, without the blanks around it.
    text: String,
}

impl Places {
    /// Finds a rule, if it stands anywhere.
    pub(super) fn add(&mut self, compiled: &Compiled, rule: &RuleRef) {
        if let Some(location) = compiled.locate(rule) {
            let text = line_of(&location).trim().to_owned();
            self.0.insert(rule.as_str().to_owned(), Place { location, text });
        }
    }

    pub(in crate::trace) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `file:line`.
    pub(in crate::trace) fn line(&self, rule: &str) -> Option<String> {
        self.0.get(rule).map(|place| file_and_line(&place.location))
    }

    /// `file:line: text of the line`.
    pub(in crate::trace) fn excerpt(&self, rule: &str) -> Option<String> {
        let place = self.0.get(rule)?;
        Some(format!("{}: {}", file_and_line(&place.location), place.text))
    }
}

/// `file:line`.
pub(in crate::trace) fn file_and_line(location: &Location) -> String {
    format!("{}:{}", location.source().name(), location.line())
}

fn line_of(location: &Location) -> &str {
    let mut lines = location.source().text().lines();
    lines.nth(location.line().saturating_sub(1)).unwrap_or_default()
}

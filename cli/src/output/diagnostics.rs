//! Diagnostics for people.

use std::fmt;

use policy_compiler::{Diagnostic, Severity};
use serde::Serialize;

use super::Style;

/// All diagnostics with their source lines, a blank line after each.
pub(crate) fn render(diagnostics: &[Diagnostic], style: Style) -> String {
    diagnostics
        .iter()
        .map(|diagnostic| diagnostic.render(style.is_coloured()) + "\n\n")
        .collect()
}

/// How many there are of what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) notes: usize,
}

impl Summary {
    /// Counts.
    pub(crate) fn of(diagnostics: &[Diagnostic]) -> Self {
        let count = |severity| {
            diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.severity == severity)
                .count()
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
        }
    }
}

impl fmt::Display for Summary {
    /// `2 errors, 1 warning`; notes are only mentioned when there are some.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}",
            counted(self.errors, "error"),
            counted(self.warnings, "warning")
        )?;
        if self.notes > 0 {
            write!(f, ", {}", counted(self.notes, "note"))
        } else {
            Ok(())
        }
    }
}

/// `no errors`, `1 error`, `2 errors`.
fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_counts_in_words() {
        for (errors, warnings, notes, want) in [
            (0, 0, 0, "no errors, no warnings"),
            (1, 2, 0, "1 error, 2 warnings"),
            (2, 1, 1, "2 errors, 1 warning, 1 note"),
        ] {
            assert_eq!(
                Summary {
                    errors,
                    warnings,
                    notes
                }
                .to_string(),
                want
            );
        }
    }
}

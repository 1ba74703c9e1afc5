//! Syntax errors, in words for people who do not know how a YAML parser works.

use std::sync::Arc;

use saphyr_parser::ScanError;

use super::chunks::Chunk;
use crate::{
    diagnostic::{Code, Diagnostic, Severity},
    source::{Location, Source, Span},
};

/// Why a document cannot be read.
pub(super) struct Problem {
    span: Span,
    message: String,
    help: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            help: None,
        }
    }

    /// An error of the parser. It talks of tokens; the mistakes people really make get a hint.
    pub(super) fn scan(chunk: &Chunk<'_>, error: &ScanError) -> Self {
        let span = chunk.visible(chunk.offset(*error.marker()));
        let info = error.info();
        if info.contains("tab")
            && let Some(at) = chunk.tab_in_indentation(span.start)
        {
            return Self {
                span: Span { start: at, end: at + 1 },
                message: "not YAML: a tab in the indentation".into(),
                help: Some("indent with blanks"),
            };
        }
        let help = if info.contains("mapping values") {
            Some("quote a value that contains `: `, or check that the lines of one map start in the same column")
        } else if info.contains("indent") || info.contains("block") || info.contains("simple key") {
            Some("the lines of one list or map start in the same column, and a key ends with `:`")
        } else {
            None
        };
        Self {
            span,
            message: format!("not YAML: {info}"),
            help,
        }
    }

    pub(super) fn diagnostic(self, source: &Arc<Source>) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(Severity::Error, Code::SYNTAX, self.message);
        diagnostic.location = Some(Location::new(Arc::clone(source), self.span));
        diagnostic.help = self.help.map(str::to_owned);
        diagnostic
    }
}

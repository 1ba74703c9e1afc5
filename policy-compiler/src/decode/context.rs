//! What decoding one object has to say.

use std::sync::Arc;

use super::Cursor;
use crate::{
    diagnostic::{Code, Diagnostic, ObjectRef, Severity},
    options::{CompileOptions, Validation},
    source::{Location, Source},
};

/// The object being decoded, and the messages about it so far.
pub(crate) struct Context<'o> {
    pub(crate) options: &'o CompileOptions,
    object: ObjectRef,
    source: Option<Arc<Source>>,
    diagnostics: Vec<Diagnostic>,
}

impl<'o> Context<'o> {
    pub(crate) fn new(options: &'o CompileOptions, object: ObjectRef, source: Option<Arc<Source>>) -> Self {
        Self {
            options,
            object,
            source,
            diagnostics: Vec::new(),
        }
    }

    pub(crate) fn object(&self) -> &ObjectRef {
        &self.object
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// The messages in the order in which a reader of the source comes upon them.
    pub(crate) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        self.diagnostics
            .sort_by_key(|diagnostic| diagnostic.location.as_ref().map(|at| at.span().start));
        self.diagnostics
    }

    /// Whether the rules of the API server hold too.
    pub(crate) fn at_cluster(&self) -> bool {
        self.options.validation == Validation::Cluster
    }

    pub(crate) fn error(&mut self, at: &Cursor<'_>, code: Code, message: impl Into<String>) -> &mut Diagnostic {
        self.report(Severity::Error, at, code, message)
    }

    pub(crate) fn warning(&mut self, at: &Cursor<'_>, code: Code, message: impl Into<String>) -> &mut Diagnostic {
        self.report(Severity::Warning, at, code, message)
    }

    pub(crate) fn note(&mut self, at: &Cursor<'_>, code: Code, message: impl Into<String>) -> &mut Diagnostic {
        self.report(Severity::Note, at, code, message)
    }

    pub(crate) fn unsupported(&mut self, at: &Cursor<'_>, what: &str) -> &mut Diagnostic {
        self.error(at, Code::UNSUPPORTED, format!("{what} is not supported yet"))
    }

    /// A field that the schema does not have: the API server drops it, the agent never looks at it.
    pub(crate) fn unknown_field(&mut self, at: &Cursor<'_>, name: &str) -> &mut Diagnostic {
        let severity = if self.at_cluster() {
            Severity::Error
        } else {
            Severity::Warning
        };
        self.report(severity, at, Code::UNKNOWN_FIELD, format!("unknown field `{name}`"))
    }

    /// A warning to be given only if something turns out that this object alone does not tell.
    pub(crate) fn later(&self, at: &Cursor<'_>, code: Code, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Warning, at, code, message)
    }

    /// Adds a message about this object that was made before.
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn report(
        &mut self,
        severity: Severity,
        at: &Cursor<'_>,
        code: Code,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let diagnostic = self.diagnostic(severity, at, code, message);
        self.diagnostics.push_mut(diagnostic)
    }

    fn diagnostic(&self, severity: Severity, at: &Cursor<'_>, code: Code, message: impl Into<String>) -> Diagnostic {
        let location = self.source.as_ref().zip(at.span());
        let mut diagnostic = Diagnostic::new(severity, code, message);
        diagnostic.object = Some(self.object.clone());
        diagnostic.path = at.path();
        diagnostic.location = location.map(|(source, span)| Location::new(Arc::clone(source), span));
        diagnostic
    }
}

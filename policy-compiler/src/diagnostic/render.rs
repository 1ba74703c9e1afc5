//! Diagnostics as text for people: the source line and a caret.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Severity};
use crate::source::Location;

impl Diagnostic {
    /// Several lines of text, without a final line break: what is wrong, where, and what to do.
    ///
    /// Without `colour` the output is stable: the same diagnostic gives the same bytes.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let excerpt = self.location.as_ref().map(Excerpt::new);
        let title = level.primary_title(&*self.message).id(self.code.as_str());
        let mut group = Group::with_title(title);
        if let Some(excerpt) = &excerpt {
            group = group.element(excerpt.snippet(&self.path));
        }
        let place = self.place(excerpt.is_some());
        if let Some(place) = &place {
            group = group.element(Level::NOTE.message(&**place));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(&**help));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group]).to_string()
    }

    /// The object, and the path unless the source line already shows it.
    fn place(&self, path_is_shown: bool) -> Option<String> {
        match (&self.object, self.path.as_str()) {
            (None, "") => None,
            (None, path) => (!path_is_shown).then(|| format!("at {path}")),
            (Some(object), "") => Some(format!("in {object}")),
            (Some(object), _) if path_is_shown => Some(format!("in {object}")),
            (Some(object), path) => Some(format!("in {object}, at {path}")),
        }
    }
}

/// The line that a location is on. A location of several lines is cut at the end of the first: a caret under a
/// field name says more than a bracket along a whole rule.
struct Excerpt<'a> {
    name: &'a str,
    line: &'a str,
    number: usize,
    start: usize,
    end: usize,
}

impl<'a> Excerpt<'a> {
    fn new(at: &'a Location) -> Self {
        let (text, span) = (at.source().text(), at.span());
        let (before, after) = text.split_at_checked(span.start).unwrap_or((text, ""));
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = after.find('\n').map_or(text.len(), |at| span.start + at);
        let line = text.get(line_start..line_end).unwrap_or_default();
        let start = span.start - line_start;
        let end = span.end.min(line_end) - line_start;
        Self {
            name: at.source().name(),
            line,
            number: at.line(),
            start,
            end: end.max(start),
        }
    }

    fn snippet(&self, label: &'a str) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let mut annotation = AnnotationKind::Primary.span(self.start..self.end);
        if !label.is_empty() {
            annotation = annotation.label(label);
        }
        Snippet::source(self.line)
            .path(self.name)
            .line_start(self.number)
            .annotation(annotation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostic::{Code, ObjectRef},
        source::{Source, Span},
    };

    #[test]
    fn a_diagnostic_shows_its_line() {
        let source = Source::new("web.yaml", "spec:\n  ingress:\n  - fromEntities: [wrld]\n");
        let mut diagnostic = Diagnostic::new(Severity::Error, Code::B3, "unknown entity `wrld`");
        diagnostic.help("did you mean `world`?");
        diagnostic.path = "spec.ingress[0].fromEntities[0]".into();
        diagnostic.object = Some(ObjectRef {
            kind: "CiliumNetworkPolicy".into(),
            namespace: "shop".into(),
            name: "web".into(),
        });
        assert_eq!(
            diagnostic.render(false),
            "error[B3]: unknown entity `wrld`\n |\n = note: in CiliumNetworkPolicy/shop/web, at \
             spec.ingress[0].fromEntities[0]\n = help: did you mean `world`?"
        );
        diagnostic.location = Some(Location::new(source, Span { start: 36, end: 40 }));
        assert_eq!(
            diagnostic.to_string(),
            "web.yaml:3:20: error[B3]: CiliumNetworkPolicy/shop/web: spec.ingress[0].fromEntities[0]: unknown entity `wrld`"
        );
        assert_eq!(
            diagnostic.render(false),
            "error[B3]: unknown entity `wrld`\n --> web.yaml:3:20\n  |\n3 |   - fromEntities: [wrld]\n  |                    \
             ^^^^ spec.ingress[0].fromEntities[0]\n  |\n  = note: in CiliumNetworkPolicy/shop/web\n  = help: did you \
             mean `world`?"
        );
    }
}

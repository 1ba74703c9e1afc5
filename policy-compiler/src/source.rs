//! Where text came from, for messages that point at it.

use std::sync::Arc;

/// A text with a name: a file, standard input, …
#[derive(PartialEq, Eq, Debug)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// A text by the name that messages use for it.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
        })
    }

    /// The name, usually a path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A range of bytes of a [`Source`]; may be empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

/// A place in a source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    source: Arc<Source>,
    span: Span,
}

impl Location {
    /// The place of these bytes. A span that leaves the text, or starts or ends inside a character, is narrowed.
    pub fn new(source: Arc<Source>, span: Span) -> Self {
        let start = source.text.floor_char_boundary(span.start);
        let end = source.text.floor_char_boundary(span.end.max(start));
        Self {
            source,
            span: Span { start, end },
        }
    }

    /// The source.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The bytes.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.before().matches('\n').count() + 1
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> usize {
        let line_start = self.before().rfind('\n').map_or(0, |at| at + 1);
        self.before().get(line_start..).unwrap_or_default().chars().count() + 1
    }

    fn before(&self) -> &str {
        self.source.text.get(..self.span.start).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let source = Source::new("a.yaml", "é: 1\nbb: 2\n");
        for (start, line, column, why) in [
            (0, 1, 1, "the very first byte"),
            (2, 1, 2, "after a two-byte character"),
            (1, 1, 1, "inside a character is narrowed to its start"),
            (6, 2, 1, "after a line break"),
            (10, 2, 5, "in the second line"),
            (99, 3, 1, "beyond the end is the end"),
        ] {
            let at = Location::new(Arc::clone(&source), Span { start, end: start });
            assert_eq!((at.line(), at.column()), (line, column), "{why}");
        }
    }
}

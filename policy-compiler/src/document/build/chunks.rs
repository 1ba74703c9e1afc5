//! A YAML stream cut at its `---` lines, so that an error in one document does not hide the others.

use saphyr_parser::Marker;

use crate::source::Span;

/// One document of a stream, with what leads to it.
pub(super) struct Chunk<'a> {
    pub(super) text: &'a str,
    /// Where the text starts in its source.
    base: usize,
    /// Byte offset of every character; empty when they are the same.
    offsets: Vec<usize>,
}

/// Cuts a stream. Comments and directives stay with the document that follows them.
pub(super) fn split(text: &str) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let (mut start, mut at, mut has_content) = (0, 0, false);
    for line in text.split_inclusive('\n') {
        if is_marker(line) && has_content {
            chunks.extend(text.get(start..at).map(|text| Chunk::new(text, start)));
            start = at;
            has_content = false;
        }
        has_content |= is_content(line);
        at += line.len();
    }
    chunks.extend(text.get(start..).map(|text| Chunk::new(text, start)));
    chunks
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

fn is_content(line: &str) -> bool {
    let line = if is_marker(line) {
        line.get(3..).unwrap_or_default()
    } else {
        line
    };
    !matches!(line.trim_start().chars().next(), None | Some('#')) && !line.starts_with('%')
}

impl<'a> Chunk<'a> {
    fn new(text: &'a str, base: usize) -> Self {
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(at, _)| at).collect()
        };
        Self { text, base, offsets }
    }

    /// The parser counts characters from the start of the chunk, we count bytes from the start of the source.
    pub(super) fn offset(&self, marker: Marker) -> usize {
        let within = if self.offsets.is_empty() {
            Some(marker.index())
        } else {
            self.offsets.get(marker.index()).copied()
        };
        self.base + within.unwrap_or(self.text.len()).min(self.text.len())
    }

    pub(super) fn span(&self, span: saphyr_parser::Span) -> Span {
        Span {
            start: self.offset(span.start),
            end: self.offset(span.end),
        }
    }

    /// A place that a caret can show: this byte of the source, or the last character before it if nothing follows.
    pub(super) fn visible(&self, offset: usize) -> Span {
        let (before, after) = self
            .text
            .split_at_checked(offset - self.base)
            .unwrap_or((self.text, ""));
        if !after.trim().is_empty() {
            return Span {
                start: offset,
                end: offset,
            };
        }
        let text = before.trim_end();
        let last = text.chars().next_back().map_or(0, char::len_utf8);
        Span {
            start: self.base + text.len() - last,
            end: self.base + text.len(),
        }
    }

    /// The first tab that a line starts with, at or after the line of this byte of the source.
    pub(super) fn tab_in_indentation(&self, offset: usize) -> Option<usize> {
        let (before, _) = self.text.split_at_checked(offset.checked_sub(self.base)?)?;
        let mut at = before.rfind('\n').map_or(0, |at| at + 1);
        for line in self.text.get(at..)?.split_inclusive('\n') {
            let blanks = line.len() - line.trim_start_matches(' ').len();
            if line.get(blanks..)?.starts_with('\t') {
                return Some(self.base + at + blanks);
            }
            at += line.len();
        }
        None
    }

    /// The parser ends a block where the next token starts; people end it after its last character.
    pub(super) fn trim_end(&self, start: usize, end: usize) -> usize {
        let text = self.text.get(start - self.base..end - self.base).unwrap_or_default();
        start + text.trim_end().len()
    }
}

//! A position in the source of a pattern.

use core::str::Chars;

use super::error::{PatternError, PatternErrorKind};

/// Reads a source from left to right and knows the byte offset it has reached.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    chars: Chars<'a>,
    len: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            chars: source.chars(),
            len: source.len(),
        }
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'a str {
        self.chars.as_str()
    }

    /// The byte offset of the next character.
    pub(super) fn offset(&self) -> usize {
        self.len - self.rest().len()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.clone().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        self.chars.next()
    }

    /// Reads `text` if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest().strip_prefix(text);
        if let Some(rest) = rest {
            self.chars = rest.chars();
        }
        rest.is_some()
    }

    /// Reads up to and including `end`, and returns what came before it; reads nothing if there is no `end`.
    pub(super) fn eat_until(&mut self, end: &str) -> Option<&'a str> {
        let (text, rest) = self.rest().split_once(end)?;
        self.chars = rest.chars();
        Some(text)
    }

    /// Reads the longest run of ASCII digits.
    pub(super) fn digits(&mut self) -> &'a str {
        let rest = self.rest();
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        self.chars = after.chars();
        rest.strip_suffix(after).unwrap_or_default()
    }

    /// An error about what comes next.
    pub(super) fn error(&self, kind: PatternErrorKind) -> PatternError {
        PatternError::new(self.offset(), kind)
    }
}

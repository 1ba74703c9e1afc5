//! From the source of a pattern to its meaning, accepting exactly what RE2 accepts, less what the engine refuses.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use super::class;
use super::cursor::Cursor;
use super::error::{PatternError, PatternErrorKind as Kind};
use super::escape::escaped_rune;
use super::hir::{Look, Node};
use super::runes::{RuneSet, add_folded};

/// The largest repetition bound, and the largest product of nested ones.
const MAX_REPEAT: u32 = 1000;

/// How deep groups may nest. Every walk over a [`Node`] recurses, so this bounds the stack.
const MAX_DEPTH: usize = 100;

/// Parses a whole pattern.
pub(super) fn parse(source: &str) -> Result<Node, PatternError> {
    let mut parser = Parser {
        cursor: Cursor::new(source),
        flags: Flags::default(),
        outer: Vec::new(),
        branches: Branches::default(),
        after_repetition: false,
    };
    while let Some(c) = parser.cursor.peek() {
        parser.token(c)?;
    }
    match parser.outer.pop() {
        Some(group) => Err(PatternError::new(group.offset, Kind::UnclosedGroup)),
        None => Ok(parser.branches.finish()),
    }
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    flags: Flags,
    /// The groups around the one being read, outermost first.
    outer: Vec<OuterGroup>,
    branches: Branches,
    /// Whether the previous token was a repetition operator.
    after_repetition: bool,
}

/// The flags that change which texts match; `(?U)` only changes captures.
#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    multi_line: bool,
    dot_newline: bool,
}

/// What waits while an inner group is read: restored at its `)`.
struct OuterGroup {
    offset: usize,
    flags: Flags,
    branches: Branches,
}

#[derive(Default)]
struct Branches {
    done: Vec<Node>,
    current: Vec<Node>,
}

impl Branches {
    fn next(&mut self) {
        self.done.push(Node::concat(mem::take(&mut self.current)));
    }

    fn finish(mut self) -> Node {
        self.next();
        Node::alternate(self.done)
    }
}

impl Parser<'_> {
    /// Reads one token, which begins with `c`.
    fn token(&mut self, c: char) -> Result<(), PatternError> {
        let stacked = mem::take(&mut self.after_repetition);
        let start = self.cursor.offset();
        match c {
            '\\' => return self.escape(),
            '[' => {
                let set = class::bracketed(&mut self.cursor, self.flags.fold)?;
                self.branches.current.push(Node::Class(set));
                return Ok(());
            }
            '{' => {
                if let Some((min, max)) = bounds(&mut self.cursor) {
                    return self.repeat(start, stacked, min, max);
                }
            }
            _ => {}
        }
        self.cursor.next();
        match c {
            '(' => return self.open_group(start),
            ')' => return self.close_group(start),
            '*' => return self.repeat(start, stacked, 0, None),
            '+' => return self.repeat(start, stacked, 1, None),
            '?' => return self.repeat(start, stacked, 0, Some(1)),
            '|' => self.branches.next(),
            '^' => self.look(if self.flags.multi_line {
                Look::LineStart
            } else {
                Look::TextStart
            }),
            '$' => self.look(if self.flags.multi_line {
                Look::LineEnd
            } else {
                Look::TextEnd
            }),
            '.' if self.flags.dot_newline => self.branches.current.push(Node::Class(RuneSet::any())),
            '.' => self.branches.current.push(Node::Class(RuneSet::any_but_newline())),
            _ => return self.literal(start, u32::from(c)),
        }
        Ok(())
    }

    fn look(&mut self, look: Look) {
        self.branches.current.push(Node::Look(look));
    }

    fn literal(&mut self, start: usize, rune: u32) -> Result<(), PatternError> {
        let mut variants = Vec::new();
        if self.flags.fold {
            add_folded(&mut variants, rune, rune).map_err(|_| PatternError::new(start, Kind::UnicodeFold))?;
        }
        // The rune itself is always among its variants; alone, it has none.
        let node = if variants.len() > 1 {
            Node::Class(RuneSet::of(variants))
        } else {
            Node::Rune(rune)
        };
        self.branches.current.push(node);
        Ok(())
    }

    /// Applies a repetition operator, which began at `start` and has been read, to the item before it.
    fn repeat(&mut self, start: usize, stacked: bool, min: u32, max: Option<u32>) -> Result<(), PatternError> {
        let error = |kind| Err(PatternError::new(start, kind));
        // Laziness changes captures only.
        self.cursor.eat("?");
        self.after_repetition = true;
        if stacked {
            return error(Kind::StackedRepetition);
        }
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || max < min) {
            return error(Kind::InvalidRepetition);
        }
        let Some(item) = self.branches.current.pop() else {
            return error(Kind::NothingToRepeat);
        };
        let node = Node::Repeat {
            node: Box::new(item),
            min,
            max,
        };
        if node.repeat_product() > u64::from(MAX_REPEAT) {
            return error(Kind::InvalidRepetition);
        }
        self.branches.current.push(node);
        Ok(())
    }

    /// Reads an escape sequence or a `\Q` quotation.
    fn escape(&mut self) -> Result<(), PatternError> {
        let start = self.cursor.clone();
        if self.cursor.eat("\\Q") {
            return self.quotation();
        }
        let looks = [
            ("\\A", Look::TextStart),
            ("\\z", Look::TextEnd),
            ("\\b", Look::WordBoundary),
            ("\\B", Look::NotWordBoundary),
        ];
        if let Some((_, look)) = looks.into_iter().find(|(text, _)| self.cursor.eat(text)) {
            self.look(look);
            return Ok(());
        }
        if self.cursor.eat("\\C") {
            return Err(start.error(Kind::AnyByte));
        }
        if let Some(group) = class::perl(&mut self.cursor)? {
            self.branches.current.push(Node::Class(group.resolve(self.flags.fold)));
            return Ok(());
        }
        let rune = escaped_rune(&mut self.cursor)?;
        self.literal(start.offset(), rune)
    }

    /// Reads literal text up to `\E`, or else up to the end of the source.
    fn quotation(&mut self) -> Result<(), PatternError> {
        while !self.cursor.eat("\\E") {
            let start = self.cursor.offset();
            match self.cursor.next() {
                Some(c) => self.literal(start, u32::from(c))?,
                None => break,
            }
        }
        Ok(())
    }

    /// Reads what follows a `(`: a plain group, a named one, or flags with or without a group.
    fn open_group(&mut self, start: usize) -> Result<(), PatternError> {
        let mut flags = self.flags;
        if self.cursor.eat("?") {
            let looks = ["=", "!", "<=", "<!"];
            if looks.into_iter().any(|look| self.cursor.rest().starts_with(look)) {
                return Err(PatternError::new(start, Kind::LookAround));
            }
            if self.cursor.eat("P<") || self.cursor.eat("<") {
                self.group_name(start)?;
            } else {
                let opens;
                (flags, opens) = self.group_flags(start)?;
                if !opens {
                    self.flags = flags;
                    return Ok(());
                }
            }
        }
        if self.outer.len() >= MAX_DEPTH {
            return Err(PatternError::new(start, Kind::TooDeep));
        }
        let branches = mem::take(&mut self.branches);
        self.outer.push(OuterGroup {
            offset: start,
            flags: self.flags,
            branches,
        });
        self.flags = flags;
        Ok(())
    }

    /// Reads `name>`. Names may repeat: RE2 does not mind, and nothing here depends on them.
    fn group_name(&mut self, start: usize) -> Result<(), PatternError> {
        let name = self.cursor.eat_until(">").unwrap_or_default();
        if !name.is_ascii() {
            return Err(PatternError::new(start, Kind::UnicodeGroupName));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_word) {
            return Err(PatternError::new(start, Kind::InvalidGroupName));
        }
        Ok(())
    }

    /// Reads `flags)` or `flags:`, and tells whether the latter, which opens a group.
    fn group_flags(&mut self, start: usize) -> Result<(Flags, bool), PatternError> {
        let mut flags = self.flags;
        let mut negated = false;
        // A `-` must be followed by a flag.
        let mut dangling = false;
        loop {
            let c = self.cursor.next();
            match c {
                Some('i') => flags.fold = !negated,
                Some('m') => flags.multi_line = !negated,
                Some('s') => flags.dot_newline = !negated,
                Some('U') => {}
                Some('-') if !negated => negated = true,
                Some(end @ (':' | ')')) if !dangling => return Ok((flags, end == ':')),
                _ => return Err(PatternError::new(start, Kind::InvalidGroup)),
            }
            dangling = c == Some('-');
        }
    }

    fn close_group(&mut self, start: usize) -> Result<(), PatternError> {
        let Some(group) = self.outer.pop() else {
            return Err(PatternError::new(start, Kind::UnopenedGroup));
        };
        let inner = mem::replace(&mut self.branches, group.branches);
        self.branches.current.push(inner.finish());
        self.flags = group.flags;
        Ok(())
    }
}

/// Reads `{n}`, `{n,}` or `{n,m}`. Anything else, such as `{,m}`, `{01}` or ten digits, is literal text and left
/// unread.
fn bounds(cursor: &mut Cursor<'_>) -> Option<(u32, Option<u32>)> {
    let mut ahead = cursor.clone();
    ahead.eat("{");
    let min = bound(&mut ahead)?;
    let max = match ahead.eat(",") {
        false => Some(min),
        true if ahead.rest().starts_with('}') => None,
        true => Some(bound(&mut ahead)?),
    };
    ahead.eat("}").then(|| *cursor = ahead)?;
    Some((min, max))
}

fn bound(cursor: &mut Cursor<'_>) -> Option<u32> {
    let digits = cursor.digits();
    let well_formed = digits.len() <= 9 && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| well_formed)
}

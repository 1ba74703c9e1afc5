//! Character classes: `[...]`, `\d` and its kind, `[:alpha:]` and its kind.

use alloc::vec;
use alloc::vec::Vec;

use super::cursor::Cursor;
use super::error::{PatternError, PatternErrorKind as Kind};
use super::escape::escaped_rune;
use super::runes::{Ranges, RuneSet, add_folded, perl_group, posix_group};

/// Reads a bracketed class; the cursor is at its `[`.
///
/// `[`, `&`, `~` and `-` have no meaning of their own inside, other than `-` between two code points.
pub(super) fn bracketed(cursor: &mut Cursor<'_>, fold: bool) -> Result<RuneSet, PatternError> {
    let start = cursor.clone();
    cursor.eat("[");
    let negated = cursor.eat("^");
    let mut ranges = Vec::new();
    // A `]` in first place is a member.
    let mut first = true;
    while first || !cursor.eat("]") {
        first = false;
        if cursor.rest().is_empty() {
            return Err(start.error(Kind::UnclosedClass));
        }
        let group = match posix(cursor)? {
            Some(group) => Some(group),
            None => perl(cursor)?,
        };
        match group {
            Some(group) => ranges.extend(group.resolve(fold).ranges()),
            None => range(cursor, fold, &mut ranges)?,
        }
    }
    let set = RuneSet::of(ranges);
    Ok(if negated { set.negated() } else { set })
}

/// Reads `\d`, `\s`, `\w` or their negation, if that comes next; refuses `\p`.
pub(super) fn perl(cursor: &mut Cursor<'_>) -> Result<Option<Group>, PatternError> {
    let mut ahead = cursor.clone();
    if !ahead.eat("\\") {
        return Ok(None);
    }
    match ahead.next() {
        Some('p' | 'P') => Err(cursor.error(Kind::UnicodeClass)),
        Some(letter) => {
            let group = perl_group(letter.to_ascii_lowercase());
            if group.is_some() {
                *cursor = ahead;
            }
            Ok(group.map(|ranges| Group {
                ranges,
                negated: letter.is_ascii_uppercase(),
            }))
        }
        None => Ok(None),
    }
}

/// Reads `[:name:]` or `[:^name:]` if that comes next. Without a `:]` anywhere after it, `[:` is two members.
fn posix(cursor: &mut Cursor<'_>) -> Result<Option<Group>, PatternError> {
    let start = cursor.clone();
    let mut ahead = cursor.clone();
    if !ahead.eat("[:") {
        return Ok(None);
    }
    let Some(text) = ahead.eat_until(":]") else {
        return Ok(None);
    };
    *cursor = ahead;
    let name = text.strip_prefix('^');
    let ranges = posix_group(name.unwrap_or(text)).ok_or_else(|| start.error(Kind::UnknownClassName))?;
    Ok(Some(Group {
        ranges,
        negated: name.is_some(),
    }))
}

/// Reads one code point, or two with a `-` between them.
fn range(cursor: &mut Cursor<'_>, fold: bool, ranges: &mut Vec<(u32, u32)>) -> Result<(), PatternError> {
    let start = cursor.clone();
    let lo = member(cursor)?;
    // A `-` before the closing bracket is a member.
    let dash = cursor
        .rest()
        .strip_prefix('-')
        .is_some_and(|rest| !rest.starts_with(']') && !rest.is_empty());
    let hi = if dash {
        cursor.eat("-");
        member(cursor)?
    } else {
        lo
    };
    if hi < lo {
        return Err(start.error(Kind::ReversedRange));
    }
    if fold {
        return add_folded(ranges, lo, hi).map_err(|_| start.error(Kind::UnicodeFold));
    }
    ranges.push((lo, hi));
    Ok(())
}

fn member(cursor: &mut Cursor<'_>) -> Result<u32, PatternError> {
    match cursor.peek() {
        Some('\\') => escaped_rune(cursor),
        Some(c) => {
            cursor.next();
            Ok(u32::from(c))
        }
        None => Err(cursor.error(Kind::UnclosedClass)),
    }
}

/// A named group of code points, or everything but that group.
pub(super) struct Group {
    ranges: Ranges,
    negated: bool,
}

impl Group {
    /// The members. Case variants are added before the negation: under `(?i)`, `\W` excludes those of `\w`.
    pub(super) fn resolve(&self, fold: bool) -> RuneSet {
        let mut ranges = vec![];
        for &(lo, hi) in self.ranges {
            // The groups lie within ASCII, where every case variant is known.
            if !fold || add_folded(&mut ranges, lo, hi).is_err() {
                ranges.push((lo, hi));
            }
        }
        let set = RuneSet::of(ranges);
        if self.negated { set.negated() } else { set }
    }
}

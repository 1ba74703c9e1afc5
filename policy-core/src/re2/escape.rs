//! Escape sequences that stand for one code point, inside and outside of brackets.

use super::cursor::Cursor;
use super::error::{PatternError, PatternErrorKind as Kind};
use super::runes::MAX_RUNE;

/// Reads an escape sequence, `\` included, that stands for one code point.
pub(super) fn escaped_rune(cursor: &mut Cursor<'_>) -> Result<u32, PatternError> {
    let start = cursor.clone();
    let invalid = || start.error(Kind::InvalidEscape);
    cursor.eat("\\");
    let Some(c) = cursor.next() else {
        return Err(start.error(Kind::TrailingBackslash));
    };
    match c {
        'a' => Ok(0x07),
        'f' => Ok(0x0C),
        'n' => Ok(0x0A),
        'r' => Ok(0x0D),
        't' => Ok(0x09),
        'v' => Ok(0x0B),
        'x' => hexadecimal(cursor).ok_or_else(invalid),
        '0' => Ok(octal(cursor, 0)),
        // A lone digit would be a back-reference; with a second octal digit it is a code point.
        '1'..='7' if cursor.peek().is_some_and(|next| next.is_digit(8)) => {
            Ok(octal(cursor, c.to_digit(8).unwrap_or_default()))
        }
        '1'..='9' => Err(start.error(Kind::BackReference)),
        // Anything else stands for itself, unless a letter, which may be given a meaning one day.
        _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Ok(u32::from(c)),
        _ => Err(invalid()),
    }
}

/// Up to two more octal digits.
fn octal(cursor: &mut Cursor<'_>, mut value: u32) -> u32 {
    for _ in 0..2 {
        let Some(digit) = cursor.peek().and_then(|c| c.to_digit(8)) else {
            break;
        };
        cursor.next();
        value = value * 8 + digit;
    }
    value
}

/// Exactly two hexadecimal digits, or any number of them in braces.
fn hexadecimal(cursor: &mut Cursor<'_>) -> Option<u32> {
    let hex = |cursor: &mut Cursor<'_>| cursor.next().and_then(|c| c.to_digit(16));
    if !cursor.eat("{") {
        return Some(hex(cursor)? * 16 + hex(cursor)?);
    }
    let mut value = hex(cursor)?;
    while !cursor.eat("}") {
        value = value * 16 + hex(cursor)?;
        if value > MAX_RUNE {
            return None;
        }
    }
    Some(value)
}

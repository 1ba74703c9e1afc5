//! Values of a bundle as few bytes, through the `serde` that their types derive.
//!
//! Numbers are written seven bits at a time, texts and lists with their length in front, variants as their number. A
//! field begins with a byte that says whether it is there, since a type may leave out fields that have their default.
//! Nothing says what anything is: who reads must know the type that was written. Every type of a bundle reads its fields
//! in the order in which it writes them.

mod read;
mod write;

use core::fmt;

pub(crate) use read::from_bytes;
pub(crate) use write::to_bytes;

/// Bytes that are not the value that was asked for, or a value that has no such form. It says no more, because bytes that
/// were damaged are found before anything is read from them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not readable")
    }
}

impl core::error::Error for Unreadable {}

impl serde::de::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl serde::ser::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests;

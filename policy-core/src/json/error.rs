//! What is wrong with a text, and where.

use alloc::{
    boxed::Box,
    string::{String, ToString as _},
};
use core::fmt;

use serde::de::{Expected, Unexpected};

use super::reader::Reader;

/// Why a text was not read.
///
/// It is one pointer, because every function that reads anything returns one.
#[derive(Debug)]
pub struct Error(Box<Content>);

#[derive(Debug)]
struct Content {
    message: String,
    /// Counted from one, the column in bytes; `None` as long as only the reader knows.
    place: Option<(usize, usize)>,
}

impl Error {
    pub(super) fn new(message: &str) -> Self {
        Self(Box::new(Content {
            message: message.into(),
            place: None,
        }))
    }

    /// The same error, where the reader is now.
    #[cold]
    pub(super) fn at(mut self, reader: &Reader<'_>) -> Self {
        self.0.place.get_or_insert_with(|| reader.place());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match self.0.place {
            Some((line, column)) => write!(f, " at line {line} column {column}"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for Error {}

impl serde::de::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(&message.to_string())
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_value(found, expected)
    }

    /// Without serde's words for whatever could be found: writing fractions, which are none here, takes 17 kB of plugin.
    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Signed(found) => {
                Self::custom(format_args!("invalid value: integer `{found}`, expected {expected}"))
            }
            Unexpected::Str(found) => {
                Self::custom(format_args!("invalid value: string {found:?}, expected {expected}"))
            }
            _ => Self::custom(format_args!("expected {expected}")),
        }
    }
}

//! YAML and JSON as a tree of values that know where they stand in their source.

mod build;
mod json;
mod scalar;

pub use build::parse;

use crate::source::Span;

/// A value and its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands; absent for values that were never text.
    pub span: Option<Span>,
}

/// What a [`Node`] is.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// `null`, `~` or nothing at all. Everywhere in this crate the same as a missing field.
    Null,
    /// A boolean; in YAML also `yes`, `no`, `on`, `off`, `y`, `n` when they are not quoted.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order written. A key may occur twice; whoever reads the map decides what that means.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// The key as text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Option<Span>,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// What it is, in words for a message: `a list`, `a number`, …
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Str(_) => "a string",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The value of a key of this map; `None` when it is missing, null, or this is no map. Of two the first.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        (entry.value.value != Value::Null).then_some(&entry.value)
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::Str(text) = &self.value {
            Some(text)
        } else {
            None
        }
    }
}

//! A value together with its path, and what can be asked of it with an error for whoever wrote it otherwise.

use std::{collections::HashSet, fmt, rc::Rc};

use super::Context;
use crate::{
    diagnostic::Code,
    document::{Entry, Node, Value},
    source::Span,
};

/// A place in an object.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    node: &'a Node,
    path: Path<'a>,
    /// What a message about it points at: the value, or its key when the key is the problem.
    span: Option<Span>,
}

/// The way from the root of an object to one of its values.
#[derive(Clone, Default)]
struct Path<'a>(Option<Rc<Link<'a>>>);

struct Link<'a> {
    parent: Path<'a>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(link) = &self.0 else { return Ok(()) };
        link.parent.fmt(f)?;
        let dot = if link.parent.0.is_none() { "" } else { "." };
        match link.step {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) if key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => write!(f, "{dot}{key}"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

impl<'a> Cursor<'a> {
    pub(crate) fn root(node: &'a Node) -> Self {
        Self {
            node,
            path: Path::default(),
            span: node.span,
        }
    }

    pub(crate) fn node(&self) -> &'a Node {
        self.node
    }

    pub(crate) fn span(&self) -> Option<Span> {
        self.span
    }

    pub(crate) fn path(&self) -> String {
        self.path.to_string()
    }

    fn step(&self, step: Step<'a>, node: &'a Node) -> Self {
        let link = Link {
            parent: self.path.clone(),
            step,
        };
        Self {
            node,
            path: Path(Some(Rc::new(link))),
            span: node.span,
        }
    }

    /// The value of a field. Null is the same as missing. `None` also when this is not a map: the caller has
    /// said so with [`Cursor::fields`].
    pub(crate) fn get(&self, key: &'a str) -> Option<Self> {
        self.node.get(key).map(|node| self.step(Step::Key(key), node))
    }

    /// The value of a field, or an error if there is none.
    pub(crate) fn require(&self, cx: &mut Context<'_>, key: &'a str, code: Code) -> Option<Self> {
        let found = self.get(key);
        if found.is_none() && matches!(self.node.value, Value::Map(_)) {
            cx.error(self, code, format!("`{key}` is missing"));
        }
        found
    }

    /// Checks that this is a map whose fields are all known; says so where it is not.
    pub(crate) fn fields(&self, cx: &mut Context<'_>, known: &[&str]) {
        let Some(entries) = self.map_entries(cx) else { return };
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let diagnostic = cx.unknown_field(&self.key_of(entry), &entry.key);
                if let Some(close) = closest(&entry.key, known) {
                    diagnostic.help(format!("did you mean `{close}`?"));
                } else if known.len() <= 8 {
                    diagnostic.help(format!("known fields here: {}", known.join(", ")));
                }
            }
        }
    }

    /// The same place as [`Cursor::entry`], with messages that point at the key.
    fn key_of(&self, entry: &'a Entry) -> Self {
        Self {
            span: entry.key_span,
            ..self.entry(entry)
        }
    }

    fn entry(&self, entry: &'a Entry) -> Self {
        self.step(Step::Key(&entry.key), &entry.value)
    }

    /// Reports every key that occurs twice in one map, here or below.
    pub(crate) fn check_duplicates(&self, cx: &mut Context<'_>) {
        match &self.node.value {
            Value::Seq(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.step(Step::Index(index), item).check_duplicates(cx);
                }
            }
            Value::Map(entries) => {
                let mut seen = HashSet::new();
                for entry in entries {
                    if !seen.insert(&entry.key) {
                        let message = format!("the key `{}` is written twice", entry.key);
                        cx.error(&self.key_of(entry), Code::DUPLICATE, message);
                    }
                    self.entry(entry).check_duplicates(cx);
                }
            }
            _ => {}
        }
    }

    /// The entries, or an error if this is no map. Entries with a null value are left out.
    pub(crate) fn entries(&self, cx: &mut Context<'_>) -> Vec<(&'a str, Self)> {
        let entries = self.map_entries(cx).unwrap_or_default().iter();
        let present = entries.filter(|entry| entry.value.value != Value::Null);
        present.map(|entry| (entry.key.as_str(), self.entry(entry))).collect()
    }

    /// This place if it is a map, or an error.
    pub(crate) fn map(&self, cx: &mut Context<'_>) -> Option<Self> {
        self.map_entries(cx).map(|_| self.clone())
    }

    fn map_entries(&self, cx: &mut Context<'_>) -> Option<&'a [Entry]> {
        match &self.node.value {
            Value::Map(entries) => Some(entries),
            _ => self.wrong(cx, "a map"),
        }
    }

    /// The items, or an error if this is no list.
    pub(crate) fn items(&self, cx: &mut Context<'_>) -> Vec<Self> {
        let Value::Seq(items) = &self.node.value else {
            self.wrong::<()>(cx, "a list");
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .map(|(index, item)| self.step(Step::Index(index), item))
            .collect()
    }

    /// The items of a field: none when it is missing or null.
    pub(crate) fn items_of(&self, cx: &mut Context<'_>, key: &'a str) -> Vec<Self> {
        self.get(key).map(|list| list.items(cx)).unwrap_or_default()
    }

    /// The text, or an error. A number or boolean gets the hint to quote it.
    pub(crate) fn text(&self, cx: &mut Context<'_>) -> Option<&'a str> {
        match &self.node.value {
            Value::Str(text) => Some(text),
            _ => self.wrong(cx, "a string"),
        }
    }

    /// The text of a field: `None` when it is missing or null, or (with an error) no text.
    pub(crate) fn text_of(&self, cx: &mut Context<'_>, key: &'a str) -> Option<&'a str> {
        self.get(key).and_then(|value| value.text(cx))
    }

    pub(crate) fn boolean(&self, cx: &mut Context<'_>) -> Option<bool> {
        match self.node.value {
            Value::Bool(value) => Some(value),
            _ => self.wrong(cx, "a boolean"),
        }
    }

    pub(crate) fn integer(&self, cx: &mut Context<'_>) -> Option<i64> {
        match self.node.value {
            Value::Int(value) => Some(value),
            _ => self.wrong(cx, "a whole number"),
        }
    }

    /// Reports a value of the wrong type.
    fn wrong<T>(&self, cx: &mut Context<'_>, expected: &'static str) -> Option<T> {
        let message = format!("expected {expected}, found {}", self.node.kind());
        let diagnostic = cx.error(self, Code::TYPE, message);
        match self.node.value {
            Value::Bool(_) | Value::Int(_) | Value::Float(_) if expected == "a string" => {
                diagnostic.help("put the value in quotes");
            }
            Value::Str(_) if expected == "a boolean" || expected == "a whole number" => {
                diagnostic.help("write the value without quotes");
            }
            _ if expected == "a list" => {
                diagnostic.help("start each item with `- `, or write `[…]`");
            }
            _ => {}
        }
        None
    }
}

/// The known word that a misspelt one is closest to, if any is close.
pub(crate) fn closest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = word.to_ascii_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&lower, &known.to_ascii_lowercase());
    let (best, away) = known
        .iter()
        .map(|known| (*known, distance(known)))
        .min_by_key(|(_, away)| *away)?;
    let near = away <= 1 + best.len().min(word.len()) / 4;
    near.then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_close_words_are_suggested() {
        for (word, want, why) in [
            ("fromEndpoint", Some("fromEndpoints"), "one letter missing"),
            ("fromendpoints", Some("fromEndpoints"), "wrong case"),
            ("fromEntitise", Some("fromEntities"), "two letters swapped"),
            ("from", None, "a word of another language"),
            ("x", None, "too short to tell"),
        ] {
            assert_eq!(closest(word, &["fromEndpoints", "fromEntities"]), want, "{why}");
        }
    }
}

//! Reading YAML strictly: every value is of its type, every key is known, and what is not is reported where it stands.

use std::{fmt, str::FromStr, sync::Arc};

use policy_compiler::{
    Code, Diagnostic, Location, Severity, Source,
    document::{Entry, Node, Value},
};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) at: Location,
}

/// Reads the nodes of one source, and keeps what is wrong with them.
pub(super) struct Reader {
    source: Arc<Source>,
    pub(super) errors: Vec<Diagnostic>,
}

/// A node and the way to it.
#[derive(Clone)]
pub(super) struct Place<'n> {
    pub(super) node: &'n Node,
    path: String,
}

impl<'n> Place<'n> {
    pub(super) fn root(node: &'n Node) -> Self {
        let path = String::new();
        Self { node, path }
    }

    /// The value of a key; `None` when it is missing or null.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let node = self.node.get(key)?;
        let path = join(&self.path, key);
        Some(Self { node, path })
    }
}

impl Reader {
    pub(super) fn new(source: &Arc<Source>) -> Self {
        Self {
            source: Arc::clone(source),
            errors: Vec::new(),
        }
    }

    /// Where a node stands; the start of the source for one that was never text.
    pub(super) fn location(&self, node: &Node) -> Location {
        let span = node.span.unwrap_or(policy_compiler::Span { start: 0, end: 0 });
        Location::new(Arc::clone(&self.source), span)
    }

    /// The same value, with its place.
    pub(super) fn locate<T>(&self, place: &Place<'_>, value: T) -> Located<T> {
        let at = self.location(place.node);
        Located { value, at }
    }

    /// Keeps an error about this place.
    pub(super) fn error(&mut self, place: &Place<'_>, code: Code, message: impl Into<String>) -> &mut Diagnostic {
        let at = self.location(place.node);
        self.error_at(at, &place.path, code, message)
    }

    /// Keeps an error about this part of the source.
    pub(super) fn error_at(
        &mut self,
        at: Location,
        path: &str,
        code: Code,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let mut error = Diagnostic::new(Severity::Error, code, message);
        error.location = Some(at);
        path.clone_into(&mut error.path);
        self.errors.push_mut(error)
    }

    /// Whether this is a map with no other keys than these, and none twice.
    pub(super) fn is_map_of(&mut self, place: &Place<'_>, known: &[&str]) -> bool {
        let Some(entries) = self.entries_of(place) else {
            return false;
        };
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                let message = format!("unknown key `{}`", entry.key);
                self.error_at_key(place, entry, Code::UNKNOWN_FIELD, message)
                    .help(format!("known keys here: {}", known.join(", ")));
            }
        }
        true
    }

    /// The entries of a map, none twice. Entries without a value are left out.
    pub(super) fn entries<'n>(&mut self, place: &Place<'n>) -> Vec<(&'n str, Place<'n>)> {
        let entries = self.entries_of(place).unwrap_or_default().iter();
        let present = entries.filter(|entry| entry.value.value != Value::Null);
        let with_place = present.map(|entry| {
            let path = join(&place.path, &entry.key);
            let node = &entry.value;
            (entry.key.as_str(), Place { node, path })
        });
        with_place.collect()
    }

    /// The items of a list; of anything else nothing, with an error.
    pub(super) fn items<'n>(&mut self, place: &Place<'n>) -> Vec<Place<'n>> {
        let Value::Seq(items) = &place.node.value else {
            self.wrong(place, "a list");
            return Vec::new();
        };
        items_of(items, place)
    }

    /// The items of a list, or the one that stands in place of a list.
    pub(super) fn one_or_many<'n>(&mut self, place: &Place<'n>) -> Vec<Place<'n>> {
        match &place.node.value {
            Value::Seq(items) if items.is_empty() => {
                self.error(place, Code::VALUE, "an empty list");
                Vec::new()
            }
            Value::Seq(items) => items_of(items, place),
            _ => vec![place.clone()],
        }
    }

    /// A value that must be there.
    pub(super) fn require<'n>(&mut self, place: &Place<'n>, key: &str) -> Option<Place<'n>> {
        let found = place.get(key);
        if found.is_none() && matches!(place.node.value, Value::Map(_)) {
            self.error(place, Code::MISSING_FIELD, format!("`{key}` is missing"));
        }
        found
    }

    /// Text; of anything else nothing, with an error.
    pub(super) fn text<'n>(&mut self, place: &Place<'n>) -> Option<&'n str> {
        let text = place.node.as_str();
        if text.is_none() {
            self.wrong(place, "a string");
        }
        text
    }

    /// A boolean; of anything else nothing, with an error.
    pub(super) fn boolean(&mut self, place: &Place<'_>) -> Option<bool> {
        if let Value::Bool(value) = place.node.value {
            return Some(value);
        }
        self.wrong(place, "a boolean");
        None
    }

    /// What the text, or the whole number, stands for.
    pub(super) fn parse<T: FromStr<Err: fmt::Display>>(&mut self, place: &Place<'_>) -> Option<T> {
        let text = match &place.node.value {
            Value::Str(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            _ => {
                self.wrong(place, "a string");
                return None;
            }
        };
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(place, Code::VALUE, error.to_string());
                None
            }
        }
    }

    /// Where bytes of a line of a literal block (`|`) stand in the source. `None` if this is another kind of text, whose
    /// lines are not those of the source.
    ///
    /// The block starts with the first character of its first line.
    pub(super) fn inside_block(
        &self,
        block: &Location,
        number: usize,
        line: &str,
        column: usize,
        length: usize,
    ) -> Option<Location> {
        let text = self.source.text();
        let first = text.get(..block.span().start)?.rfind('\n').map_or(0, |at| at + 1);
        let written = text.get(first..)?.lines().nth(number)?;
        let indent = written.trim_end().strip_suffix(line.trim_end())?.len();
        let start = written.as_ptr().addr() - text.as_ptr().addr() + indent + column;
        let span = policy_compiler::Span {
            start,
            end: start + length,
        };
        Some(Location::new(Arc::clone(&self.source), span))
    }

    /// Keeps an error that points at a key.
    pub(super) fn error_at_key(
        &mut self,
        place: &Place<'_>,
        entry: &Entry,
        code: Code,
        message: String,
    ) -> &mut Diagnostic {
        let span = entry.key_span.or(place.node.span);
        let span = span.unwrap_or(policy_compiler::Span { start: 0, end: 0 });
        let at = Location::new(Arc::clone(&self.source), span);
        self.error_at(at, &join(&place.path, &entry.key), code, message)
    }

    fn entries_of<'n>(&mut self, place: &Place<'n>) -> Option<&'n [Entry]> {
        let Value::Map(entries) = &place.node.value else {
            self.wrong(place, "a map");
            return None;
        };
        for (i, entry) in entries.iter().enumerate() {
            if entries.iter().take(i).any(|earlier| earlier.key == entry.key) {
                let message = format!("the key `{}` is written twice", entry.key);
                self.error_at_key(place, entry, Code::DUPLICATE, message);
            }
        }
        Some(entries)
    }

    fn wrong(&mut self, place: &Place<'_>, expected: &str) {
        let message = format!("expected {expected}, found {}", place.node.kind());
        self.error(place, Code::TYPE, message);
    }
}

fn items_of<'n>(items: &'n [Node], list: &Place<'n>) -> Vec<Place<'n>> {
    let place = |(i, node)| Place {
        node,
        path: format!("{}[{i}]", list.path),
    };
    items.iter().enumerate().map(place).collect()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

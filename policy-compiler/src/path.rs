//! Field paths, from text to the values of an object.

use crate::document::{Node, Value};

/// A step from a value to one of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step<'p> {
    Key(&'p str),
    Index(usize),
}

impl Step<'_> {
    /// The part, if it is there and not null.
    pub(crate) fn follow<'n>(&self, node: &'n Node) -> Option<&'n Node> {
        match (self, &node.value) {
            (Self::Key(key), _) => node.get(key),
            (Self::Index(index), Value::Seq(items)) => items.get(*index),
            (Self::Index(_), _) => None,
        }
    }
}

/// The steps of a path such as `specs[1].ingress[0]`, whose fields have neither dots nor brackets in their names.
pub(crate) fn steps(path: &str) -> Vec<Step<'_>> {
    path.split(['.', '[', ']'])
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_or_else(|_| Step::Key(part), Step::Index))
        .collect()
}

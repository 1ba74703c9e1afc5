//! Keys of maps, and the merge key `<<`.

use std::collections::HashSet;

use super::{
    super::{Entry, Node, Value},
    problem::Problem,
};
use crate::source::Span;

/// A key as text: what `kubectl` sends when a key is not written as text.
pub(super) fn key_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Str(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Null | Value::Seq(_) | Value::Map(_) => None,
    }
}

pub(super) fn mergeable(node: Node, span: Span) -> Result<Node, Problem> {
    let fits = match &node.value {
        Value::Map(_) => true,
        Value::Seq(items) => items.iter().all(|item| matches!(item.value, Value::Map(_))),
        _ => false,
    };
    if fits {
        Ok(node)
    } else {
        Err(Problem::new(span, "`<<` takes a map or a list of maps"))
    }
}

/// The entries of a map with those it merges in: what the map itself says wins, then the earlier merge.
pub(super) fn merge(mut entries: Vec<Entry>, merged: Vec<Node>) -> Vec<Entry> {
    if merged.is_empty() {
        return entries;
    }
    let mut seen: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for entry in merged.into_iter().flat_map(entries_of) {
        if seen.insert(entry.key.clone()) {
            entries.push(entry);
        }
    }
    entries
}

/// The entries of a map, or of the maps of a list.
fn entries_of(node: Node) -> Vec<Entry> {
    match node.value {
        Value::Map(entries) => entries,
        Value::Seq(maps) => maps.into_iter().flat_map(entries_of).collect(),
        _ => Vec::new(),
    }
}

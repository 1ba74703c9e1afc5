//! The meaning of a pattern, stripped of everything a full match does not depend on (captures, greed, flags).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::runes::RuneSet;

/// A regular language over code points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// The empty string.
    Empty,
    /// One given code point.
    Rune(u32),
    /// One code point out of a set, which may be empty: then nothing matches.
    Class(RuneSet),
    /// The empty string, where the assertion holds.
    Look(Look),
    /// `min` to `max` copies; no maximum means any number.
    Repeat {
        node: Box<Self>,
        min: u32,
        max: Option<u32>,
    },
    /// One after the other.
    Concat(Vec<Self>),
    /// Any one of them.
    Alternate(Vec<Self>),
}

/// A condition on the bytes around a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordBoundary,
    NotWordBoundary,
}

impl Look {
    /// Whether the assertion holds between two bytes; `None` stands for the start and the end of the text.
    pub(super) fn holds(self, before: Option<u8>, after: Option<u8>) -> bool {
        match self {
            Self::TextStart => before.is_none(),
            Self::TextEnd => after.is_none(),
            Self::LineStart => before.is_none_or(|byte| byte == b'\n'),
            Self::LineEnd => after.is_none_or(|byte| byte == b'\n'),
            Self::WordBoundary => is_word(before) != is_word(after),
            Self::NotWordBoundary => is_word(before) == is_word(after),
        }
    }
}

/// Whether the byte is in `\w`; the edges of the text are not.
pub(super) fn is_word(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Node {
    /// The concatenation, without needless nesting.
    pub(super) fn concat(items: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Self::Empty => {}
                Self::Concat(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        single(flat, Self::Concat).unwrap_or(Self::Empty)
    }

    /// The alternation, without needless nesting; of no branches at all, nothing matches.
    pub(super) fn alternate(branches: Vec<Self>) -> Self {
        single(branches, Self::Alternate).unwrap_or(Self::Class(RuneSet::of(Vec::new())))
    }

    /// The largest product of nested repetition bounds, as RE2 counts it: an unbounded repetition counts its
    /// minimum, and a zero counts nothing.
    pub(super) fn repeat_product(&self) -> u64 {
        match self {
            Self::Empty | Self::Rune(_) | Self::Class(_) | Self::Look(_) => 1,
            Self::Repeat { node, min, max } => {
                let bound = u64::from(max.unwrap_or(*min)).max(1);
                node.repeat_product().saturating_mul(bound)
            }
            Self::Concat(nodes) | Self::Alternate(nodes) => nodes.iter().map(Self::repeat_product).max().unwrap_or(1),
        }
    }

    /// The same language of whole texts, without the assertions at the edges that a full match makes true.
    ///
    /// This is what lets `^/exact$` be compared like `/exact`.
    pub(super) fn without_edge_looks(self) -> Self {
        trim(trim(self, Edge::Start), Edge::End)
    }
}

#[derive(Clone, Copy)]
enum Edge {
    Start,
    End,
}

impl Edge {
    fn implies(self, look: Look) -> bool {
        match self {
            Self::Start => matches!(look, Look::TextStart | Look::LineStart),
            Self::End => matches!(look, Look::TextEnd | Look::LineEnd),
        }
    }
}

fn trim(node: Node, edge: Edge) -> Node {
    match node {
        Node::Look(look) if edge.implies(look) => Node::Empty,
        Node::Alternate(branches) => Node::alternate(branches.into_iter().map(|branch| trim(branch, edge)).collect()),
        Node::Concat(items) => trim_concat(items, edge),
        other => other,
    }
}

fn trim_concat(items: Vec<Node>, edge: Edge) -> Node {
    let mut items = alloc::collections::VecDeque::from(items);
    let outermost = loop {
        let item = match edge {
            Edge::Start => items.pop_front(),
            Edge::End => items.pop_back(),
        };
        // What is trimmed to nothing leaves its neighbour at the edge.
        match item.map(|item| trim(item, edge)) {
            Some(Node::Empty) => {}
            other => break other,
        }
    };
    match edge {
        Edge::Start => outermost.into_iter().for_each(|item| items.push_front(item)),
        Edge::End => outermost.into_iter().for_each(|item| items.push_back(item)),
    }
    Node::concat(items.into())
}

/// The only node, or several wrapped by `many`, or none.
fn single(mut nodes: Vec<Node>, many: fn(Vec<Node>) -> Node) -> Option<Node> {
    match nodes.len() {
        0 | 1 => nodes.pop(),
        _ => Some(many(nodes)),
    }
}

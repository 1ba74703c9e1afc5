//! Patterns that need no automaton: finitely many texts, or given text around anything.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::hir::Node;
use super::runes::RuneSet;
use super::utf8::{form_len, push_encoded};

/// All texts of a language, sorted and distinct, if they are finitely many and `budget` bytes hold them all, one
/// byte for each text included.
pub(super) fn enumerate(node: &Node, budget: usize) -> Option<Vec<Vec<u8>>> {
    let mut texts = expand(node, budget)?;
    texts.sort_unstable();
    texts.dedup();
    Some(texts)
}

fn expand(node: &Node, budget: usize) -> Option<Vec<Vec<u8>>> {
    match node {
        Node::Empty => Some(vec![Vec::new()]),
        Node::Rune(rune) => Some(vec![encoded(*rune)]),
        Node::Class(set) => {
            let runes = set.ranges().iter().flat_map(|&(lo, hi)| lo..=hi);
            within(budget, runes.take(budget + 1).map(encoded).collect())
        }
        Node::Look(_) => None,
        Node::Repeat { node, min, max } => expand_repeat(node, *min, (*max)?, budget),
        Node::Concat(items) => items.iter().try_fold(vec![Vec::new()], |texts, item| {
            join(texts, expand(item, budget)?, budget)
        }),
        Node::Alternate(branches) => {
            let mut texts = Vec::new();
            let mut left = budget;
            for branch in branches {
                let more = expand(branch, left)?;
                left = left.checked_sub(cost(&more))?;
                texts.extend(more);
            }
            Some(texts)
        }
    }
}

fn expand_repeat(node: &Node, min: u32, max: u32, budget: usize) -> Option<Vec<Vec<u8>>> {
    let item = expand(node, budget)?;
    let mut power = vec![Vec::new()];
    let mut texts = Vec::new();
    let mut left = budget;
    for copies in 0..=max {
        if copies > 0 {
            power = join(power, item.clone(), budget)?;
        }
        if copies >= min {
            left = left.checked_sub(cost(&power))?;
            texts.extend(power.iter().cloned());
        }
    }
    Some(texts)
}

/// Every text of `heads` followed by every text of `tails`.
fn join(mut heads: Vec<Vec<u8>>, tails: Vec<Vec<u8>>, budget: usize) -> Option<Vec<Vec<u8>>> {
    // The common case, in place: a long literal is a concatenation of many single characters.
    if let [tail] = tails.as_slice() {
        let added = heads.len().saturating_mul(tail.len());
        if added > budget {
            return None;
        }
        heads.iter_mut().for_each(|head| head.extend(tail));
        return if heads.len() == 1 {
            Some(heads)
        } else {
            within(budget, heads)
        };
    }
    if heads.len().saturating_mul(tails.len()) > budget {
        return None;
    }
    let joined = heads
        .iter()
        .flat_map(|head| tails.iter().map(|tail| [head.as_slice(), tail].concat()));
    within(budget, joined.collect())
}

fn within(budget: usize, texts: Vec<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
    (cost(&texts) <= budget).then_some(texts)
}

fn cost(texts: &[Vec<u8>]) -> usize {
    texts.iter().map(|text| text.len() + 1).sum()
}

fn encoded(rune: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1);
    push_encoded(rune, &mut bytes);
    bytes
}

/// Given text, then anything, then given text: what `/public/.*` and `.*\.example\.com` mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Affixes {
    pub(super) prefix: Box<[u8]>,
    pub(super) suffix: Box<[u8]>,
    /// Whether a newline may occur between them.
    newline: bool,
    /// Whether there must be something between them.
    non_empty: bool,
}

impl Affixes {
    /// Recognises a language of this form.
    pub(super) fn of(node: &Node, budget: usize) -> Option<Self> {
        let items = match node {
            Node::Concat(items) => items.as_slice(),
            other => core::slice::from_ref(other),
        };
        let at = items
            .iter()
            .position(|item| matches!(item, Node::Repeat { max: None, .. }))?;
        let (before, rest) = items.split_at_checked(at)?;
        let (gap, after) = rest.split_first()?;
        let Node::Repeat {
            node,
            min: min @ (0 | 1),
            max: None,
        } = gap
        else {
            return None;
        };
        let Node::Class(set) = node.as_ref() else { return None };
        let newline = *set == RuneSet::any();
        if !newline && *set != RuneSet::any_but_newline() {
            return None;
        }
        Some(Self {
            prefix: only_text(before, budget)?,
            suffix: only_text(after, budget)?,
            newline,
            non_empty: *min == 1,
        })
    }

    /// Whether the text has this form.
    pub(super) fn is_match(&self, input: &[u8]) -> bool {
        let gap = input
            .strip_prefix(&*self.prefix)
            .and_then(|rest| rest.strip_suffix(&*self.suffix));
        gap.is_some_and(|gap| !(self.non_empty && gap.is_empty()) && is_dots(gap, self.newline))
    }
}

fn only_text(items: &[Node], budget: usize) -> Option<Box<[u8]>> {
    let texts = items.iter().try_fold(vec![Vec::new()], |texts, item| {
        join(texts, enumerate(item, budget)?, budget)
    })?;
    <[Vec<u8>; 1]>::try_from(texts)
        .ok()
        .map(|[text]| text.into_boxed_slice())
}

/// Whether `.*` matches, with or without `(?s)`.
fn is_dots(mut text: &[u8], newline: bool) -> bool {
    while let Some((&lead, rest)) = text.split_first() {
        if lead.is_ascii() {
            if lead == b'\n' && !newline {
                return false;
            }
            text = rest;
            continue;
        }
        let Some((continuations, after)) = form_len(lead).and_then(|len| rest.split_at_checked(len - 1)) else {
            return false;
        };
        if !continuations.iter().all(|byte| (0x80..=0xBF).contains(byte)) {
            return false;
        }
        text = after;
    }
    true
}

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

/// The text that every match begins with, as far as the expression gives it character by character.
pub(super) fn lead(node: &Node) -> Vec<u8> {
    let mut text = Vec::new();
    push_lead(node, &mut text);
    text
}

/// Whether the node is nothing but the text that was appended, so that what follows it may go on.
fn push_lead(node: &Node, text: &mut Vec<u8>) -> bool {
    match node {
        Node::Empty => true,
        Node::Rune(rune) => {
            push_encoded(*rune, text);
            true
        }
        Node::Concat(items) => items.iter().all(|item| push_lead(item, text)),
        Node::Repeat { node, min: 1.., .. } => {
            push_lead(node, text);
            false
        }
        Node::Alternate(branches) => {
            let mut leads = branches.iter().map(lead);
            let first = leads.next().unwrap_or_default();
            let shared = leads.fold(first.len(), |shared, other| shared.min(common(&first, &other)));
            text.extend(first.into_iter().take(shared));
            false
        }
        Node::Class(_) | Node::Look(_) | Node::Repeat { .. } => false,
    }
}

/// With how many bytes both texts begin.
pub(super) fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
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
    #[inline(never)]
    pub(super) fn is_match(&self, input: &[u8]) -> bool {
        let Some(rest) = input.strip_prefix(&*self.prefix) else {
            return false;
        };
        // Most have no suffix, and comparing nothing is not for nothing.
        let gap = match &*self.suffix {
            [] => Some(rest),
            suffix => rest.strip_suffix(suffix),
        };
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
fn is_dots(text: &[u8], newline: bool) -> bool {
    is_plain(text) || is_dots_one_by_one(text, newline)
}

/// Whether all is ASCII and nothing a newline, eight bytes at a time: what hardly any path is not.
fn is_plain(text: &[u8]) -> bool {
    const LOWEST_BITS: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHEST_BITS: u64 = u64::from_ne_bytes([0x80; 8]);
    const NEWLINES: u64 = u64::from_ne_bytes([b'\n'; 8]);
    let is_plain_word = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        // As long as every byte is ASCII, only one that is a newline, and so zero here, borrows from the next.
        (word | (word ^ NEWLINES).wrapping_sub(LOWEST_BITS)) & HIGHEST_BITS == 0
    };
    match text.last_chunk() {
        // The last eight bytes may overlap those before.
        Some(last) => text.as_chunks().0.iter().all(is_plain_word) && is_plain_word(last),
        None => text.iter().all(|byte| byte.is_ascii() && *byte != b'\n'),
    }
}

#[inline(never)]
fn is_dots_one_by_one(mut text: &[u8], newline: bool) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_at_a_time_are_as_good_as_one() {
        // Every byte at every place of a word, of two, and of what is left of them.
        for length in [1, 7, 8, 9, 15, 16, 17, 23] {
            for (at, byte) in (0..length).flat_map(|at| (0..=u8::MAX).map(move |byte| (at, byte))) {
                let mut text = vec![b'/'; length];
                text[at] = byte;
                let plain = byte.is_ascii() && byte != b'\n';
                assert_eq!(is_plain(&text), plain, "{byte:#x} at {at} of {length}");
                assert_eq!(is_dots(&text, false), is_dots_one_by_one(&text, false));
                assert_eq!(is_dots(&text, true), is_dots_one_by_one(&text, true));
            }
        }
        assert!(is_plain(b""), "nothing is in the way");
        assert!(!is_plain(b"\n\x7f\x0b\x09\x8a\x00\xff\n"), "borrowing hides nothing");
    }
}

//! Slow matching straight from the meaning of a pattern, to compare every strategy with.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use std::format;
use std::string::String;

use proptest::prelude::*;

use super::super::Pattern;
use super::super::dfa::Dfa;
use super::super::hir::Node;
use super::super::literal::lead;
use super::super::nfa;
use super::super::parse::parse;
use super::super::program::Program;
use super::super::runes::{MAX_RUNE, RuneSet};
use super::super::utf8::push_encoded;

/// Every position at which a match of `node` that starts at `at` can end.
fn ends(node: &Node, input: &[u8], at: usize) -> BTreeSet<usize> {
    match node {
        Node::Empty => BTreeSet::from([at]),
        Node::Rune(rune) => rune_ends(&RuneSet::of([(*rune, *rune)].into()), input, at),
        Node::Class(set) => rune_ends(set, input, at),
        Node::Look(look) => {
            let before = at.checked_sub(1).and_then(|before| input.get(before));
            look.holds(before.copied(), input.get(at).copied())
                .then_some(at)
                .into_iter()
                .collect()
        }
        Node::Concat(items) => items
            .iter()
            .fold(BTreeSet::from([at]), |from, item| after(item, input, &from)),
        Node::Alternate(branches) => branches.iter().flat_map(|branch| ends(branch, input, at)).collect(),
        Node::Repeat { node, min, max } => {
            let mut from = (0..*min).fold(BTreeSet::from([at]), |from, _| after(node, input, &from));
            // More copies than bytes can only add empty ones.
            let optional = max.map_or(input.len() + 1, |max| usize::try_from(max - min).unwrap());
            for _ in 0..optional {
                let more = after(node, input, &from);
                from.extend(more);
            }
            from
        }
    }
}

fn after(node: &Node, input: &[u8], from: &BTreeSet<usize>) -> BTreeSet<usize> {
    from.iter().flat_map(|&at| ends(node, input, at)).collect()
}

fn rune_ends(set: &RuneSet, input: &[u8], at: usize) -> BTreeSet<usize> {
    let rest = &input[at..];
    let lenient = set
        .ranges()
        .last()
        .is_some_and(|&(lo, hi)| lo <= 0x80 && hi == MAX_RUNE);
    let len = match rest.first() {
        Some(0x00..=0x7F) => 1,
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        _ => return BTreeSet::new(),
    };
    let Some((bytes, _)) = rest.split_at_checked(len) else {
        return BTreeSet::new();
    };
    if bytes[1..].iter().any(|byte| byte & 0xC0 != 0x80) {
        return BTreeSet::new();
    }
    let lead_bits = if len == 1 { 0x7F } else { 0x7F >> len };
    let rune = bytes[1..].iter().fold(u32::from(bytes[0] & lead_bits), |rune, byte| {
        rune << 6 | u32::from(byte & 0x3F)
    });
    let mut canonical = Vec::new();
    push_encoded(rune, &mut canonical);
    let member = set.ranges().iter().any(|&(lo, hi)| (lo..=hi).contains(&rune));
    let found = if len > 1 && lenient {
        true
    } else {
        member && canonical == bytes
    };
    found.then_some(at + len).into_iter().collect()
}

fn matches(node: &Node, input: &[u8]) -> bool {
    ends(node, input, 0).contains(&input.len())
}

fn source() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(&[
        "a",
        "b",
        "k",
        "é",
        ".",
        "[ab]",
        "[^a]",
        "[^é]",
        "[a-é]",
        r"\w",
        r"\W",
        r"\b",
        r"\B",
        "^",
        "$",
        "(?m:^)",
        "(?m:$)",
        "(?s:.)",
        "(?i:k)",
        r"\n",
        "",
        ".*",
        "[^/]*",
        "[[:punct:]]",
        r"\x{D800}",
        r"\x{800}",
    ]);
    atom.prop_map(String::from).prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|items| items.concat()),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|items| format!("({})", items.join("|"))),
            (
                inner,
                prop::sample::select(&["*", "+", "?", "{2}", "{1,3}", "{2,}", "{0}"])
            )
                .prop_map(|(item, operator)| format!("(?:{item}){operator}")),
        ]
    })
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&[u8]] = &[
        b"a",
        b"a",
        b"b",
        b"k",
        "é".as_bytes(),
        "\u{212a}".as_bytes(),
        b"/",
        b"\n",
        b"_",
        b"\xed\xa0\x80",
        b"\xe0\x80\x80",
        b"\xe0\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xff",
        b"\xc3",
        b"\x80",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..7).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the strategy, it agrees with the oracle.
    #[test]
    fn the_chosen_strategy_is_exact(source in source(), inputs in prop::collection::vec(input(), 8)) {
        let (node, pattern) = (parse(&source).unwrap(), Pattern::parse(&source).unwrap());
        for input in &inputs {
            let expected = matches(&node, input);
            prop_assert_eq!(pattern.is_match(input), expected, "{:?} {:?} {:?}", source, input, pattern.strategy());
            prop_assert!(!expected || input.starts_with(pattern.lead()), "{:?} {:?} {:?}", source, input, pattern.lead());
        }
    }

    /// Table and simulation agree with the oracle also where a cheaper strategy would do.
    #[test]
    fn the_automata_are_exact(source in source(), inputs in prop::collection::vec(input(), 8)) {
        let node = parse(&source).unwrap();
        let program = Program::compile(&node).unwrap();
        let lead = lead(&node);
        let [dfa, after_lead] = [&[], &*lead].map(|lead| Dfa::build_within(&program, lead, 1 << 19, &mut 0).unwrap());
        for input in &inputs {
            let expected = matches(&node, input);
            prop_assert_eq!(nfa::is_match(&program, input), expected, "simulation of {:?} on {:?}", source, input);
            prop_assert_eq!(dfa.is_match_after_lead(input), expected, "table of {:?} on {:?}", source, input);
            let rest = input.strip_prefix(&*lead);
            let found = rest.is_some_and(|rest| after_lead.is_match_after_lead(rest));
            prop_assert_eq!(found, expected, "table of {:?} on {:?} after {:?}", source, input, lead);
        }
    }

    /// No source makes the parser or a match panic.
    #[test]
    fn any_source_is_answered(source in r"[\\\[\](){}?*+|^$.:<>PQEpximsU\-a-c0-9,é]{0,24}", input in input()) {
        if let Ok(pattern) = Pattern::parse(&source) {
            pattern.is_match(&input);
        }
    }
}

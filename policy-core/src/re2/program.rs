//! The byte-level program a pattern compiles to when it needs an automaton.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::hir::{Look, Node};
use super::utf8::{ByteRange, sequences};

/// The largest program; it bounds memory, and time per byte of input.
const MAX_INSTRUCTIONS: usize = 16_384;

/// The index of an instruction.
pub(super) type Id = u16;

/// One instruction. All but `Match` and `Fail` name what comes next.
#[derive(Debug, Clone, Copy)]
pub(super) enum Inst {
    /// Consumes a byte in the range.
    Bytes { range: ByteRange, next: Id },
    /// Consumes a byte below 0x80 whose bit is set.
    Ascii { set: u128, next: Id },
    /// Goes both ways.
    Split { left: Id, right: Id },
    /// Goes on where the assertion holds.
    Look { look: Look, next: Id },
    /// Accepts, at the end of the text.
    Match,
    /// Goes nowhere.
    Fail,
}

impl Inst {
    /// Where consuming the byte leads.
    pub(super) fn step(&self, byte: u8) -> Option<Id> {
        match *self {
            Self::Bytes { range: (lo, hi), next } => (lo..=hi).contains(&byte).then_some(next),
            Self::Ascii { set, next } => contains(set, byte).then_some(next),
            Self::Split { .. } | Self::Look { .. } | Self::Match | Self::Fail => None,
        }
    }
}

/// Whether an ASCII set contains the byte.
pub(super) fn contains(set: u128, byte: u8) -> bool {
    byte.is_ascii() && (set >> byte) & 1 == 1
}

/// A program, immutable once built.
#[derive(Debug, Clone)]
pub(super) struct Program {
    insts: Vec<Inst>,
    start: Id,
    has_looks: bool,
}

/// The program would exceed [`MAX_INSTRUCTIONS`].
#[derive(Debug)]
pub(super) struct TooLarge;

impl Program {
    /// Compiles a language, back to front: every part is told what follows it.
    pub(super) fn compile(node: &Node) -> Result<Self, TooLarge> {
        let mut program = Self {
            insts: Vec::new(),
            start: 0,
            has_looks: false,
        };
        let end = program.push(Inst::Match)?;
        program.start = program.node(node, end)?;
        Ok(program)
    }

    pub(super) fn start(&self) -> Id {
        self.start
    }

    pub(super) fn insts(&self) -> &[Inst] {
        &self.insts
    }

    /// The instruction; an index that does not exist goes nowhere.
    pub(super) fn inst(&self, id: Id) -> Inst {
        self.insts.get(usize::from(id)).copied().unwrap_or(Inst::Fail)
    }

    /// Whether any assertion occurs: if not, the bytes around a position do not matter.
    pub(super) fn has_looks(&self) -> bool {
        self.has_looks
    }

    fn push(&mut self, inst: Inst) -> Result<Id, TooLarge> {
        if self.insts.len() >= MAX_INSTRUCTIONS {
            return Err(TooLarge);
        }
        let id = Id::try_from(self.insts.len()).map_err(|_| TooLarge)?;
        self.insts.push(inst);
        Ok(id)
    }

    fn node(&mut self, node: &Node, next: Id) -> Result<Id, TooLarge> {
        match node {
            Node::Empty => Ok(next),
            Node::Rune(rune) => self.class(&[(*rune, *rune)], next),
            Node::Class(set) => self.class(set.ranges(), next),
            Node::Look(look) => {
                self.has_looks = true;
                self.push(Inst::Look { look: *look, next })
            }
            Node::Repeat { node, min, max } => self.repeat(node, *min, *max, next),
            Node::Concat(items) => items.iter().rev().try_fold(next, |next, item| self.node(item, next)),
            Node::Alternate(branches) => {
                let mut entry = None;
                for branch in branches.iter().rev() {
                    let left = self.node(branch, next)?;
                    entry = Some(match entry {
                        Some(right) => self.push(Inst::Split { left, right })?,
                        None => left,
                    });
                }
                entry.map_or_else(|| self.push(Inst::Fail), Ok)
            }
        }
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, next: Id) -> Result<Id, TooLarge> {
        let mut entry = match max {
            None => {
                let star = self.push(Inst::Fail)?;
                let left = self.node(node, star)?;
                if let Some(inst) = self.insts.get_mut(usize::from(star)) {
                    *inst = Inst::Split { left, right: next };
                }
                star
            }
            // Each optional copy can only follow the one before it.
            Some(max) => (min..max).try_fold(next, |entry, _| {
                let left = self.node(node, entry)?;
                self.push(Inst::Split { left, right: next })
            })?,
        };
        for _ in 0..min {
            entry = self.node(node, entry)?;
        }
        Ok(entry)
    }

    fn class(&mut self, ranges: &[(u32, u32)], next: Id) -> Result<Id, TooLarge> {
        let mut set = 0;
        let mut class = ClassBuilder {
            program: self,
            next,
            suffixes: BTreeMap::new(),
            entry: None,
        };
        let mut result = Ok(());
        for &(lo, hi) in ranges {
            (lo..=hi.min(0x7F)).for_each(|rune| set |= 1 << rune);
            if hi > 0x7F && result.is_ok() {
                sequences(lo.max(0x80), hi, &mut |sequence| {
                    if result.is_ok() {
                        result = class.add(sequence);
                    }
                });
            }
        }
        result?;
        if set != 0 {
            class.either(Inst::Ascii { set, next })?;
        }
        let entry = class.entry;
        entry.map_or_else(|| self.push(Inst::Fail), Ok)
    }
}

/// Compiles the multi-byte members of one class; sequences that end alike share that end.
struct ClassBuilder<'a> {
    program: &'a mut Program,
    next: Id,
    suffixes: BTreeMap<(ByteRange, Id), Id>,
    entry: Option<Id>,
}

impl ClassBuilder<'_> {
    fn add(&mut self, sequence: &[ByteRange]) -> Result<(), TooLarge> {
        let Some((&lead, continuations)) = sequence.split_first() else {
            return Ok(());
        };
        let mut next = self.next;
        for &range in continuations.iter().rev() {
            next = match self.suffixes.get(&(range, next)) {
                Some(&shared) => shared,
                None => {
                    let id = self.program.push(Inst::Bytes { range, next })?;
                    self.suffixes.insert((range, next), id);
                    id
                }
            };
        }
        self.either(Inst::Bytes { range: lead, next })
    }

    /// Adds an alternative to the entry.
    fn either(&mut self, inst: Inst) -> Result<(), TooLarge> {
        let left = self.program.push(inst)?;
        self.entry = Some(match self.entry {
            Some(right) => self.program.push(Inst::Split { left, right })?,
            None => left,
        });
        Ok(())
    }
}

//! Following a program through a text, all ways at once.

use alloc::vec;
use alloc::vec::Vec;

use super::program::{Id, Inst, Program};

/// Working memory for one program; a few bytes per instruction.
pub(super) struct Scratch {
    /// The instructions reached at one position.
    reached: IdSet,
    /// Reached, but not looked at yet.
    pending: Vec<Id>,
    /// Where consuming a byte led.
    targets: IdSet,
}

impl Scratch {
    pub(super) fn new(program: &Program) -> Self {
        let len = program.insts().len();
        Self {
            reached: IdSet::new(len),
            pending: Vec::new(),
            targets: IdSet::new(len),
        }
    }

    /// How many instructions the last call reached: the measure of its cost.
    pub(super) fn reached(&self) -> usize {
        self.reached.list.len()
    }

    /// Where the program gets from `from` by consuming `byte`, given the byte before it (`None`: it is the first).
    pub(super) fn step(&mut self, program: &Program, from: &[Id], before: Option<u8>, byte: u8) -> &[Id] {
        self.reach(program, from, before, Some(byte));
        self.targets.clear();
        for id in &self.reached.list {
            if let Some(target) = program.inst(*id).step(byte) {
                self.targets.insert(target);
            }
        }
        &self.targets.list
    }

    /// Whether the program accepts at `from`, given that the text ends there.
    pub(super) fn accepts(&mut self, program: &Program, from: &[Id], before: Option<u8>) -> bool {
        self.reach(program, from, before, None);
        self.reached
            .list
            .iter()
            .any(|id| matches!(program.inst(*id), Inst::Match))
    }

    /// Collects all instructions that can be reached from `from` without consuming anything.
    fn reach(&mut self, program: &Program, from: &[Id], before: Option<u8>, after: Option<u8>) {
        self.reached.clear();
        self.pending.extend_from_slice(from);
        while let Some(id) = self.pending.pop() {
            if !self.reached.insert(id) {
                continue;
            }
            match program.inst(id) {
                Inst::Split { left, right } => self.pending.extend([left, right]),
                Inst::Look { look, next } if look.holds(before, after) => self.pending.push(next),
                Inst::Look { .. } | Inst::Bytes { .. } | Inst::Ascii { .. } | Inst::Match | Inst::Fail => {}
            }
        }
    }
}

/// The most instructions to look at for one text. Whoever writes the text chooses its length, and must not choose how
/// long everybody else waits.
const MAX_STEPS: usize = 1 << 20;

/// Whether the program matches the whole text, in time proportional to the size of both, up to a limit; beyond that
/// the answer is no. Allocates its working memory.
pub(super) fn is_match(program: &Program, input: &[u8]) -> bool {
    let mut scratch = Scratch::new(program);
    let mut from = vec![program.start()];
    let mut before = None;
    let mut steps = 0_usize;
    for &byte in input {
        let targets = scratch.step(program, &from, before, byte);
        if targets.is_empty() {
            return false;
        }
        from.clear();
        from.extend_from_slice(targets);
        before = Some(byte);
        steps = steps.saturating_add(scratch.reached());
        if steps > MAX_STEPS {
            return false;
        }
    }
    scratch.accepts(program, &from, before)
}

/// A set of instructions that is cheap to clear.
struct IdSet {
    list: Vec<Id>,
    member: Vec<bool>,
}

impl IdSet {
    fn new(len: usize) -> Self {
        Self {
            list: Vec::new(),
            member: vec![false; len],
        }
    }

    /// Whether the element is new.
    fn insert(&mut self, id: Id) -> bool {
        let Some(member) = self.member.get_mut(usize::from(id)) else {
            return false;
        };
        let new = !*member;
        if new {
            *member = true;
            self.list.push(id);
        }
        new
    }

    fn clear(&mut self) {
        for id in self.list.drain(..) {
            if let Some(member) = self.member.get_mut(usize::from(id)) {
                *member = false;
            }
        }
    }
}

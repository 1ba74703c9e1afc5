//! The program as a table: one look-up per byte of input, nothing allocated, nothing shared or changed.
//!
//! The table is built as a whole, before the first text: most expressions of a large policy never meet one. Where it would
//! grow too large there is none, and the program is followed instead.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::hir::is_word;
use super::nfa::Scratch;
use super::program::{Id, Inst, Program, contains};

/// The largest table, in entries of two bytes.
const MAX_ENTRIES: usize = 1 << 16;

/// The most instructions to look at while building one table; it bounds the time.
const MAX_WORK: usize = 1 << 17;

/// The row of the state from which nothing matches any more.
const DEAD: u16 = 0;

/// A complete deterministic automaton over bytes.
#[derive(Debug, Clone)]
pub(super) struct Dfa {
    classes: Box<[u8; 256]>,
    class_count: usize,
    /// A row for each state, with the row of the next state for each class. Rows are named by where they begin.
    next: Vec<u16>,
    /// Whether the text may end, by state.
    accepting: Vec<bool>,
    /// Where the text that every match begins with leads to.
    after_lead: u16,
}

impl Dfa {
    /// Whether the automaton accepts the lead with `rest` behind it.
    pub(super) fn is_match_after_lead(&self, rest: &[u8]) -> bool {
        let state = usize::from(self.follow(self.after_lead, rest)).checked_div(self.class_count);
        state.is_some_and(|state| self.accepting.get(state).copied().unwrap_or(false))
    }

    fn follow(&self, mut row: u16, text: &[u8]) -> u16 {
        for &byte in text {
            let class = self.classes.get(usize::from(byte)).copied().map_or(0, usize::from);
            row = self.next.get(usize::from(row) + class).copied().unwrap_or(DEAD);
            if row == DEAD {
                break;
            }
        }
        row
    }

    /// Builds the automaton, unless it would be too large or too much work. `lead` must be what every match begins
    /// with. `budget` is what may be worked, and what is left of it afterwards.
    pub(super) fn build(program: &Program, lead: &[u8], budget: &mut usize) -> Option<Self> {
        let allowance = MAX_WORK.min(*budget);
        let mut work = 0;
        let dfa = Self::build_within(program, lead, allowance, &mut work);
        *budget = budget.saturating_sub(work);
        dfa
    }

    pub(super) fn build_within(program: &Program, lead: &[u8], allowance: usize, work: &mut usize) -> Option<Self> {
        let alphabet = Alphabet::of(program);
        let class_count = alphabet.samples.len();
        let mut builder = Builder {
            program,
            states: BTreeMap::new(),
            queue: Vec::new(),
            max_states: MAX_ENTRIES / class_count.max(1),
            class_count,
        };
        builder.state(&[], None)?;
        let start = builder.state(&[program.start()], None)?;

        let mut scratch = Scratch::new(program);
        let (mut next, mut accepting) = (Vec::new(), Vec::new());
        while let Some((from, before)) = builder.queue.get(accepting.len()).cloned() {
            accepting.push(scratch.accepts(program, &from, before));
            for &byte in &alphabet.samples {
                let targets = scratch.step(program, &from, before, byte);
                next.push(builder.state(targets, Some(byte))?);
                *work += scratch.reached();
            }
            if *work > allowance {
                return None;
            }
        }
        let mut dfa = Self {
            classes: alphabet.classes,
            class_count,
            next,
            accepting,
            after_lead: start,
        };
        dfa.after_lead = dfa.follow(start, lead);
        Some(dfa)
    }
}

/// What a state stands for: where the program is, and as much of the byte before as its assertions can see.
type Situation = (Box<[Id]>, Option<u8>);

struct Builder<'a> {
    program: &'a Program,
    /// The rows of the states.
    states: BTreeMap<Situation, u16>,
    /// All situations, by state.
    queue: Vec<Situation>,
    max_states: usize,
    class_count: usize,
}

impl Builder<'_> {
    /// The row of the state for a situation, which is new if it has not been met before.
    fn state(&mut self, at: &[Id], before: Option<u8>) -> Option<u16> {
        let mut at = Box::<[Id]>::from(at);
        at.sort_unstable();
        let before = before
            .filter(|_| self.program.has_looks() && !at.is_empty())
            .map(sample);
        let situation = (at, before);
        if let Some(&row) = self.states.get(&situation) {
            return Some(row);
        }
        if self.queue.len() >= self.max_states {
            return None;
        }
        let row = u16::try_from(self.queue.len() * self.class_count).ok()?;
        self.queue.push(situation.clone());
        self.states.insert(situation, row);
        Some(row)
    }
}

/// One byte to stand for all that no assertion can tell apart.
fn sample(byte: u8) -> u8 {
    match byte {
        b'\n' => byte,
        _ if is_word(Some(byte)) => b'w',
        _ => b' ',
    }
}

/// The bytes, divided into classes no instruction can tell apart.
struct Alphabet {
    classes: Box<[u8; 256]>,
    /// One byte of each class.
    samples: Vec<u8>,
}

impl Alphabet {
    fn of(program: &Program) -> Self {
        // Whether the byte may behave unlike the one before it.
        let mut differs = vec![false; 257];
        let mut mark = |at: usize| differs.get_mut(at).into_iter().for_each(|mark| *mark = true);
        for inst in program.insts() {
            match *inst {
                Inst::Bytes { range: (lo, hi), .. } => {
                    mark(usize::from(lo));
                    mark(usize::from(hi) + 1);
                }
                Inst::Ascii { set, .. } => (1..=128u8)
                    .filter(|&byte| contains(set, byte) != contains(set, byte - 1))
                    .for_each(|byte| mark(usize::from(byte))),
                Inst::Look { .. } => (1..=128u8)
                    .filter(|&byte| sample(byte) != sample(byte - 1))
                    .for_each(|byte| mark(usize::from(byte))),
                Inst::Split { .. } | Inst::Match | Inst::Fail => {}
            }
        }
        let mut classes = Box::new([0; 256]);
        let mut samples = vec![0];
        let mut class = 0u8;
        for ((byte, slot), differs) in (0..=u8::MAX).zip(classes.iter_mut()).zip(differs).skip(1) {
            if differs {
                class = class.saturating_add(1);
                samples.push(byte);
            }
            *slot = class;
        }
        Self { classes, samples }
    }
}

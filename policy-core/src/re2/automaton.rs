//! A program with the table that is built for the first text it is asked about.

use alloc::{boxed::Box, sync::Arc};
use core::sync::atomic::{AtomicUsize, Ordering};

use once_cell::race::OnceBox;

use super::{dfa::Dfa, nfa, program::Program};

/// A program, and its table once it was needed.
pub(super) struct Automaton {
    program: Program,
    /// What every match begins with. Most texts end here, and need no table.
    lead: Box<[u8]>,
    /// `None` inside if it would be too large.
    table: OnceBox<Option<Dfa>>,
    /// What is left for the tables of all who share it. Threads that build at the same time may both spend the rest.
    work: Arc<AtomicUsize>,
}

impl Automaton {
    /// `lead` must be what every match of the program begins with.
    pub(super) fn new(program: Program, lead: Box<[u8]>, work: Arc<AtomicUsize>) -> Self {
        let table = OnceBox::new();
        Self {
            program,
            lead,
            table,
            work,
        }
    }

    pub(super) fn lead(&self) -> &[u8] {
        &self.lead
    }

    fn table(&self) -> Option<&Dfa> {
        let build = || {
            let mut work = self.work.load(Ordering::Relaxed);
            let table = Dfa::build(&self.program, &self.lead, &mut work);
            self.work.store(work, Ordering::Relaxed);
            Box::new(table)
        };
        self.table.get_or_init(build).as_ref()
    }

    /// Whether there is a table, or the program has to be followed.
    pub(super) fn has_table(&self) -> bool {
        self.table().is_some()
    }

    pub(super) fn is_match(&self, input: &[u8]) -> bool {
        let Some(rest) = input.strip_prefix(&*self.lead) else {
            return false;
        };
        match self.table() {
            Some(table) => table.is_match_after_lead(rest),
            None => nfa::is_match(&self.program, input),
        }
    }
}

/// The copy builds a table of its own.
impl Clone for Automaton {
    fn clone(&self) -> Self {
        Self::new(self.program.clone(), self.lead.clone(), Arc::clone(&self.work))
    }
}

//! Counts.

use std::ops::AddAssign;

use serde::Serialize;

use super::compare::{Difference, Kind};

/// How much of something agrees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Tally {
    pub(super) lines: usize,
    /// Flows with the expected verdict.
    pub(super) agreed: usize,
    /// Flows with another.
    pub(super) disagreed: usize,
    /// Flows without a verdict, because something about them is not supported yet.
    pub(super) unsupported: usize,
    /// Flows with the expected verdict, but another layer, or another way to it.
    pub(super) details: usize,
    /// Objects that are rejected as expected.
    pub(super) objects_agreed: usize,
    /// Objects that are rejected, but should not be, or the other way round.
    pub(super) objects_disagreed: usize,
    /// Objects that are rejected only because something in them is not supported yet.
    pub(super) objects_unsupported: usize,
    /// Lines without an answer.
    pub(super) unanswered: usize,
    /// Lines that two engines answer differently.
    pub(super) engines_differ: usize,
    /// Differences that are known.
    pub(super) known: usize,
    /// Known differences that are none.
    pub(super) stale: usize,
}

impl Tally {
    /// A line without an answer, which is not counted as such yet.
    pub(super) fn unanswered(error: &str) -> (Self, Vec<Difference>) {
        let tally = Self {
            lines: 1,
            ..Self::default()
        };
        let difference = Difference {
            kind: Kind::Unanswered,
            flow: None,
            object: None,
            expected: "an answer".into(),
            got: error.into(),
            because: None,
        };
        (tally, vec![difference])
    }

    /// Counts a difference.
    pub(super) fn differs(&mut self, kind: Kind) {
        *match kind {
            Kind::Verdict => &mut self.disagreed,
            Kind::Detail => &mut self.details,
            Kind::Object => &mut self.objects_disagreed,
            Kind::Unanswered => &mut self.unanswered,
            Kind::Engines => &mut self.engines_differ,
            Kind::Stale => &mut self.stale,
        } += 1;
    }

    /// Whether nothing differs; what is known or not supported does not count.
    pub(super) fn agrees(&self) -> bool {
        let Self {
            disagreed,
            details,
            objects_disagreed,
            unanswered,
            engines_differ,
            stale,
            ..
        } = *self;
        disagreed + details + objects_disagreed + unanswered + engines_differ + stale == 0
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        // Every field by name, so that a new one is not forgotten.
        let Self {
            lines,
            agreed,
            disagreed,
            unsupported,
            details,
            objects_agreed,
            objects_disagreed,
            objects_unsupported,
            unanswered,
            engines_differ,
            known,
            stale,
        } = other;
        self.lines += lines;
        self.agreed += agreed;
        self.disagreed += disagreed;
        self.unsupported += unsupported;
        self.details += details;
        self.objects_agreed += objects_agreed;
        self.objects_disagreed += objects_disagreed;
        self.objects_unsupported += objects_unsupported;
        self.unanswered += unanswered;
        self.engines_differ += engines_differ;
        self.known += known;
        self.stale += stale;
    }
}

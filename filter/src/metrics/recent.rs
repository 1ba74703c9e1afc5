//! The counters of the last verdicts: what decides again finds its counter without comparing names.

use policy_core::RuleRef;

use super::Kind;

/// How many there are.
const PLACES: usize = 32;

/// Each in a place of its own. What has the same place takes it.
#[derive(Default)]
pub(super) struct Recent([Option<Counter>; PLACES]);

/// The counter of a verdict.
struct Counter {
    /// Kept, so that nothing else is where it is.
    rule: Option<RuleRef>,
    reason: &'static str,
    /// [`Kind::place`].
    kind: usize,
    id: u32,
}

impl Recent {
    /// The counter of what decides like this.
    pub(super) fn find(&self, kind: &Kind<'_>) -> Option<u32> {
        let counter = self.0.get(place(kind))?.as_ref()?;
        counter.counts(kind).then_some(counter.id)
    }

    pub(super) fn remember(&mut self, kind: &Kind<'_>, id: u32) {
        if let Some(counter) = self.0.get_mut(place(kind)) {
            *counter = Some(Counter {
                rule: kind.outcome.rule().cloned(),
                reason: kind.outcome.reason(),
                kind: kind.place(),
                id,
            });
        }
    }
}

impl Counter {
    /// Texts are the same only if they are at the same place, or else their counter is found by name.
    fn counts(&self, kind: &Kind<'_>) -> bool {
        let at = |rule: Option<&RuleRef>| rule.map(|rule| rule.as_str().as_ptr());
        self.kind == kind.place()
            && at(self.rule.as_ref()) == at(kind.outcome.rule())
            && core::ptr::eq(self.reason, kind.outcome.reason())
    }
}

fn place(kind: &Kind<'_>) -> usize {
    let rule = kind.outcome.rule().map_or(0, |rule| rule.as_str().as_ptr().addr());
    // Texts lie at multiples of four at least, and next to each other.
    ((rule >> 2) ^ (rule >> 7) ^ kind.place()) % PLACES
}

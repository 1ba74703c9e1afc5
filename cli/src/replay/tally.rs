//! From lines to counts.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    thread,
};

use anyhow::Result;
use policy_core::Scope;

use super::{
    ask,
    envoy::Reading,
    group::{At, Groups, Place},
    line,
    record::Record,
    skip::{Skip, Why},
    source::{Batch, MAX_LINE, Numbered},
    world::World,
};

/// How many answers are remembered; then all are forgotten.
const MAX_REMEMBERED: usize = 32_768;

/// What came of all lines so far.
pub(super) struct Tally {
    world: World,
    reading: Reading,
    /// Whom to ask about lines that do not say it.
    scope: Scope,
    jobs: NonZeroUsize,
    remembered: HashMap<Record, Outcome>,
    pub(super) lines: u64,
    pub(super) same: u64,
    pub(super) groups: Groups,
    pub(super) skipped: BTreeMap<Why, Skipped>,
}

/// Lines that were not judged for one reason.
#[derive(Debug)]
pub(super) struct Skipped {
    pub(super) lines: u64,
    pub(super) first: At,
    /// What exactly was wrong with the first.
    pub(super) detail: String,
}

/// What came of a flow.
enum Outcome {
    Same,
    Changed(Place),
    Skipped(Skip),
}

impl Tally {
    pub(super) fn new(world: World, reading: Reading, scope: Scope, jobs: NonZeroUsize) -> Self {
        Self {
            world,
            reading,
            scope,
            jobs,
            remembered: HashMap::new(),
            lines: 0,
            same: 0,
            groups: Groups::default(),
            skipped: BTreeMap::new(),
        }
    }

    /// Judges the lines of a batch, in their order.
    pub(super) fn add(&mut self, log: usize, batch: &Batch) -> Result<()> {
        let lines: Vec<Numbered<'_>> = batch.lines().collect();
        let mut records = read_all(&lines, &self.reading, self.jobs);
        for record in &mut records {
            if let Ok(known) = record
                && !self.remembered.contains_key(known)
                && let Err(skip) = self.world.learn(known)
            {
                *record = Err(skip);
            }
        }
        if self.world.refresh()? {
            // Names of addresses may have changed answers.
            self.remembered.clear();
        }
        for ((number, _), record) in lines.into_iter().zip(records) {
            let at = At { log, line: number };
            self.lines += 1;
            match record {
                Ok(record) => self.judge(record, at),
                Err(skip) => self.skip(&skip, at),
            }
        }
        Ok(())
    }

    fn judge(&mut self, record: Record, at: At) {
        if let Some(outcome) = self.remembered.get(&record) {
            match outcome {
                Outcome::Same => self.same += 1,
                Outcome::Changed(place) => self.groups.count(*place),
                Outcome::Skipped(skip) => count_skipped(&mut self.skipped, skip, at),
            }
            return;
        }
        let outcome = match ask::judge(&self.world, &record, self.scope) {
            Err(skip) => {
                self.skip(&skip, at);
                Outcome::Skipped(skip)
            }
            Ok(now) if now.allows() == record.then.allowed => {
                self.same += 1;
                Outcome::Same
            }
            Ok(now) => {
                let place = self.groups.place(&self.world, &record, &now, at);
                self.groups.count(place);
                Outcome::Changed(place)
            }
        };
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.clear();
        }
        self.remembered.insert(record, outcome);
    }

    fn skip(&mut self, skip: &Skip, at: At) {
        count_skipped(&mut self.skipped, skip, at);
    }

    /// How many lines were judged.
    pub(super) fn judged(&self) -> u64 {
        self.same + self.groups.all.opened + self.groups.all.closed
    }
}

fn count_skipped(skipped: &mut BTreeMap<Why, Skipped>, skip: &Skip, at: At) {
    let first = || Skipped {
        lines: 0,
        first: at,
        detail: skip.detail.clone().into_owned(),
    };
    skipped.entry(skip.why).or_insert_with(first).lines += 1;
}

/// What every line says, in their order. Reading JSON takes most of the time, and lines do not depend on each other.
fn read_all(lines: &[Numbered<'_>], reading: &Reading, jobs: NonZeroUsize) -> Vec<Result<Record, Skip>> {
    /// Fewer are not worth a thread.
    const MIN_SHARE: usize = 256;

    let read = |lines: &[Numbered<'_>]| -> Vec<Result<Record, Skip>> {
        let lines = lines.iter().map(|(_, text)| match text {
            Some(text) => line::read(text, reading),
            None => Err(Skip::new(Why::Malformed, format!("longer than {MAX_LINE} bytes"))),
        });
        lines.collect()
    };
    let share = lines.len().div_ceil(jobs.get()).max(MIN_SHARE);
    if lines.len() <= share {
        return read(lines);
    }
    thread::scope(|scope| {
        let shares: Vec<_> = lines
            .chunks(share)
            .map(|share| scope.spawn(move || read(share)))
            .collect();
        let read = shares.into_iter().map(|share| match share.join() {
            Ok(records) => records,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        read.flatten().collect()
    })
}

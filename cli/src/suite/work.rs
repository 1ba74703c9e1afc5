//! Asking about all cases, on several threads. An engine belongs to one thread, so each thread has its own.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Result, anyhow};

use super::{
    ask::{Asker, Seen},
    case::Case,
    form::Suite,
    world::{Ends, State, World},
};
use crate::args::EngineChoice;

/// How many cases a thread takes at once: fewer are asked in less time than an engine is made.
const CHUNK: usize = 64;

/// What came of all cases.
pub(super) struct Work {
    /// By suite; nothing for a suite whose policies are invalid.
    pub(super) seen: Vec<Vec<Seen>>,
    /// How many messages the native engine decided on instead of the plugin.
    pub(super) asked_natively: usize,
}

/// Some cases of one suite.
struct Chunk<'a> {
    world: usize,
    suite: usize,
    /// The position of the first one.
    first: usize,
    cases: &'a [Case],
    ends: &'a [Ends],
}

/// What one thread found out: chunks by position, and how many messages the native engine decided on.
type Found = (Vec<(usize, Vec<Seen>)>, usize);

/// Asks about all cases. An error says that an engine failed, which is a fault of ours.
pub(super) fn run(
    suites: &[Suite],
    worlds: &[World],
    engine: EngineChoice,
    jobs: Option<NonZeroUsize>,
) -> Result<Work> {
    let chunks = chunks(suites, worlds);
    let jobs = jobs.or_else(|| thread::available_parallelism().ok());
    let threads = jobs.map_or(1, NonZeroUsize::get).min(chunks.len());
    let next = AtomicUsize::new(0);
    let found: Vec<Found> = thread::scope(|scope| {
        let start = |_| scope.spawn(|| ask(&chunks, worlds, &next, engine));
        let running: Vec<_> = (0..threads).map(start).collect();
        let finish = |thread: thread::ScopedJoinHandle<'_, Result<Found>>| {
            thread.join().map_err(|_| anyhow!("a thread that asks has panicked"))?
        };
        running.into_iter().map(finish).collect::<Result<_>>()
    })?;
    let asked_natively = found.iter().map(|(_, natively)| natively).sum();
    let mut parts: Vec<(usize, Vec<Seen>)> = found.into_iter().flat_map(|(parts, _)| parts).collect();
    parts.sort_by_key(|(position, _)| chunks.get(*position).map(|chunk| (chunk.suite, chunk.first)));
    let mut seen: Vec<Vec<Seen>> = suites.iter().map(|_| Vec::new()).collect();
    for (position, part) in parts {
        if let Some(of_suite) = chunks.get(position).and_then(|chunk| seen.get_mut(chunk.suite)) {
            of_suite.extend(part);
        }
    }
    Ok(Work { seen, asked_natively })
}

/// Those of one world one after the other, so that a thread rarely needs another engine.
fn chunks<'a>(suites: &'a [Suite], worlds: &'a [World]) -> Vec<Chunk<'a>> {
    let mut chunks = Vec::new();
    for (world, World { suites: members, state }) in worlds.iter().enumerate() {
        let State::Ready { bundle: _, ends } = state else {
            continue;
        };
        for (suite, ends) in members.iter().zip(ends) {
            let cases = suites
                .get(*suite)
                .map(|suite| suite.cases.as_slice())
                .unwrap_or_default();
            let parts = cases.chunks(CHUNK).zip(ends.chunks(CHUNK)).enumerate();
            chunks.extend(parts.map(|(i, (cases, ends))| Chunk {
                world,
                suite: *suite,
                first: i * CHUNK,
                cases,
                ends,
            }));
        }
    }
    chunks
}

/// Takes chunks until there are none left.
fn ask(chunks: &[Chunk<'_>], worlds: &[World], next: &AtomicUsize, engine: EngineChoice) -> Result<Found> {
    let mut asker = Asker::new(engine)?;
    let mut loaded = None;
    let mut parts = Vec::new();
    loop {
        let position = next.fetch_add(1, Ordering::Relaxed);
        let Some(chunk) = chunks.get(position) else {
            return Ok((parts, asker.asked_natively()));
        };
        let Some(State::Ready { bundle, .. }) = worlds.get(chunk.world).map(|world| &world.state) else {
            continue;
        };
        if loaded != Some(chunk.world) {
            asker.load(bundle)?;
            loaded = Some(chunk.world);
        }
        let both = chunk.cases.iter().zip(chunk.ends);
        let seen: Result<Vec<Seen>> = both.map(|(case, ends)| asker.ask(case, ends, bundle)).collect();
        parts.push((position, seen?));
    }
}

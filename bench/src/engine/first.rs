//! What is found out only once: an engine from a bundle, the rules of a subject, the entries for a peer.

use std::hint::black_box;

use anyhow::{Result, anyhow};
use policy_core::{Bundle, Engine};

use super::{Asked, shapes};
use crate::report::Report;
use crate::sampler::{Series, processor_time};

/// How often an engine is built.
const ENGINES: usize = 7;
/// How many questions of a kind a new engine is asked, at most.
const QUESTIONS: u32 = 200;

/// What a new engine is measured for.
#[derive(Default)]
struct Once {
    read: Series,
    build: Series,
    subject: Series,
    peer: Series,
}

/// Adds the costs of everything that happens once.
pub(super) fn measure(report: &mut Report, short: bool) -> Result<()> {
    let shapes = shapes(short);
    let mut found: Vec<Once> = shapes.iter().map(|_| Once::default()).collect();
    for (shape, once) in shapes.iter().zip(&mut found) {
        let json = shape.bundle().to_json();
        report.add_exact("bundle, JSON", &shape.name(), "bytes", json.len() as f64);
        for _ in 0..if short { 2 } else { ENGINES } {
            let (bundle, took) = processor_time(|| Bundle::from_json(&json));
            once.read.0.push(took.as_secs_f64() * 1e3);
            let bundle = bundle?;
            let (engine, took) = processor_time(|| Engine::new(bundle));
            once.build.0.push(took.as_secs_f64() * 1e3);
            let engine = engine.map_err(|errors| anyhow!("{errors:?}"))?;
            once.ask(&Asked { shape: *shape, engine });
        }
    }
    for (shape, once) in shapes.iter().zip(&found) {
        let name = shape.name();
        report.add("bundle, read", &name, "ms", &once.read);
        report.add("engine, built", &name, "ms", &once.build);
        report.add("connection, first of its subject", &name, "ns", &once.subject);
        report.add("connection, first of its peer", &name, "ns", &once.peer);
    }
    Ok(())
}

impl Once {
    /// Every subject is new to the engine, and then every peer of one subject.
    fn ask(&mut self, world: &Asked) {
        let subjects = (world.shape.identities / 2).min(QUESTIONS);
        let peer = world.peer();
        self.subject.0.push(each(subjects, |subject| {
            black_box(world.admit_to(peer, subject).verdict());
        }));
        let peers = subjects.saturating_sub(1).max(1);
        self.peer.0.push(each(peers, |number| {
            let other = world.shape.identities - 1 - number;
            // The one that was asked about already.
            let other = if other == peer { 0 } else { other };
            black_box(
                world
                    .admit_to(other, world.shape.subject(world.shape.asked()))
                    .verdict(),
            );
        }));
    }
}

/// Nanoseconds for one of so many questions.
fn each(count: u32, mut ask: impl FnMut(u32)) -> f64 {
    let ((), took) = processor_time(|| (0..count).for_each(&mut ask));
    took.as_secs_f64() * 1e9 / f64::from(count)
}

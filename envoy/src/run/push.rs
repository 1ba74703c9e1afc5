//! Publishing a policy and finding out what Envoy made of it.
//!
//! Envoy says so in counters alone. Every publication is one rename, so each subscription reads once and moves
//! exactly one of three counters; an accepted resource that differs from the one in use then moves `config_reload`
//! when the last worker has taken it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::admin::{Admin, POLL};
use crate::ecds::{self, Layer};

/// A big policy takes seconds to parse, in every VM.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What Envoy made of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The network filters.
    pub network: Answer,
    /// The HTTP filters, if the node has an HTTP listener.
    pub http: Option<Answer>,
}

/// What one kind of filter made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Every worker uses it.
    Accepted,
    /// The plugin, or Envoy, refused its content; what was in force still is.
    Rejected,
    /// It is not even a resource; what was in force still is.
    Unreadable,
}

impl Pushed {
    /// Whether every filter uses it.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.network == Answer::Accepted && self.http.is_none_or(|http| http == Answer::Accepted)
    }
}

/// The folder and the Envoy that watches it.
pub(super) struct Watched {
    pub(super) admin: Admin,
    pub(super) state_dir: PathBuf,
    pub(super) http: bool,
    pub(super) endpoints: bool,
}

/// What was published before, to know which publications change something.
#[derive(Debug, Default)]
pub(super) struct Applied(Mutex<History>);

type History = BTreeMap<&'static str, Before>;

/// The resources that one layer had before.
#[derive(Debug, Default)]
struct Before {
    /// Those in use.
    in_use: Option<Value>,
    /// Those that were refused last, if nothing was accepted since. Envoy does not look at them a second time, and
    /// counts that as a success.
    refused: Option<Value>,
}

type Stats = BTreeMap<String, u64>;

impl Applied {
    /// What Envoy started with.
    pub(super) fn at_start(watched: &Watched) -> Result<Self> {
        let stats = watched.admin.stats()?;
        let history = watched.layers().map(|layer| {
            let resources = watched.resources(layer);
            let before = if counter(&stats, layer, "config_reload") > 0 && counter(&stats, layer, "config_fail") == 0 {
                Before {
                    in_use: resources,
                    refused: None,
                }
            } else {
                Before {
                    in_use: None,
                    refused: resources,
                }
            };
            (layer.file_name(), before)
        });
        Ok(Self(Mutex::new(history.collect())))
    }

    /// Publishes, and waits for the answer. Publications take turns.
    pub(super) fn push(&self, watched: &Watched, publish: impl FnOnce() -> Result<()>) -> Result<Pushed> {
        let mut history = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = watched.admin.stats()?;
        publish()?;
        let network = settle(watched, Layer::Network, &before, &mut history)?;
        let http = if watched.http {
            Some(settle(watched, Layer::Http, &before, &mut history)?)
        } else {
            None
        };
        Ok(Pushed { network, http })
    }
}

/// Waits until one layer answered and, if what is in use has changed, until every worker has it.
fn settle(watched: &Watched, layer: Layer, stats: &Stats, history: &mut History) -> Result<Answer> {
    let answer = watched.wait_for_answer(layer, stats)?;
    let resources = watched.resources(layer);
    let before = history.entry(layer.file_name()).or_default();
    match answer {
        Answer::Accepted if resources.is_some() && before.refused == resources => return Ok(Answer::Rejected),
        Answer::Accepted => {
            before.refused = None;
            if before.in_use != resources {
                watched.wait_for_workers(layer, stats)?;
                before.in_use = resources;
            }
        }
        Answer::Rejected => before.refused = resources,
        Answer::Unreadable => {}
    }
    Ok(answer)
}

impl Watched {
    /// The layers that the node subscribes to, the network first.
    fn layers(&self) -> impl Iterator<Item = Layer> {
        let http = self.http;
        Layer::ALL
            .into_iter()
            .filter(move |&layer| layer == Layer::Network || http)
    }

    /// What is published for a layer, without its version; nothing if it cannot be read.
    fn resources(&self, layer: Layer) -> Option<Value> {
        let bytes = fs::read(self.state_dir.join(layer.file_name())).ok()?;
        let document: Value = serde_json::from_slice(&bytes).ok()?;
        document.get("resources").cloned()
    }

    fn wait_for_answer(&self, layer: Layer, before: &Stats) -> Result<Answer> {
        const COUNTERS: [(&str, Answer); 3] = [
            ("update_success", Answer::Accepted),
            ("update_rejected", Answer::Rejected),
            ("update_failure", Answer::Unreadable),
        ];
        self.wait(layer, |stats| {
            let moved = |&&(name, _): &&(&str, Answer)| counter(stats, layer, name) > counter(before, layer, name);
            COUNTERS.iter().find(moved).map(|&(_, answer)| answer)
        })
    }

    fn wait_for_workers(&self, layer: Layer, before: &Stats) -> Result<()> {
        // The filters behind load balancing subscribe by themselves, to the same document.
        let behind = (self.endpoints && layer == Layer::Http).then_some(ecds::UPSTREAM_STAT_PREFIX);
        let prefixes = [Some(layer.stat_prefix()), behind.map(str::to_owned)];
        let reloads = |stats: &Stats, prefix: &str| stats.get(&format!("{prefix}.config_reload")).copied();
        for prefix in prefixes.iter().flatten() {
            let old = reloads(before, prefix);
            self.wait(layer, |stats| (reloads(stats, prefix) > old).then_some(()))?;
        }
        Ok(())
    }

    fn wait<T>(&self, layer: Layer, look: impl Fn(&Stats) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(seen) = look(&self.admin.stats()?) {
                return Ok(seen);
            }
            if Instant::now() >= deadline {
                bail!("envoy did not react to the publication for {}", layer.resource_name());
            }
            sleep(POLL);
        }
    }
}

fn counter(stats: &Stats, layer: Layer, name: &str) -> u64 {
    stats
        .get(&format!("{}.{name}", layer.stat_prefix()))
        .copied()
        .unwrap_or(0)
}

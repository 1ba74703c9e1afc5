//! Counters and the gauge. Envoy has no labels for metrics: they are parts of the name, and its tag rules extract them.

use core::cell::Cell;
use policy_core::Scope;

use crate::host::{Host, MetricKind};

/// Which filter gave a verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layer {
    /// The network filter, on a connection.
    L4,
    /// The HTTP filter, on a request.
    L7,
}

impl Layer {
    const fn as_str(self) -> &'static str {
        match self {
            Self::L4 => "l4",
            Self::L7 => "l7",
        }
    }
}

/// The ids of the metrics of this VM, each asked for when it is first needed.
#[derive(Default)]
pub(crate) struct Metrics {
    /// By whose policy was asked (nobody knows, ingress, egress, both), layer and verdict.
    verdicts: [[[Id; 2]; 2]; 4],
    /// By layer.
    revocations: [Id; 2],
    panics: Id,
    rejections: Id,
    generation: Id,
}

/// The id that the host gave, once it did.
#[derive(Default)]
struct Id(Cell<Option<u32>>);

impl Id {
    fn get<H: Host>(&self, host: &H, kind: MetricKind, name: impl FnOnce() -> String) -> Option<u32> {
        if self.0.get().is_none() {
            self.0.set(host.define_metric(kind, &name()).ok());
        }
        self.0.get()
    }

    /// A metric that the host refuses is lost: no verdict may depend on it.
    fn increment<H: Host>(&self, host: &H, name: impl FnOnce() -> String) {
        if let Some(id) = self.get(host, MetricKind::Counter, name) {
            let _ = host.increment_metric(id, 1);
        }
    }
}

impl Metrics {
    /// Counts a verdict. The scope is `None` if it was not known whose policy to ask.
    pub(crate) fn count_verdict<H: Host>(&self, host: &H, scope: Option<Scope>, layer: Layer, allows: bool) {
        let [unknown, ingress, egress, both] = &self.verdicts;
        let (by_layer, direction) = match scope {
            None => (unknown, "unknown"),
            Some(Scope::Ingress) => (ingress, "ingress"),
            Some(Scope::Egress) => (egress, "egress"),
            Some(Scope::Both) => (both, "both"),
        };
        let [l4, l7] = by_layer;
        let by_verdict = match layer {
            Layer::L4 => l4,
            Layer::L7 => l7,
        };
        let layer = layer.as_str();
        let [allow, deny] = by_verdict;
        let (id, verdict) = if allows { (allow, "allow") } else { (deny, "deny") };
        id.increment(host, || {
            format!("portcullis_requests_total.dir.{direction}.layer.{layer}.verdict.{verdict}")
        });
    }

    /// Counts what was open and is no longer allowed.
    pub(crate) fn count_revocation<H: Host>(&self, host: &H, layer: Layer) {
        let [l4, l7] = &self.revocations;
        let id = match layer {
            Layer::L4 => l4,
            Layer::L7 => l7,
        };
        id.increment(host, || format!("portcullis_revoked_total.layer.{}", layer.as_str()));
    }

    /// Counts a panic that was caught.
    pub(crate) fn count_panic<H: Host>(&self, host: &H) {
        self.panics.increment(host, || "portcullis_panics_total".to_owned());
    }

    /// Counts a configuration that did not become the policy.
    pub(crate) fn count_rejection<H: Host>(&self, host: &H) {
        self.rejections
            .increment(host, || "portcullis_config_rejected_total".to_owned());
    }

    /// Says which policy new connections get, by its number among those that this VM built.
    pub(crate) fn show_generation<H: Host>(&self, host: &H, generation: u64) {
        let name = || "portcullis_bundle_generation".to_owned();
        if let Some(id) = self.generation.get(host, MetricKind::Gauge, name) {
            let _ = host.record_metric(id, generation);
        }
    }
}

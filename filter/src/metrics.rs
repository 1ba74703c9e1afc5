//! Counters and gauges. Envoy has no labels for metrics: they are parts of the name, and its tag rules extract them.

mod recent;

use core::cell::{Cell, RefCell};
use policy_core::Scope;

use crate::{
    host::{Host, MetricKind},
    policy::Policy,
    report::Outcome,
};
use recent::Recent;

/// How many policies have counters of their own; those of the rest are [`OTHER`].
const MAX_POLICIES: usize = 256;
/// How many counters each of them has: by whose policy was asked (nobody knows, ingress, egress, both), layer and
/// verdict.
const VERDICTS: usize = 16;
const OTHER: &str = "other";
/// The longest name of a policy, in bytes.
const MAX_SEGMENT: usize = 384;

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
    verdicts: RefCell<Policies>,
    recent: RefCell<Recent>,
    /// By whose policy was asked, layer and what would be decided.
    audits: [Id; VERDICTS],
    /// By layer.
    revocations: [Id; 2],
    panics: Id,
    rejections: Id,
    /// Of the policy in force.
    policy: [Id; 5],
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
    pub(crate) fn count_verdict<H: Host>(&self, host: &H, scope: Option<Scope>, layer: Layer, outcome: &Outcome) {
        let kind = Kind { scope, layer, outcome };
        // No host calls back while it counts.
        let (Ok(mut policies), Ok(mut recent)) = (self.verdicts.try_borrow_mut(), self.recent.try_borrow_mut()) else {
            return;
        };
        if let Some(id) = recent.find(&kind) {
            let _ = host.increment_metric(id, 1);
            return;
        }
        let (policy, ids) = policies.of(outcome.decided_by());
        let Some(id) = ids.get(kind.place()) else {
            return;
        };
        id.increment(host, || {
            kind.name("portcullis_requests_total", "verdict") + ".policy." + &segment(policy)
        });
        if let Some(id) = id.0.get() {
            recent.remember(&kind, id);
        }
    }

    /// Counts a verdict that would be another one if audit were off: this one.
    pub(crate) fn count_audit<H: Host>(&self, host: &H, scope: Option<Scope>, layer: Layer, would: &Outcome) {
        let kind = Kind {
            scope,
            layer,
            outcome: would,
        };
        if let Some(id) = self.audits.get(kind.place()) {
            id.increment(host, || kind.name("portcullis_audit_total", "would"));
        }
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

    /// Says which policy new connections get: its number among those that this VM built, when it came into force, its
    /// digest and its size.
    pub(crate) fn show_policy<H: Host>(&self, host: &H, policy: &Policy) {
        let (rules, endpoints) = policy.engine.size();
        let count = |count: usize| u64::try_from(count).ok();
        let [generation, timestamp, digest, rule_count, endpoint_count] = &self.policy;
        for (id, name, value) in [
            (generation, "portcullis_bundle_generation", Some(policy.generation)),
            (
                timestamp,
                "portcullis_bundle_timestamp_seconds",
                host.now().map(|now| now / 1_000_000_000),
            ),
            (digest, "portcullis_bundle_digest", number_of(policy.engine.digest())),
            (rule_count, "portcullis_rules", count(rules)),
            (endpoint_count, "portcullis_endpoints", count(endpoints)),
        ] {
            if let Some((id, value)) = id.get(host, MetricKind::Gauge, || name.to_owned()).zip(value) {
                let _ = host.record_metric(id, value);
            }
        }
    }
}

/// What tells counters of verdicts apart, beside the policy.
struct Kind<'a> {
    /// `None` if it was not known whose policy to ask.
    scope: Option<Scope>,
    layer: Layer,
    outcome: &'a Outcome,
}

impl Kind<'_> {
    /// Which one it is of all [`VERDICTS`].
    fn place(&self) -> usize {
        let by_direction = match self.scope {
            None => 0,
            Some(Scope::Ingress) => 4,
            Some(Scope::Egress) => 8,
            Some(Scope::Both) => 12,
        };
        let by_layer = match self.layer {
            Layer::L4 => 0,
            Layer::L7 => 2,
        };
        by_direction | by_layer | usize::from(!self.outcome.allows())
    }

    /// `TOTAL.dir.ingress.layer.l4.VERDICT.allow`.
    fn name(&self, total: &str, verdict: &str) -> String {
        let direction = match self.scope {
            None => "unknown",
            Some(Scope::Ingress) => "ingress",
            Some(Scope::Egress) => "egress",
            Some(Scope::Both) => "both",
        };
        let layer = self.layer.as_str();
        let word = if self.outcome.allows() { "allow" } else { "deny" };
        [total, ".dir.", direction, ".layer.", layer, ".", verdict, ".", word].concat()
    }
}

/// The counters of verdicts, by what decided, in the order of names.
#[derive(Default)]
struct Policies(Vec<(Box<str>, [Id; VERDICTS])>);

impl Policies {
    /// The counters of this policy, and the name that they have: if there are too many, they are those of the others.
    fn of(&mut self, policy: &str) -> (&str, &[Id]) {
        let (name, place) = match self.find(policy) {
            Err(_) if self.0.len() >= MAX_POLICIES => (OTHER, self.find(OTHER)),
            place => (policy, place),
        };
        let place = place.unwrap_or_else(|place| {
            self.0.insert(place, (name.into(), Default::default()));
            place
        });
        self.0.get(place).map_or((OTHER, &[]), |(name, ids)| (name, ids))
    }

    fn find(&self, policy: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(name, _)| (**name).cmp(policy))
    }
}

/// A policy as the last part of a name: tags are extracted from it, and it is shown in lines.
fn segment(policy: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-._/".contains(c) {
            c
        } else {
            '_'
        }
    };
    policy.chars().map(plain).take(MAX_SEGMENT).collect()
}

/// The first 52 bits of a digest, which a floating-point number holds exactly.
fn number_of(digest: &str) -> Option<u64> {
    const HEX_DIGITS: usize = 13;

    let (_, digits) = digest.split_once(':')?;
    u64::from_str_radix(digits.get(..HEX_DIGITS)?, 16).ok()
}

#[cfg(test)]
mod tests;

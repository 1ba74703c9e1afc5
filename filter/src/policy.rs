//! The policies of a VM: which one each plugin enforces now, and sharing between plugins that have the same.
//!
//! Plugins are told apart by root id and name, which is all that the host tells of them. So two plugins of one VM that
//! share both, but have different configurations, are one plugin here: new streams ask their own root and are not
//! confused, but open connections of the one are judged by the policy of the other, or closed if its settings differ.
//! Such plugins need names of their own; what listeners have to say for themselves belongs into their metadata.
//!
//! Streams keep no policy once they were judged. A root does, for it may get new streams as long as it lives, and
//! Envoy lets it live as long as a connection that was made under it.

mod asked;
mod conflict;
mod known;

use core::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use policy_core::{AddressFacts, Decision, Destination, Engine, Packed, Reason, Scope, View};

use crate::{
    config::Settings,
    facts::ConnectionFacts,
    report::{Outcome, Refusal},
};
pub(crate) use asked::Asked;
pub(crate) use known::{Known, KnownConnection};

/// A policy in force. What it says never changes: a new one takes its place.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) engine: Rc<Engine>,
    pub(crate) settings: Settings,
    /// By which settings it reads facts, see [`Settings::of_facts`].
    pub(crate) fact_settings: u64,
    /// Tells it from every other policy of this VM.
    pub(crate) generation: u64,
    /// The engines that speak for endpoints whose policies contradict each other, newest first; see [`conflict`].
    earlier: Vec<Rc<Engine>>,
    /// What it said about connections that had a request.
    pub(crate) known: Known,
}

impl Policy {
    /// What the policy says to a connection in one view. What all policies would say to an endpoint that they
    /// contradict each other about is a conflict: nobody knows the policy that it would keep.
    pub(crate) fn admit(&self, view: View, facts: &AddressFacts<'_>, scope: Scope) -> Asked {
        let admission = self.engine.admit_as(view, facts, scope);
        let is_final = self.earlier.is_empty() || view == View::Would;
        if is_final || admission.verdict().decision != Decision::Conflict {
            return admission.into();
        }
        conflict::resolve(&self.engine, &self.earlier, facts, admission)
    }

    /// Why nobody's policy can be asked about what the source of a connection does, wherever it goes; `None` if
    /// somebody's can.
    pub(crate) fn source_problem(&self, facts: &ConnectionFacts) -> Option<Reason> {
        let nowhere = facts.to(Destination::Unknown, 0);
        // In audit mode the other view lets everybody pass.
        let reason = self
            .engine
            .admit_as(View::Would, &nowhere, Scope::Egress)
            .verdict()
            .reason;
        let unknown = reason == Reason::UnknownSubject && facts.scope != Scope::Ingress;
        (unknown || reason == Reason::ContradictingIdentity).then_some(reason)
    }

    /// Whether what would happen if audit were off may be another thing than what happens.
    pub(crate) fn has_audit(&self) -> bool {
        self.engine.has_audit()
    }

    /// Whether all policies are in audit mode, so that nothing is refused by them or for want of facts.
    pub(crate) fn only_audits(&self) -> bool {
        self.engine.options().audit
    }

    /// What comes of a refusal by the plugin itself: one, unless the policy only audits.
    pub(crate) fn refusing(&self, refusal: Refusal) -> Outcome {
        match self.only_audits() {
            true => Outcome::audited().with_would(refusal.into()),
            false => refusal.into(),
        }
    }

    /// The engines that the next policy may fall back on, newest first. One that lets everything pass is no last good
    /// policy of anybody.
    fn candidates(&self, next: &Rc<Engine>) -> Vec<Rc<Engine>> {
        let engines = core::iter::once(&self.engine).chain(&self.earlier);
        engines
            .filter(|engine| !Rc::ptr_eq(engine, next) && !engine.options().audit)
            .map(Rc::clone)
            .collect()
    }
}

/// What a root context enforces.
#[derive(Clone, Debug, Default)]
pub(crate) enum Current {
    /// Nothing was configured yet: everything is denied.
    #[default]
    Absent,
    /// Its configuration could not be brought into force, and there was no earlier one: everything is denied.
    Broken,
    /// This policy.
    Active(Rc<Policy>),
}

impl Current {
    /// The policy in force, or why there is none.
    pub(crate) fn policy(&self) -> Result<&Rc<Policy>, Refusal> {
        match self {
            Self::Active(policy) => Ok(policy),
            Self::Broken => Err(Refusal::BrokenConfiguration),
            Self::Absent => Err(Refusal::NoPolicy),
        }
    }
}

/// What the host tells of a plugin.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct PluginId {
    pub(crate) root_id: Vec<u8>,
    pub(crate) name: Vec<u8>,
}

/// One plugin, through all its configurations.
///
/// A new configuration makes a new root context, while connections of the old one live on; here they learn of the
/// new policy. But a new *stream* must ask its own root: if a configuration comes back while its old root still
/// lives, Envoy takes that root and says nothing, so the policy configured last need not be the one in force.
#[derive(Debug, Default)]
pub(crate) struct Plugin {
    id: PluginId,
    latest: RefCell<Option<Rc<Policy>>>,
}

impl Plugin {
    /// The policy that new connections get.
    pub(crate) fn latest(&self) -> Option<Rc<Policy>> {
        self.latest.borrow().clone()
    }

    /// New connections get this policy. Returns whether they had another one before.
    pub(crate) fn set_latest(&self, policy: &Rc<Policy>) -> bool {
        // The old policy is dropped outside the borrow.
        let old = self.latest.replace(Some(Rc::clone(policy)));
        old.is_none_or(|old| old.generation != policy.generation)
    }
}

/// All policies and plugins of a VM that are in use.
#[derive(Debug, Default)]
pub(crate) struct Store {
    plugins: RefCell<Vec<Weak<Plugin>>>,
    policies: RefCell<Vec<Weak<Policy>>>,
    generation: Cell<u64>,
}

impl Store {
    /// The plugin with this id.
    pub(crate) fn plugin(&self, id: PluginId) -> Rc<Plugin> {
        let mut plugins = self.plugins.borrow_mut();
        plugins.retain(|plugin| plugin.strong_count() > 0);
        if let Some(plugin) = plugins.iter().filter_map(Weak::upgrade).find(|plugin| plugin.id == id) {
            return plugin;
        }
        let plugin = Rc::new(Plugin {
            id,
            latest: RefCell::default(),
        });
        plugins.push(Rc::downgrade(&plugin));
        plugin
    }

    /// The policy of a bundle and settings. What some plugin already enforces is not built again, so a network filter
    /// and an HTTP filter that carry the same bundle share one engine.
    ///
    /// Where a bundle contradicts itself, the policy that was in force before still counts.
    pub(crate) fn policy(&self, settings: Settings, packed: Packed, before: Option<&Policy>) -> Rc<Policy> {
        let engine = match self.living().find(|policy| policy.engine.is_of(&packed)) {
            Some(policy) => Rc::clone(&policy.engine),
            None => Rc::new(Engine::open(packed)),
        };
        let same = |policy: &Rc<Policy>| Rc::ptr_eq(&policy.engine, &engine) && policy.settings == settings;
        if let Some(policy) = self.living().find(same) {
            return policy;
        }
        let generation = self.generation.get().saturating_add(1);
        let earlier = match (engine.contradiction(), before) {
            (Some(found), Some(before)) => conflict::last_good(found, &engine, before.candidates(&engine)),
            (None, _) | (_, None) => Vec::new(),
        };
        let policy = Rc::new(Policy {
            engine,
            fact_settings: settings.of_facts(),
            settings,
            generation,
            earlier,
            known: Known::default(),
        });
        self.generation.set(generation);
        self.policies.borrow_mut().push(Rc::downgrade(&policy));
        policy
    }

    fn living(&self) -> impl Iterator<Item = Rc<Policy>> {
        let mut policies = self.policies.borrow_mut();
        policies.retain(|policy| policy.strong_count() > 0);
        let living: Vec<_> = policies.iter().filter_map(Weak::upgrade).collect();
        living.into_iter()
    }
}

#[cfg(test)]
mod tests;

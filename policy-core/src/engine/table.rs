//! What concerns one subject: the elements of every rule that selects it, for each direction.

use alloc::{rc::Rc, vec::Vec};
use core::cell::RefCell;
use hashbrown::HashMap;

use super::{
    Engine,
    audit::View,
    compile::CompiledElement,
    identities::IdentityId,
    merge::{self, Conflict, Entry},
    resolve::Resolved,
};
use crate::{
    bundle::{AllowLocalhost, Enforcement},
    flow::{Direction, Protocol},
    verdict::{Reason, RuleRef},
};

/// The rules of one subject.
#[derive(Debug)]
pub(crate) struct SubjectTable {
    ingress: DirectionTable,
    egress: DirectionTable,
}

/// What happens to a flow that no rule matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Default {
    /// Allowed: no rule has an element in this direction.
    NotIsolated,
    /// Allowed: there are elements, but no rule with one denies by default.
    NotDefaultDeny,
    /// Denied.
    Deny,
    /// Allowed, whatever the rules say.
    EnforcementNever,
    /// Allowed, whatever the rules say: they are only asked for what they would say.
    Audited,
}

impl Default {
    /// Why everything is allowed, if so.
    pub(crate) fn whatever_rules_say(self) -> Option<Reason> {
        match self {
            Self::EnforcementNever => Some(Reason::EnforcementNever),
            Self::Audited => Some(Reason::Audited),
            Self::NotIsolated | Self::NotDefaultDeny | Self::Deny => None,
        }
    }
}

/// The rules of one subject in one direction.
#[derive(Debug)]
pub(crate) struct DirectionTable {
    /// All elements as they were written: for denying, and for explaining.
    pub(crate) elements: Vec<Rc<CompiledElement>>,
    /// What the allow elements come to when they are merged. Empty in a conflict.
    pub(crate) entries: Vec<Rc<Entry>>,
    /// Two rules that contradict each other, in this direction or the other.
    pub(crate) conflict: Option<Conflict>,
    /// The rules that isolate the subject in this direction.
    pub(crate) isolated_by: Vec<RuleRef>,
    pub(crate) default: Default,
    /// Whether the subject's own host may connect where no rule matches.
    pub(crate) host_allowed: bool,
    remembered: RefCell<HashMap<ConnectionKey, Rc<Resolved>>>,
}

type ConnectionKey = (IdentityId, Protocol, u16);

impl SubjectTable {
    pub(super) fn build(engine: &Engine, subject: IdentityId, view: View) -> Self {
        let build = |direction| DirectionTable::build(engine, subject, direction, view);
        let mut ingress = build(Direction::Ingress);
        let mut egress = build(Direction::Egress);
        // A contradiction in one direction leaves neither with a policy.
        let conflict = ingress.conflict.take().or(egress.conflict.take());
        ingress.conflict.clone_from(&conflict);
        egress.conflict = conflict;
        Self { ingress, egress }
    }

    pub(crate) fn side(&self, direction: Direction) -> &DirectionTable {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

impl DirectionTable {
    fn build(engine: &Engine, subject: IdentityId, direction: Direction, view: View) -> Self {
        if view == View::Enforced && engine.options().audit {
            return Self::audited();
        }
        let labels = engine.labels(subject);
        // Rules select endpoints: never a node, never anything outside the cluster.
        let is_node = labels.has_reserved("host") || labels.has_reserved("remote-node");
        let selectable = engine.is_endpoint(subject) && !is_node;
        let mut elements = Vec::new();
        let mut isolated_by = Vec::new();
        let rules = selectable.then(|| engine.rules_selecting(labels)).into_iter().flatten();
        for rule in rules.filter(|rule| view.counts(rule.mode)) {
            let side = rule.side(direction);
            if side.default_deny && !side.elements.is_empty() {
                isolated_by.push(rule.rule.clone());
            }
            elements.extend(side.elements.iter().cloned());
        }
        let enforced = engine.options().enforcement == Enforcement::Always && !is_node;
        let always = enforced || labels.has_reserved("init");
        let default = match engine.options().enforcement {
            Enforcement::Never => Default::EnforcementNever,
            _ if always || !isolated_by.is_empty() => Default::Deny,
            _ if elements.is_empty() => Default::NotIsolated,
            _ => Default::NotDefaultDeny,
        };
        let host_allowed = direction == Direction::Ingress
            && engine.options().allow_localhost == AllowLocalhost::Always
            && !elements.is_empty();
        let (entries, conflict) = match merge::entries(&elements, engine.selectors()) {
            Ok(entries) => (entries, None),
            Err(conflict) => (Vec::new(), Some(conflict)),
        };
        Self {
            elements,
            entries,
            conflict,
            isolated_by,
            default,
            host_allowed,
            remembered: RefCell::default(),
        }
    }

    /// Where no rule has an effect.
    fn audited() -> Self {
        Self {
            elements: Vec::new(),
            entries: Vec::new(),
            conflict: None,
            isolated_by: Vec::new(),
            default: Default::Audited,
            host_allowed: false,
            remembered: RefCell::default(),
        }
    }

    /// What was found for this connection before, or what `resolve` finds now.
    pub(super) fn remembered(&self, key: ConnectionKey, resolve: impl FnOnce() -> Resolved) -> Rc<Resolved> {
        if let Ok(remembered) = self.remembered.try_borrow()
            && let Some(resolved) = remembered.get(&key)
        {
            return Rc::clone(resolved);
        }
        let resolved = Rc::new(resolve());
        if let Ok(mut remembered) = self.remembered.try_borrow_mut() {
            remembered.insert(key, Rc::clone(&resolved));
        }
        resolved
    }
}

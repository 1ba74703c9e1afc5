//! Selectors, and the entities that stand for some.
//!
//! An entity stands for one or more selectors on reserved labels. Seen so, an entity and a selector that says the same
//! are the same peer, and their rules are merged.

use alloc::{boxed::Box, rc::Rc};
use core::cell::OnceCell;

use crate::{
    bundle::ReservedEntity,
    packed::{Packed, Section, decode},
    selector::Selector,
};

/// The label by which the endpoints of a cluster are known; part of the bundle's contract, like the reserved names.
pub(crate) const CLUSTER_KEY: &str = "io.cilium.k8s.policy.cluster";
/// The label with the namespace of a workload; part of the same contract.
pub(crate) const NAMESPACE_KEY: &str = "io.kubernetes.pod.namespace";
/// The label with the service account of a workload; part of the same contract.
pub(crate) const SERVICE_ACCOUNT_KEY: &str = "io.cilium.k8s.policy.serviceaccount";

/// A selector, and the first one that is equal to it.
type Ranked = (u32, Selector);

/// All selectors of an engine: those of the bundle, then those of the entities. Equal ones have one position.
#[derive(Debug)]
pub(crate) struct Selectors {
    packed: Rc<Packed>,
    /// Those that somebody asked for.
    list: Box<[OnceCell<Option<Ranked>>]>,
}

impl Selectors {
    pub(super) fn open(packed: Rc<Packed>) -> Self {
        let count = packed.records(Section::Selectors).len();
        Self {
            packed,
            list: (0..count).map(|_| OnceCell::new()).collect(),
        }
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Selector> {
        self.ranked(index).map(|(_, selector)| selector)
    }

    /// The position by which a selector is compared with others.
    pub(crate) fn first_equal(&self, index: u32) -> u32 {
        self.ranked(index).map_or(index, |(first, _)| *first)
    }

    fn ranked(&self, index: u32) -> Option<&Ranked> {
        let position = usize::try_from(index).ok()?;
        let read = || decode(self.packed.records(Section::Selectors).get(position)?);
        self.list.get(position)?.get_or_init(read).as_ref()
    }

    /// The selectors of an entity, one of which must match.
    pub(crate) fn of_entity(&self, entity: ReservedEntity) -> &[u32] {
        let mut entities = self.packed.head().entities.iter();
        let found = entities.find(|(other, _)| *other == entity);
        found.map(|(_, selectors)| selectors.as_slice()).unwrap_or_default()
    }
}

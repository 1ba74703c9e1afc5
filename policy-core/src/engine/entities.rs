//! Entities: each stands for one or more selectors on reserved labels.
//!
//! Seen so, an entity and a selector that says the same are the same peer, and their rules are merged.

use alloc::{boxed::Box, vec, vec::Vec};
use hashbrown::HashMap;

use crate::{
    bundle::ReservedEntity,
    selector::{Requirement, Selector, SelectorKey},
};

/// The label by which the endpoints of a cluster are known; part of the bundle's contract, like the reserved names.
pub(crate) const CLUSTER_KEY: &str = "io.cilium.k8s.policy.cluster";
/// The label with the namespace of a workload; part of the same contract.
pub(crate) const NAMESPACE_KEY: &str = "io.kubernetes.pod.namespace";
/// The label with the service account of a workload; part of the same contract.
pub(crate) const SERVICE_ACCOUNT_KEY: &str = "io.cilium.k8s.policy.serviceaccount";

/// All selectors of an engine: those of the bundle, then those of the entities. Equal ones have one position.
#[derive(Debug, Default)]
pub(crate) struct Selectors {
    list: Vec<Selector>,
    /// For each selector of the bundle, the first one that is equal to it.
    first_equal: Vec<u32>,
    entities: HashMap<ReservedEntity, Vec<u32>>,
}

impl Selectors {
    pub(super) fn new(bundle: Vec<Selector>, cluster: &str) -> Self {
        let mut positions: HashMap<Selector, u32> = HashMap::new();
        let mut first_equal = Vec::with_capacity(bundle.len());
        for (index, selector) in (0_u32..).zip(&bundle) {
            first_equal.push(*positions.entry(selector.clone()).or_insert(index));
        }
        let mut this = Self {
            list: bundle,
            first_equal,
            entities: HashMap::new(),
        };
        for entity in ALL {
            let selectors = selectors_of(entity, cluster).into_iter();
            let indices = selectors
                .map(|selector| this.intern(selector, &mut positions))
                .collect();
            this.entities.insert(entity, indices);
        }
        this
    }

    fn intern(&mut self, selector: Selector, positions: &mut HashMap<Selector, u32>) -> u32 {
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        *positions.entry(selector).or_insert_with_key(|selector| {
            self.list.push(selector.clone());
            next
        })
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Selector> {
        usize::try_from(index).ok().and_then(|index| self.list.get(index))
    }

    /// The position by which a selector is compared with others.
    pub(crate) fn first_equal(&self, index: u32) -> u32 {
        let known = usize::try_from(index).ok().and_then(|at| self.first_equal.get(at));
        known.copied().unwrap_or(index)
    }

    /// The selectors of an entity, one of which must match.
    pub(crate) fn of_entity(&self, entity: ReservedEntity) -> &[u32] {
        self.entities.get(&entity).map(Vec::as_slice).unwrap_or_default()
    }
}

const ALL: [ReservedEntity; 13] = [
    ReservedEntity::World,
    ReservedEntity::WorldIpv4,
    ReservedEntity::WorldIpv6,
    ReservedEntity::Cluster,
    ReservedEntity::ClusterMesh,
    ReservedEntity::Host,
    ReservedEntity::Init,
    ReservedEntity::Ingress,
    ReservedEntity::Unmanaged,
    ReservedEntity::RemoteNode,
    ReservedEntity::Health,
    ReservedEntity::KubeApiserver,
    ReservedEntity::None,
];

fn selectors_of(entity: ReservedEntity, cluster: &str) -> Vec<Selector> {
    let reserved = |names: &[&str]| names.iter().filter_map(|name| reserved(name)).collect::<Vec<_>>();
    let cluster_key = || SelectorKey::parse(&alloc::format!("k8s:{CLUSTER_KEY}"));
    match entity {
        ReservedEntity::World => reserved(&["world", "world-ipv4", "world-ipv6"]),
        ReservedEntity::Cluster => {
            let mut selectors = reserved(&[
                "host",
                "remote-node",
                "init",
                "ingress",
                "health",
                "unmanaged",
                "kube-apiserver",
            ]);
            let value: Box<str> = cluster.into();
            let local = cluster_key().map(|key| Selector::new(vec![Requirement::Equals { key, value }]));
            selectors.extend(local);
            selectors
        }
        ReservedEntity::ClusterMesh => {
            let others = cluster_key().map(|key| {
                let exists = Requirement::Exists { key: key.clone() };
                let values = vec![cluster.into()];
                Selector::new(vec![exists, Requirement::NotIn { key, values }])
            });
            others.into_iter().collect()
        }
        ReservedEntity::None => Vec::new(),
        entity => reserved(&[entity.as_str()]),
    }
}

fn reserved(name: &str) -> Option<Selector> {
    let key = SelectorKey::parse(&alloc::format!("reserved:{name}"))?;
    let value: Box<str> = "".into();
    Some(Selector::new(vec![Requirement::Equals { key, value }]))
}

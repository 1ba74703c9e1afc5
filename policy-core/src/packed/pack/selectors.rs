//! Selectors, those of entities among them, each with the first one that is equal to it.

use alloc::{boxed::Box, vec, vec::Vec};
use hashbrown::HashMap;

use crate::{
    bundle::ReservedEntity,
    engine::CLUSTER_KEY,
    selector::{Requirement, Selector, SelectorKey},
};

/// All selectors of an engine.
pub(super) struct Interned {
    /// Those of the bundle, then those that only entities have.
    pub(super) list: Vec<(u32, Selector)>,
    pub(super) entities: Vec<(ReservedEntity, Vec<u32>)>,
}

impl Interned {
    pub(super) fn new(bundle: &[Selector], cluster: &str) -> Self {
        let mut positions: HashMap<Selector, u32> = HashMap::new();
        let ranked = (0_u32..).zip(bundle).map(|(index, selector)| {
            let first = *positions.entry(selector.clone()).or_insert(index);
            (first, selector.clone())
        });
        let mut list: Vec<_> = ranked.collect();
        let mut intern = |selector: Selector| {
            let next = u32::try_from(list.len()).unwrap_or(u32::MAX);
            *positions.entry(selector).or_insert_with_key(|selector| {
                list.push((next, selector.clone()));
                next
            })
        };
        let entities = ALL.map(|entity| {
            let selectors = selectors_of(entity, cluster).into_iter();
            (entity, selectors.map(&mut intern).collect())
        });
        Self {
            list,
            entities: entities.into(),
        }
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

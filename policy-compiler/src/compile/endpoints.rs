//! Pods to endpoints and identities.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use policy_core::{
    Labels,
    bundle::{AddressEntry, Endpoint, Identity},
};

use crate::{identity, input::Input, options::CompileOptions, resource::Pod, world::World};

/// The endpoints of a world and their interned identities.
pub(super) struct Endpoints<'w> {
    /// In their own order, so that their positions do not depend on the pods that have them.
    pub(super) identities: Vec<Identity>,
    /// Addresses of identities that are no pods.
    pub(super) addresses: Vec<AddressEntry>,
    /// Pods that have an endpoint, with the position of their identity.
    pods: Vec<Member<'w>>,
}

/// A pod and the position of its identity.
pub(super) struct Member<'w> {
    pub(super) pod: &'w Pod,
    pub(super) identity: u32,
    /// Whether it belongs to this cluster.
    pub(super) is_local: bool,
}

impl<'w> Endpoints<'w> {
    pub(super) fn new(world: &'w World, input: &Input, options: &CompileOptions) -> Self {
        let members: Vec<(&Pod, Option<&String>)> = world
            .pods
            .iter()
            .filter(|pod| pod.is_endpoint)
            .map(|pod| (pod, input.pod_clusters.get(&name_of(pod))))
            .collect();
        let of_pods: Vec<Identity> = members
            .iter()
            .map(|(pod, cluster)| {
                let namespace = world.namespaces.get(&pod.namespace).map(|namespace| &namespace.labels);
                identity::of_pod(pod, namespace, cluster.unwrap_or(&options.cluster))
            })
            .collect();
        let others = other_addresses(world, input, options);

        let identities: BTreeSet<&Identity> = of_pods.iter().chain(others.values()).collect();
        let positions: BTreeMap<&Identity, u32> = identities.iter().copied().zip(0..).collect();
        let position = |identity: &Identity| positions.get(identity).copied().unwrap_or_default();
        let pods = members.iter().zip(&of_pods).map(|((pod, cluster), identity)| Member {
            pod,
            identity: position(identity),
            is_local: cluster.is_none_or(|cluster| *cluster == options.cluster),
        });
        let addresses = others.iter().map(|(ip, id)| AddressEntry {
            prefix: IpNet::from(*ip),
            identity: position(id),
        });
        Self {
            pods: pods.collect(),
            addresses: addresses.collect(),
            identities: identities.iter().map(|identity| (*identity).clone()).collect(),
        }
    }

    /// Every pod that has an endpoint, by namespace and name.
    pub(super) fn members(&self) -> &[Member<'w>] {
        &self.pods
    }

    /// The identity behind an address of the cluster.
    pub(super) fn identity_at(&self, address: IpAddr) -> Option<u32> {
        let member = self.pods.iter().find(|member| member.pod.addresses.contains(&address));
        let entry = || self.addresses.iter().find(|entry| entry.prefix == IpNet::from(address));
        member.map(|member| member.identity).or_else(|| Some(entry()?.identity))
    }

    /// The labels of an endpoint by name.
    pub(super) fn labels_of(&self, name: &str) -> Option<&Labels> {
        let member = self.pods.iter().find(|member| name_of(member.pod) == name)?;
        let position = usize::try_from(member.identity).ok()?;
        self.identities.get(position).map(|identity| &identity.labels)
    }

    pub(super) fn list(&self) -> Vec<Endpoint> {
        let endpoint = |member: &Member<'_>| Endpoint {
            name: name_of(member.pod),
            identity: member.identity,
            addresses: member.pod.addresses.clone(),
        };
        self.pods.iter().map(endpoint).collect()
    }
}

/// The identities of nodes and API servers, by address.
fn other_addresses(world: &World, input: &Input, options: &CompileOptions) -> BTreeMap<IpAddr, Identity> {
    let cluster = options.enable_node_selector_labels.then_some(options.cluster.as_str());
    let mut identities = BTreeMap::new();
    for node in world.nodes.values() {
        let identity = identity::of_node(node, cluster);
        identities.extend(node.addresses.iter().map(|address| (*address, identity.clone())));
    }
    for address in &input.apiserver_addresses {
        let identity = match identities.get(address) {
            Some(node) => identity::with_apiserver(node),
            None => identity::of_apiserver(*address, options.stack),
        };
        identities.insert(*address, identity);
    }
    identities
}

fn name_of(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}

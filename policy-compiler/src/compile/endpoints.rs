//! Pods to endpoints and identities.

use std::collections::{BTreeMap, BTreeSet};

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
        let servers: BTreeSet<_> = input.apiserver_addresses.iter().copied().collect();
        let of_servers: Vec<Identity> = servers
            .iter()
            .map(|ip| identity::of_apiserver(*ip, options.stack))
            .collect();

        let identities: BTreeSet<&Identity> = of_pods.iter().chain(&of_servers).collect();
        let positions: BTreeMap<&Identity, u32> = identities.iter().copied().zip(0..).collect();
        let position = |identity: &Identity| positions.get(identity).copied().unwrap_or_default();
        let pods = members.iter().zip(&of_pods).map(|((pod, cluster), identity)| Member {
            pod,
            identity: position(identity),
            is_local: cluster.is_none_or(|cluster| *cluster == options.cluster),
        });
        let addresses = servers.iter().zip(&of_servers);
        let addresses = addresses.map(|(ip, id)| AddressEntry {
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

fn name_of(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}

//! Services to virtual addresses and what stands behind them.

use std::net::IpAddr;

use policy_core::bundle::{Backend, Service as Entry};

use super::endpoints::{Endpoints, Member};
use crate::{
    resource::{Backends, Service, ServicePort, Subset, TargetPort},
    world::World,
};

/// One entry for each virtual address and port.
pub(super) fn lower(world: &World, endpoints: &Endpoints<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for service in &world.services {
        let members: Vec<&Member<'_>> = endpoints
            .members()
            .iter()
            .filter(|member| is_behind(member, service))
            .collect();
        for port in &service.ports {
            let mut backends = if service.selector.is_empty() {
                listed(world.backends(service), port, endpoints)
            } else {
                selected(&members, port)
            };
            backends.sort();
            backends.dedup();
            entries.extend(service.addresses.iter().map(|address| Entry {
                name: format!("{}/{}", service.namespace, service.name),
                address: *address,
                protocol: port.protocol,
                port: port.port,
                backends: backends.clone(),
            }));
        }
    }
    entries.sort_by(|a, b| (a.address, a.port, a.protocol.as_str()).cmp(&(b.address, b.port, b.protocol.as_str())));
    entries
}

/// Service selectors see the labels of the pod itself, all of them.
fn is_behind(member: &Member<'_>, service: &Service) -> bool {
    let has = |(key, value): (&String, &String)| member.pod.labels.get(key) == Some(value);
    let selects = !service.selector.is_empty() && service.selector.iter().all(has);
    member.is_local && member.pod.namespace == service.namespace && selects
}

/// A pod that does not name the target port is no backend for it.
fn selected(members: &[&Member<'_>], port: &ServicePort) -> Vec<Backend> {
    let target = |member: &Member<'_>| match &port.target {
        TargetPort::Number(number) => Some(*number),
        TargetPort::Name(name) => {
            let named = member
                .pod
                .ports
                .iter()
                .find(|known| *known.name == **name && known.protocol == port.protocol);
            named.map(|known| known.port)
        }
    };
    let backend = |member: &&Member<'_>| {
        target(member).map(|port| Backend {
            identity: member.identity,
            port,
        })
    };
    members.iter().filter_map(backend).collect()
}

/// What the objects for the backends list. None if one of them is not in the cluster: nobody knows as whom it would
/// be met, so the connection must not depend on the others.
fn listed(backends: &[Backends], port: &ServicePort, endpoints: &Endpoints<'_>) -> Vec<Backend> {
    let subsets = backends.iter().flat_map(|backends| &backends.subsets);
    let places = subsets.flat_map(|subset| places(subset, port));
    let backend = |(address, port)| {
        Some(Backend {
            identity: endpoints.identity_at(address)?,
            port,
        })
    };
    places.map(backend).collect::<Option<_>>().unwrap_or_default()
}

/// Every address with the port that stands behind that of the service.
fn places(subset: &Subset, port: &ServicePort) -> impl Iterator<Item = (IpAddr, u16)> {
    let behind = subset
        .ports
        .iter()
        .find(|known| known.name == port.name && known.protocol == port.protocol);
    let number = behind.map(|known| known.port);
    subset
        .addresses
        .iter()
        .filter_map(move |address| Some((*address, number?)))
}

//! Services to virtual addresses and what stands behind them.

use policy_core::bundle::{Backend, Service as Entry};

use super::endpoints::{Endpoints, Member};
use crate::resource::{Service, ServicePort, TargetPort};

/// One entry for each virtual address and port.
pub(super) fn lower(services: &[Service], endpoints: &Endpoints<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for service in services {
        let members: Vec<&Member<'_>> = endpoints
            .members()
            .iter()
            .filter(|member| is_behind(member, service))
            .collect();
        for port in &service.ports {
            let backends = backends(&members, port);
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
fn backends(members: &[&Member<'_>], port: &ServicePort) -> Vec<Backend> {
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
    let mut backends: Vec<Backend> = members.iter().filter_map(backend).collect();
    backends.sort();
    backends.dedup();
    backends
}

//! `EndpointSlice` and `Endpoints`: what stands behind a service.

use std::net::IpAddr;

use super::{Context, Cursor, workload};
use crate::{
    diagnostic::Code,
    resource::{BackendPort, Backends, Resource, Subset},
};

const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// Reads an `EndpointSlice`. One that belongs to no service has no part in a decision.
pub(super) fn endpoint_slice(cx: &mut Context<'_>, root: &Cursor<'_>) -> Option<Resource> {
    let metadata = root.require(cx, "metadata", Code::MISSING_FIELD)?.map(cx)?;
    metadata.require(cx, "name", Code::MISSING_FIELD)?.text(cx)?;
    let labels = workload::texts(cx, &metadata, "labels");
    let Some(service) = labels.get(SERVICE_LABEL) else {
        cx.note(
            root,
            Code::SKIPPED,
            format!("belongs to no service: it has no label `{SERVICE_LABEL}`"),
        );
        return None;
    };
    if root.text_of(cx, "addressType") == Some("FQDN") {
        cx.note(root, Code::SKIPPED, "backends that are names are not known by address");
        return None;
    }
    let items = root.items_of(cx, "endpoints");
    let subset = Subset {
        addresses: items.iter().flat_map(|item| slice_addresses(cx, item)).collect(),
        ports: ports(cx, root),
    };
    Some(backends(cx, &metadata, service.clone(), vec![subset]))
}

/// Reads an `Endpoints`, which has the name of its service.
pub(super) fn endpoints(cx: &mut Context<'_>, root: &Cursor<'_>) -> Option<Resource> {
    let metadata = root.require(cx, "metadata", Code::MISSING_FIELD)?.map(cx)?;
    let name = metadata.require(cx, "name", Code::MISSING_FIELD)?.text(cx)?;
    let items = root.items_of(cx, "subsets");
    let mut subsets = Vec::new();
    for item in &items {
        let Some(item) = item.map(cx) else { continue };
        let addresses = item.items_of(cx, "addresses");
        subsets.push(Subset {
            addresses: addresses.iter().filter_map(|address| ip(cx, address)).collect(),
            ports: ports(cx, &item),
        });
    }
    Some(backends(cx, &metadata, name.to_owned(), subsets))
}

fn backends(cx: &mut Context<'_>, metadata: &Cursor<'_>, service: String, subsets: Vec<Subset>) -> Resource {
    let (namespace, name) = workload::full_name(cx, metadata);
    Resource::Backends(Backends {
        kind: cx.object().kind.clone(),
        namespace,
        name,
        service,
        subsets,
    })
}

/// The addresses of one endpoint; none while it is not ready and so takes no traffic.
fn slice_addresses(cx: &mut Context<'_>, at: &Cursor<'_>) -> Vec<IpAddr> {
    let Some(at) = at.map(cx) else { return Vec::new() };
    let conditions = at.get("conditions").and_then(|conditions| conditions.map(cx));
    let ready = conditions.and_then(|conditions| conditions.get("ready"));
    if ready.and_then(|ready| ready.boolean(cx)) == Some(false) {
        return Vec::new();
    }
    let items = at.items_of(cx, "addresses");
    items.iter().filter_map(|item| workload::address(cx, item)).collect()
}

fn ip(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<IpAddr> {
    let ip = at.map(cx)?.require(cx, "ip", Code::MISSING_FIELD)?;
    workload::address(cx, &ip)
}

fn ports(cx: &mut Context<'_>, at: &Cursor<'_>) -> Vec<BackendPort> {
    let items = at.items_of(cx, "ports");
    items.iter().filter_map(|item| port(cx, item)).collect()
}

/// A port without a number stands for none in particular.
fn port(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<BackendPort> {
    let number = at.map(cx)?.get("port")?;
    let port = workload::port_number(cx, &number)?;
    let protocol = workload::protocol(cx, at)?;
    Some(BackendPort {
        name: at.text_of(cx, "name").unwrap_or_default().to_owned(),
        protocol,
        port,
    })
}

//! Pods, namespaces and services: only the fields that decide something, whatever else they hold.

use std::{collections::BTreeMap, net::IpAddr};

use policy_core::{Label, Labels, Protocol, Source, bundle::NamedPort};

use super::{Context, Cursor};
use crate::{
    diagnostic::{Code, Diagnostic, ObjectRef},
    resource::{Namespace, Pod, Resource, Service, ServicePort, TargetPort},
};

pub(super) fn workload(cx: &mut Context<'_>, root: &Cursor<'_>, kind: &str) -> Option<Resource> {
    let metadata = root.require(cx, "metadata", Code::MISSING_FIELD)?.map(cx)?;
    let name = metadata.require(cx, "name", Code::MISSING_FIELD)?.text(cx)?;
    let labels = texts(cx, &metadata, "labels");
    match kind {
        "Namespace" => Some(Resource::Namespace(Namespace {
            name: name.to_owned(),
            labels,
        })),
        "Pod" => pod(cx, root, &metadata, labels),
        _ => service(cx, root, &metadata),
    }
}

/// The namespace and name. An object without namespace is in `default`, as for every Kubernetes tool, unless the
/// options name another.
pub(super) fn full_name(cx: &mut Context<'_>, metadata: &Cursor<'_>) -> (String, String) {
    metadata.text_of(cx, "namespace");
    let ObjectRef { namespace, name, .. } = cx.object().clone();
    (
        if namespace.is_empty() {
            "default".to_owned()
        } else {
            namespace
        },
        name,
    )
}

fn pod(
    cx: &mut Context<'_>,
    root: &Cursor<'_>,
    metadata: &Cursor<'_>,
    labels: BTreeMap<String, String>,
) -> Option<Resource> {
    let (namespace, name) = full_name(cx, metadata);
    let [spec, status] = ["spec", "status"].map(|key| root.get(key).and_then(|value| value.map(cx)));
    let account = spec.as_ref().and_then(|spec| spec.text_of(cx, "serviceAccountName"));
    let host_network = spec
        .as_ref()
        .and_then(|spec| spec.get("hostNetwork"))
        .and_then(|value| value.boolean(cx));
    let phase = status.as_ref().and_then(|status| status.text_of(cx, "phase"));
    let is_finished = matches!(phase, Some("Succeeded" | "Failed"));
    if host_network == Some(true) {
        cx.note(
            root,
            Code::SKIPPED,
            "a pod on the host network has no endpoint: its traffic is that of its node",
        );
    } else if is_finished {
        cx.note(root, Code::SKIPPED, "a pod that has finished has no endpoint");
    }
    Some(Resource::Pod(Pod {
        namespace,
        name,
        labels,
        service_account: account.filter(|name| !name.is_empty()).map(str::to_owned),
        ports: spec.map(|spec| named_ports(cx, &spec)).unwrap_or_default(),
        addresses: status.map(|status| pod_addresses(cx, &status)).unwrap_or_default(),
        is_endpoint: host_network != Some(true) && !is_finished,
    }))
}

fn pod_addresses(cx: &mut Context<'_>, status: &Cursor<'_>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = status
        .get("podIP")
        .and_then(|ip| address(cx, &ip))
        .into_iter()
        .collect();
    for item in status.items_of(cx, "podIPs") {
        let ip = item.map(cx).and_then(|item| item.get("ip"));
        addresses.extend(ip.and_then(|ip| address(cx, &ip)));
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// An address. Empty, as in the status of a pod that has none yet, is the same as missing.
pub(super) fn address(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<IpAddr> {
    let text = at.text(cx).filter(|text| !text.is_empty())?;
    let address = text.parse().ok();
    if address.is_none() {
        cx.error(at, Code::VALUE, format!("`{text}` is not an address"));
    }
    address
}

/// The ports that containers name. Init containers have stopped when the pod takes traffic.
fn named_ports(cx: &mut Context<'_>, spec: &Cursor<'_>) -> Vec<NamedPort> {
    let mut ports: Vec<NamedPort> = Vec::new();
    for container in spec.items_of(cx, "containers") {
        let items = container.map(cx).map(|container| container.items_of(cx, "ports"));
        for at in items.unwrap_or_default() {
            let Some(new) = named_port(cx, &at) else { continue };
            match ports
                .iter_mut()
                .find(|port| port.name == new.name && port.protocol == new.protocol)
            {
                Some(known) if known.port != new.port => {
                    cx.warning(
                        &at,
                        Code::NO_EFFECT,
                        format!("the port name `{}` is given twice: the last one counts", new.name),
                    );
                    *known = new;
                }
                Some(_) => {}
                None => ports.push(new),
            }
        }
    }
    ports.sort();
    ports
}

fn named_port(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<NamedPort> {
    let at = &at.map(cx)?;
    let name = at.text_of(cx, "name").filter(|name| !name.is_empty())?;
    let number = at.require(cx, "containerPort", Code::MISSING_FIELD)?;
    let port = port_number(cx, &number)?;
    let protocol = protocol(cx, at)?;
    Some(NamedPort {
        name: name.to_ascii_lowercase().into(),
        protocol,
        port,
    })
}

pub(super) fn port_number(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<u16> {
    let number = at.integer(cx)?;
    let port = u16::try_from(number).ok().filter(|port| *port > 0);
    if port.is_none() {
        cx.error(at, Code::VALUE, format!("{number} is not a port"))
            .help("ports are numbers from 1 to 65535");
    }
    port
}

pub(super) fn protocol(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<Protocol> {
    let Some(value) = at.get("protocol") else {
        return Some(Protocol::Tcp);
    };
    match value.text(cx)? {
        "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        "SCTP" => Some(Protocol::Sctp),
        other => {
            cx.error(&value, Code::VALUE, format!("unknown protocol `{other}`"))
                .help("the protocols are TCP, UDP and SCTP");
            None
        }
    }
}

fn service(cx: &mut Context<'_>, root: &Cursor<'_>, metadata: &Cursor<'_>) -> Option<Resource> {
    let (namespace, name) = full_name(cx, metadata);
    let spec = root.require(cx, "spec", Code::MISSING_FIELD)?.map(cx)?;
    let mut addresses: Vec<IpAddr> = spec
        .get("clusterIP")
        .and_then(|ip| cluster_address(cx, &ip))
        .into_iter()
        .collect();
    for item in spec.items_of(cx, "clusterIPs") {
        addresses.extend(cluster_address(cx, &item));
    }
    addresses.sort_unstable();
    addresses.dedup();
    let items = spec.items_of(cx, "ports");
    let ports = items.iter().filter_map(|item| service_port(cx, item)).collect();
    let selector = texts(cx, &spec, "selector");
    let has_unknown = selector.is_empty() && !addresses.is_empty();
    let unknown_backends = has_unknown.then(|| Box::new(unknown_backends(cx, &spec)));
    let labels = texts(cx, metadata, "labels");
    let labels = labels
        .iter()
        .filter_map(|(key, value)| Label::new(Source::K8S, key, value).ok());
    Some(Resource::Service(Service {
        namespace,
        name,
        labels: Labels::new(labels),
        selector,
        addresses,
        ports,
        unknown_backends,
    }))
}

fn unknown_backends(cx: &Context<'_>, spec: &Cursor<'_>) -> Diagnostic {
    let mut diagnostic = cx.later(
        spec,
        Code::MATCHES_NOTHING,
        "a service without selector needs backends that are pods or nodes: connections to it are denied",
    );
    diagnostic.help("compile it together with its endpoint slices");
    diagnostic
}

/// A virtual address; `None` for a headless service.
fn cluster_address(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<IpAddr> {
    if at.node().as_str() == Some("None") {
        None
    } else {
        address(cx, at)
    }
}

fn service_port(cx: &mut Context<'_>, at: &Cursor<'_>) -> Option<ServicePort> {
    let number = at.map(cx)?.require(cx, "port", Code::MISSING_FIELD)?;
    let port = port_number(cx, &number)?;
    let protocol = protocol(cx, at)?;
    let target = match at.get("targetPort") {
        None => TargetPort::Number(port),
        Some(target) => match target.node().as_str() {
            Some(name) => TargetPort::Name(name.to_ascii_lowercase()),
            // Zero is what an unset target port decodes to.
            None if target.integer(cx)? == 0 => TargetPort::Number(port),
            None => TargetPort::Number(port_number(cx, &target)?),
        },
    };
    Some(ServicePort {
        name: at.text_of(cx, "name").unwrap_or_default().to_owned(),
        protocol,
        port,
        target,
    })
}

/// A map from text to text.
pub(super) fn texts(cx: &mut Context<'_>, at: &Cursor<'_>, key: &'static str) -> BTreeMap<String, String> {
    let entries = at.get(key).map(|map| map.entries(cx)).unwrap_or_default();
    let mut texts = BTreeMap::new();
    for (key, value) in entries {
        if let Some(text) = value.text(cx) {
            texts.insert(key.to_owned(), text.to_owned());
        }
    }
    texts
}

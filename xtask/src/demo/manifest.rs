//! The pods and services of `examples/empire/world.yaml`: the one place where their addresses are written down.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The protocol of every connection that an Envoy listener accepts.
const TCP: &str = "TCP";

/// What the demo needs to know of the cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Pods by `namespace/name`.
    pub(super) pods: BTreeMap<String, Pod>,
    /// Services by `namespace/name`.
    pub(super) services: BTreeMap<String, Service>,
}

/// A pod with an address.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) address: IpAddr,
    /// The ports that its containers declare for TCP.
    pub(super) ports: Vec<Port>,
}

/// A port and its name.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    pub(super) name: String,
}

/// A service with an address of its own.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) address: IpAddr,
    pub(super) ports: Vec<ServicePort>,
}

/// A port of a service, and where it leads.
#[derive(Debug)]
pub(super) struct ServicePort {
    pub(super) port: Port,
    /// The `namespace/name` of each pod behind it.
    pub(super) backends: Vec<String>,
    /// The port of those pods.
    pub(super) target: u16,
}

impl Cluster {
    /// Reads the manifests.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let objects: Vec<Object> = serde_saphyr::from_multiple(text)?;
        let pods = objects.iter().filter_map(Object::pod).collect();
        let services = objects.iter().filter_map(|object| object.service(&objects)).collect();
        Ok(Self { pods, services })
    }
}

/// Any of the objects; what only the compiler needs is not read.
#[derive(Deserialize)]
struct Object {
    kind: String,
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    containers: Vec<Container>,
    #[serde(rename = "clusterIP")]
    cluster_ip: Option<IpAddr>,
    selector: BTreeMap<String, String>,
    ports: Vec<WirePort>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    ports: Vec<WirePort>,
}

/// A port of a container (`containerPort`) or of a service (`port`, `targetPort`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePort {
    name: String,
    protocol: String,
    #[serde(alias = "containerPort")]
    port: u16,
    target_port: Option<u16>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(rename = "podIP")]
    pod_ip: Option<IpAddr>,
}

impl Object {
    fn full_name(&self) -> String {
        format!("{}/{}", self.metadata.namespace, self.metadata.name)
    }

    fn pod(&self) -> Option<(String, Pod)> {
        let address = self.status.pod_ip.filter(|_| self.kind == "Pod")?;
        let declared = self.spec.containers.iter().flat_map(|container| &container.ports);
        let ports = declared.filter(|port| port.protocol == TCP).map(WirePort::named);
        let ports = ports.collect();
        Some((self.full_name(), Pod { address, ports }))
    }

    fn service(&self, objects: &[Self]) -> Option<(String, Service)> {
        let address = self.spec.cluster_ip.filter(|_| self.kind == "Service")?;
        let selected = objects.iter().filter(|object| self.selects(object));
        let backends: Vec<String> = selected.map(Self::full_name).collect();
        let ports = self.spec.ports.iter().filter(|port| port.protocol == TCP);
        let ports = ports.map(|port| ServicePort {
            port: port.named(),
            backends: backends.clone(),
            target: port.target_port.unwrap_or(port.port),
        });
        let ports = ports.collect();
        Some((self.full_name(), Service { address, ports }))
    }

    /// Whether this service stands for that pod.
    fn selects(&self, pod: &Self) -> bool {
        let labels = &pod.metadata.labels;
        pod.kind == "Pod"
            && pod.metadata.namespace == self.metadata.namespace
            && self
                .spec
                .selector
                .iter()
                .all(|(key, value)| labels.get(key) == Some(value))
    }
}

impl WirePort {
    fn named(&self) -> Port {
        Port {
            number: self.port,
            name: self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_lead_to_the_pods_they_select() {
        let cluster = Cluster::parse(include_str!("../../../examples/empire/world.yaml")).unwrap();
        let cases = [
            (
                "empire/deathstar",
                "80 -> empire/deathstar:80, 8080 -> empire/deathstar:8080",
            ),
            ("kube-system/kube-dns", "53 -> kube-system/kube-dns:53"),
            (
                "kube-system/kubernetes-dashboard",
                "80 -> kube-system/kubernetes-dashboard:9090",
            ),
        ];
        assert_eq!(cluster.services.len(), cases.len(), "services without a row here");
        for (name, expected) in cases {
            let ports = cluster.services[name].ports.iter();
            let shown = ports.map(|p| format!("{} -> {}:{}", p.port.number, p.backends.join("+"), p.target));
            assert_eq!(shown.collect::<Vec<_>>().join(", "), expected, "{name}");
        }
    }

    #[test]
    fn every_pod_has_an_address_of_its_own() {
        let cluster = Cluster::parse(include_str!("../../../examples/empire/world.yaml")).unwrap();
        let pods = cluster.pods.values().map(|pod| pod.address);
        let mut addresses: Vec<IpAddr> = pods.chain(cluster.services.values().map(|s| s.address)).collect();
        let all = addresses.len();
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), all);
        assert!(addresses.iter().all(IpAddr::is_loopback));
    }
}

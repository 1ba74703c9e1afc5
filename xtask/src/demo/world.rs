//! The cluster as processes on this machine: an application for each port of each pod, a DNS server, and what the node
//! proxy in front of them looks like.
//!
//! Ports below 1024 would need root. So where policies speak of port P of an address, Envoy listens on 20000+P (and tells
//! the plugin P), and the application behind it on 30000+P of the same address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result};
use envoy_e2e::config::{
    Cluster as Upstream, Direction, EnvoyVersion, IpRange, Listener, ListenerKind, Node, Route, Underscores,
};
use envoy_e2e::ecds::Encoding;

use super::manifest::{Cluster, Port};
use super::servers::Servers;

/// What clients in the cluster call to resolve names.
const DNS: &str = "kube-system/kube-dns";
/// Hosts that are not in the cluster. They are stand-ins: the demo needs no way out.
const OUTSIDE: [(&str, Ipv4Addr); 2] = [
    ("cilium.io", Ipv4Addr::new(127, 20, 0, 14)),
    ("google.com", Ipv4Addr::new(127, 20, 0, 15)),
];
/// Pods, services and the node itself: no name may lead Envoy there from outside.
const CLUSTER_RANGES: [IpRange; 4] = [
    IpRange::v4([127, 10, 0, 0], 16),
    IpRange::v4([127, 96, 0, 0], 16),
    IpRange::v4([127, 40, 0, 0], 16),
    IpRange::v4([127, 0, 0, 0], 16),
];
/// The port of those hosts.
const WEB: u16 = 80;
/// Envoy's own interface.
pub(super) const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 40, 0, 1)), 9901);

/// The manifests, and the addresses that follow from them.
pub(super) struct World {
    cluster: Cluster,
}

impl World {
    /// The world of these manifests.
    pub(super) fn read(manifests: &Path) -> Result<Self> {
        let cluster = Cluster::read(manifests)?;
        Ok(Self { cluster })
    }

    /// Where a client connects from: a pod by `namespace/name`, or an address outside the cluster.
    pub(super) fn source(&self, who: &str) -> Result<IpAddr> {
        match self.cluster.pods.get(who) {
            Some(pod) => Ok(pod.address),
            None => who
                .parse()
                .with_context(|| format!("`{who}` is neither a pod nor an address")),
        }
    }

    /// The address of a pod.
    pub(super) fn pod(&self, name: &str) -> Result<IpAddr> {
        let pod = self.cluster.pods.get(name);
        Ok(pod.with_context(|| format!("no pod `{name}`"))?.address)
    }

    /// Where clients in the cluster send DNS queries: the service, as `/etc/resolv.conf` of a pod would say.
    pub(super) fn nameserver(&self) -> Result<SocketAddr> {
        let service = self.cluster.services.get(DNS);
        let service = service.with_context(|| format!("no service `{DNS}`"))?;
        Ok(listening(service.address, 53))
    }

    /// The address of a name, as the DNS server will answer.
    pub(super) fn resolve(&self, name: &str) -> Result<IpAddr> {
        let address = self.names().get(name).copied();
        address.with_context(|| format!("no name `{name}`"))
    }

    /// Starts the applications and the DNS server, with the program that plays both.
    pub(super) fn start(&self, empire_world: &Path) -> Result<Servers> {
        let mut servers = Servers::new(empire_world);
        for (name, pod) in &self.cluster.pods {
            for port in pod.ports.iter().filter(|port| !is_dns(port)) {
                servers.start_app(name, behind(pod.address, port.number))?;
            }
        }
        for (name, address) in OUTSIDE {
            servers.start_app(name, behind(address.into(), WEB))?;
        }
        servers.start_dns(behind(self.pod(DNS)?, 53), &self.names())?;
        Ok(servers)
    }

    /// Every name that the DNS server knows, and its address.
    fn names(&self) -> BTreeMap<String, IpAddr> {
        let services = self.cluster.services.iter().filter_map(|(full_name, service)| {
            let (namespace, name) = full_name.split_once('/')?;
            Some((format!("{name}.{namespace}.svc.cluster.local"), service.address))
        });
        let outside = OUTSIDE.iter().map(|&(name, address)| (name.to_owned(), address.into()));
        services.chain(outside).collect()
    }

    /// The node proxy: an Envoy in front of every address, its state in `dir`.
    pub(super) fn node(&self, plugin: &Path, dir: &Path) -> Result<Node> {
        let (listeners, upstreams): (Vec<_>, Vec<_>) = self.pod_ports().chain(self.service_ports()).unzip();
        let outside = OUTSIDE
            .iter()
            .map(|&(name, address)| outside_listener(name, address.into()));
        Ok(Node {
            id: "empire".to_owned(),
            envoy: EnvoyVersion::default(),
            admin: ADMIN,
            plugin_wasm: plugin.to_owned(),
            encoding: Encoding::default(),
            state_dir: dir.join("state"),
            access_log: dir.join("access.log"),
            flow_log: None,
            // Envoy asks the server itself, not through its own listener: it is no pod, and no policy is about it.
            dns_resolver: Some(behind(self.pod(DNS)?, 53)),
            // Its hosts outside are on loopback too, so of that only the cluster's own part is forbidden.
            cluster_ranges: CLUSTER_RANGES.to_vec(),
            // Without root nobody listens on port 80, not even outside.
            stand_in_ports: true,
            max_connection: Node::MAX_CONNECTION,
            underscores: Underscores::Reject,
            listeners: listeners.into_iter().chain(outside).collect(),
            clusters: upstreams,
        })
    }

    fn pod_ports(&self) -> impl Iterator<Item = (Listener, Upstream)> {
        self.cluster.pods.iter().flat_map(|(name, pod)| {
            pod.ports.iter().map(move |port| {
                let endpoints = vec![behind(pod.address, port.number)];
                inside_listener("pod", name, pod.address, port, endpoints)
            })
        })
    }

    fn service_ports(&self) -> impl Iterator<Item = (Listener, Upstream)> {
        self.cluster.services.iter().flat_map(move |(name, service)| {
            service.ports.iter().map(move |port| {
                let pods = port
                    .backends
                    .iter()
                    .filter_map(|backend| self.cluster.pods.get(backend));
                let endpoints = pods.map(|pod| behind(pod.address, port.target)).collect();
                inside_listener("service", name, service.address, &port.port, endpoints)
            })
        })
    }
}

/// Where Envoy listens for port `port` of `address`.
pub(super) fn listening(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, 20_000 + port)
}

/// Where the application is that has port `port` of `address`.
fn behind(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, 30_000 + port)
}

fn is_dns(port: &Port) -> bool {
    port.name.starts_with("dns")
}

/// A listener for an address of the cluster. It asks both sides: this node has every pod on it.
fn inside_listener(
    kind: &str,
    name: &str,
    address: IpAddr,
    port: &Port,
    endpoints: Vec<SocketAddr>,
) -> (Listener, Upstream) {
    let name = format!("{kind}-{}-{}", name.replace('/', "-"), port.number);
    let kind = if is_dns(port) {
        ListenerKind::Tcp { cluster: name.clone() }
    } else {
        let route = Route::Cluster(name.clone());
        ListenerKind::Http { route }
    };
    let listener = Listener {
        logical_port: Some(port.number),
        ..Listener::new(&name, listening(address, port.number), Direction::Both, kind)
    };
    (listener, Upstream::new(&name, endpoints))
}

/// A listener for the address of a host outside. Its policy side is the caller's alone; and because rules name such
/// hosts, Envoy resolves the name that the request gives, whatever address the caller chose.
fn outside_listener(name: &str, address: IpAddr) -> Listener {
    let names = OUTSIDE.iter().map(|&(name, _)| name.to_owned()).collect();
    let route = Route::Names {
        names,
        port: behind(address, WEB).port(),
    };
    let (name, kind) = (format!("outside-{name}"), ListenerKind::Http { route });
    Listener {
        logical_port: Some(WEB),
        ..Listener::new(&name, listening(address, WEB), Direction::Egress, kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/empire/world.yaml");
        World::read(Path::new(manifests)).unwrap()
    }

    #[test]
    fn the_node_holds_together() {
        let node = world().node(Path::new("/p.wasm"), Path::new("/demo")).unwrap();
        node.bootstrap().unwrap();
        let at = |name: &str| node.listeners.iter().find(|l| l.name == name).unwrap();
        assert_eq!(at("service-kube-system-kubernetes-dashboard-80").address.port(), 20_080);
        assert_eq!(at("service-kube-system-kubernetes-dashboard-80").logical_port, Some(80));
        assert!(matches!(
            at("pod-kube-system-kube-dns-53").kind,
            ListenerKind::Tcp { .. }
        ));
        assert!(matches!(
            at("pod-empire-deathstar-8080").kind,
            ListenerKind::Http { .. }
        ));
    }

    #[test]
    fn the_dashboard_service_leads_to_another_port() {
        let node = world().node(Path::new("/p.wasm"), Path::new("/demo")).unwrap();
        let name = "service-kube-system-kubernetes-dashboard-80";
        let cluster = node.clusters.iter().find(|cluster| cluster.name == name).unwrap();
        assert_eq!(cluster.endpoints, ["127.10.1.90:39090".parse().unwrap()]);
    }

    #[test]
    fn names_lead_to_services_and_outside() {
        let names = world().names();
        let cases = [
            ("deathstar.empire.svc.cluster.local", "127.96.0.20"),
            ("kube-dns.kube-system.svc.cluster.local", "127.96.0.10"),
            ("cilium.io", "127.20.0.14"),
        ];
        for (name, address) in cases {
            assert_eq!(names[name], address.parse::<IpAddr>().unwrap(), "{name}");
        }
    }
}

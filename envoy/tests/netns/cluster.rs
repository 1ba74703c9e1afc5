//! A cluster in network namespaces: hosts, applications, services and a DNS server.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::process::Command;

use envoy_e2e::netns::curl::{Outcome, curl};
use envoy_e2e::netns::intercept::{self, Service};
use envoy_e2e::netns::{Inside, Network};
use envoy_e2e::world::dns::{DnsServer, Table};
use envoy_e2e::world::http::HttpApp;
use tempfile::TempDir;

/// What a cluster is made of.
pub(crate) struct Plan {
    /// Pods and hosts outside: name, address, and the ports of applications, which call themselves by that name.
    pub(crate) hosts: &'static [(&'static str, [u8; 4], &'static [u16])],
    /// Address and port of a service, and address and port of the pod behind it.
    pub(crate) services: &'static [([u8; 4], u16, [u8; 4], u16)],
    pub(crate) dns: Option<Dns>,
}

/// A DNS server for all hosts.
pub(crate) struct Dns {
    pub(crate) host: &'static str,
    /// The address under which it is called: that of a service.
    pub(crate) address: [u8; 4],
    pub(crate) names: &'static [(&'static str, [u8; 4])],
}

/// A running cluster. Nothing is intercepted yet.
pub(crate) struct Cluster {
    apps: Vec<(&'static str, Inside<HttpApp>)>,
    _dns: Option<Inside<DnsServer>>,
    pub(crate) network: Network,
    pub(crate) dir: TempDir,
}

impl Cluster {
    pub(crate) fn start(plan: &Plan) -> Self {
        let hosts: Vec<_> = plan
            .hosts
            .iter()
            .map(|&(name, address, _)| (name, Ipv4Addr::from(address)))
            .collect();
        let network = Network::new(&hosts).unwrap();
        let services = plan.services.iter().map(|&(address, port, backend, target)| Service {
            address: SocketAddrV4::new(address.into(), port),
            backend: SocketAddrV4::new(backend.into(), target),
        });
        intercept::services(network.node(), &services.collect::<Vec<_>>()).unwrap();
        Self {
            apps: apps(plan, &network),
            _dns: dns(plan, &network),
            network,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// What curl, on the host `from`, comes to with these arguments, separated by blanks.
    pub(crate) fn curl(&self, from: &str, arguments: &str) -> Outcome {
        let arguments: Vec<_> = arguments.split(' ').collect();
        curl(self.network.host(from).unwrap(), &arguments).unwrap()
    }

    /// How many requests reached applications, all together.
    pub(crate) fn requests(&self) -> usize {
        self.apps.iter().map(|(_, app)| app.requests().len()).sum()
    }

    /// How many connections the applications of a host got.
    pub(crate) fn connections(&self, host: &str) -> usize {
        let apps = self.apps.iter().filter(|(name, _)| *name == host);
        apps.map(|(_, app)| app.connections()).sum()
    }

    /// The plugin configuration for these manifests, compiled by the tool as a user would.
    pub(crate) fn compile(&self, portcullis: &Path, manifests: &[&str]) -> String {
        let mut command = Command::new(portcullis);
        command.args(["compile", "--plugin-config", "listener"]);
        for (number, manifest) in manifests.iter().enumerate() {
            let file = self.dir.path().join(format!("manifest-{number}.yaml"));
            fs::write(&file, manifest).unwrap();
            command.arg("--file").arg(file);
        }
        let compiled = command.output().unwrap();
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        String::from_utf8(compiled.stdout).unwrap()
    }
}

/// A plugin configuration with one more member. The bundle in it has to stay as it is, byte by byte.
pub(crate) fn with_member(configuration: &str, member: &str) -> String {
    let rest = configuration.strip_prefix('{').unwrap();
    format!("{{{member},{rest}")
}

fn apps(plan: &Plan, network: &Network) -> Vec<(&'static str, Inside<HttpApp>)> {
    let ports = plan.hosts.iter().flat_map(|&(name, address, ports)| {
        let at = move |&port: &u16| (name, SocketAddr::new(IpAddr::from(address), port));
        ports.iter().map(at)
    });
    let start = |(name, address)| {
        let host = network.host(name).unwrap();
        let app = host.hold(|| Ok(HttpApp::start(address, name, vec![])?));
        (name, app.unwrap())
    };
    ports.map(start).collect()
}

fn dns(plan: &Plan, network: &Network) -> Option<Inside<DnsServer>> {
    let dns = plan.dns.as_ref()?;
    network.set_nameserver(dns.address.into()).unwrap();
    let names = dns.names.iter();
    let table = names.map(|&(name, address)| (name.to_owned(), vec![IpAddr::from(address)]));
    let listen = SocketAddr::new(network.address(dns.host).unwrap().into(), 53);
    let start = || Ok(DnsServer::start(listen, Table::from_iter(table))?);
    Some(network.host(dns.host).unwrap().hold(start).unwrap())
}

//! A node and the hosts around it.
//!
//! ```text
//!  pod ns          node ns               outside ns
//!  eth0 ── v0  │  routes, iptables  │  v1 ── eth0
//!  10.200.0.11     10.200.0.1             198.51.100.14
//! ```
//!
//! Every host has a wire to the node and no other: two pods of a node do not share a network, as with most network
//! plugins of Kubernetes. So nothing reaches anybody but through the node, where Envoy is.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::Namespace;

/// The node's own address: where connections of Envoy come from that do not keep the client's.
pub const NODE: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
/// The next hop of every host, on the node's end of its wire. Link-local, so all wires can have the same.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// A running network. Dropping it removes its namespaces, after the [`Inside`](super::Inside)s in them.
#[derive(Debug)]
pub struct Network {
    node: Arc<Namespace>,
    hosts: BTreeMap<String, Host>,
}

#[derive(Debug)]
struct Host {
    namespace: Arc<Namespace>,
    address: Ipv4Addr,
    /// The node's end of its wire.
    wire: String,
}

impl Network {
    /// A node with these hosts, by name and address. The node forwards between them until something intercepts it.
    ///
    /// # Errors
    ///
    /// A namespace cannot be set up; those that were made are gone again.
    pub fn new(hosts: &[(&str, Ipv4Addr)]) -> Result<Self> {
        let node = Arc::new(Namespace::new("node")?);
        // Before there are wires: the routes refer to it.
        node.ip(&format!("addr add {NODE}/32 dev lo\n"))?;
        node.set("ipv4/ip_forward", "1")?;
        let mut network = Self {
            node,
            hosts: BTreeMap::new(),
        };
        for &(name, address) in hosts {
            let host = network.attach(name, address).with_context(|| name.to_owned())?;
            network.hosts.insert(name.to_owned(), host);
        }
        Ok(network)
    }

    /// The namespace of the node.
    #[must_use]
    pub fn node(&self) -> &Arc<Namespace> {
        &self.node
    }

    /// The namespace of a host.
    ///
    /// # Errors
    ///
    /// There is no host of that name.
    pub fn host(&self, name: &str) -> Result<&Arc<Namespace>> {
        Ok(&self.find(name)?.namespace)
    }

    /// The address of a host.
    ///
    /// # Errors
    ///
    /// There is no host of that name.
    pub fn address(&self, name: &str) -> Result<Ipv4Addr> {
        Ok(self.find(name)?.address)
    }

    /// All hosts ask this DNS server, over TCP: over UDP nothing in Envoy would see what they ask.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn set_nameserver(&self, server: Ipv4Addr) -> Result<()> {
        let text = format!("nameserver {server}\noptions use-vc timeout:2 attempts:1\n");
        self.hosts
            .values()
            .try_for_each(|host| host.namespace.set_resolv_conf(&text))
    }

    /// Gives a host one more address.
    ///
    /// # Errors
    ///
    /// There is no host of that name, or it has the address already.
    pub fn add_address(&self, name: &str, address: Ipv4Addr) -> Result<()> {
        let host = self.find(name)?;
        host.namespace.ip(&format!("addr add {address}/32 dev eth0\n"))?;
        let wire = &host.wire;
        self.node.ip(&format!("route add {address}/32 dev {wire} src {NODE}\n"))
    }

    fn find(&self, name: &str) -> Result<&Host> {
        self.hosts.get(name).with_context(|| format!("no host `{name}`"))
    }

    /// A host on a wire of its own.
    fn attach(&self, name: &str, address: Ipv4Addr) -> Result<Host> {
        let namespace = Arc::new(Namespace::new(&name.replace('/', "-"))?);
        // Not that of this machine, whose servers are out of reach.
        namespace.set_resolv_conf("")?;
        let wire = format!("v{}", self.hosts.len());
        self.node.ip(&format!(
            "link add {wire} type veth peer name eth0 netns {}\n\
             addr add {GATEWAY}/32 dev {wire}\n\
             link set {wire} up\n\
             route add {address}/32 dev {wire} src {NODE}\n",
            namespace.name()
        ))?;
        namespace.ip(&format!(
            "addr add {address}/32 dev eth0\n\
             link set eth0 up\n\
             route add {GATEWAY} dev eth0 scope link\n\
             route add default via {GATEWAY} src {address}\n"
        ))?;
        Ok(Host {
            namespace,
            address,
            wire,
        })
    }
}

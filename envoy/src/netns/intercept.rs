//! Leading traffic to Envoy without the knowledge of those who send it, and services to their pods.
//!
//! Two ways, as meshes and network plugins do it:
//!
//! - **TPROXY**, on the node: packets are delivered to a *transparent* socket as they are. Destination and source stay
//!   what they were, and Envoy may speak to the upstream with the client's address.
//! - **REDIRECT**, inside of one pod: the kernel rewrites the destination to a local port and remembers the original
//!   one, which Envoy's `original_dst` filter asks for. Envoy's own connections are exempt, by their group.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::Result;

use super::{NODE, Namespace, tool};

/// The mark that Envoy puts on connections which it makes with the client's address (`original_src`).
pub const UPSTREAM_MARK: u32 = 2;
/// The group that Envoy runs with in a pod. What a process of this group sends goes straight out.
pub const ENVOY_GROUP: u32 = 1337;
/// The mark of packets that are for this machine although their destination is not.
const LOCAL_MARK: u32 = 1;
/// The routing table for those.
const LOCAL_TABLE: u32 = 100;

/// TCP connections to be caught, of those that nothing before it has caught.
#[derive(Clone, Copy, Debug)]
pub struct Catch {
    /// Only those to this network, address and prefix length; `None` for all.
    pub to: Option<(Ipv4Addr, u8)>,
    /// Only those to this port; `None` for all.
    pub port: Option<u16>,
    /// The port of Envoy's listener.
    pub listener: u16,
}

/// A service of Kubernetes: an address that no host has.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// What clients call.
    pub address: SocketAddrV4,
    /// Where that leads.
    pub backend: SocketAddrV4,
}

/// Hands the TCP connections that cross the node to Envoy, whose listeners are transparent and on 127.0.0.1: whoever
/// calls them by address finds nobody. Nothing else crosses the node from now on, neither TCP that nothing catches nor
/// any other protocol.
///
/// # Errors
///
/// The kernel lacks a feature, or it was called before.
pub fn tproxy(node: &Namespace, catches: &[Catch]) -> Result<()> {
    // Delivers what has the mark to this machine, whatever its destination.
    node.ip(&format!(
        "rule add fwmark {LOCAL_MARK} lookup {LOCAL_TABLE}\n\
         route add local 0.0.0.0/0 dev lo table {LOCAL_TABLE}\n"
    ))?;
    restore(node, &tproxy_rules(catches))
}

/// Leads the connections of services to their pods, for clients behind the node and for Envoy on the node, as
/// kube-proxy does.
///
/// # Errors
///
/// The kernel lacks a feature.
pub fn services(node: &Namespace, services: &[Service]) -> Result<()> {
    // Without a route nothing is sent that could be led elsewhere. Where it points to does not matter.
    let route = |service: &Service| format!("route replace {}/32 dev lo src {NODE}\n", service.address.ip());
    node.ip(&services.iter().map(route).collect::<String>())?;
    // What passes by, unless Envoy is about to get it, and what this machine sends itself.
    let chains = [format!("PREROUTING -m mark ! --mark {LOCAL_MARK}"), "OUTPUT".to_owned()];
    let rules = chains
        .iter()
        .flat_map(|chain| services.iter().map(|service| service.rule(chain)));
    restore(node, &format!("*nat\n{}COMMIT\n", rules.collect::<String>()))
}

/// Hands the TCP connections of a pod to the Envoy in the same pod: those that come in, to listeners on the pod's
/// address; those that go out, to listeners on 127.0.0.1. The pod's talk with itself stays its own.
///
/// # Errors
///
/// The kernel lacks a feature.
pub fn redirect(pod: &Namespace, inbound: &[Catch], outbound: &[Catch]) -> Result<()> {
    restore(pod, &redirect_rules(inbound, outbound))
}

/// Whether the kernel has everything that the functions above use.
pub(super) fn try_out(namespace: &Namespace) -> Result<()> {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1);
    let catch = Catch {
        to: None,
        port: Some(1),
        listener: 2,
    };
    namespace.ip(&format!("addr add {NODE}/32 dev lo\n"))?;
    tproxy(namespace, &[catch])?;
    let backend = address;
    services(namespace, &[Service { address, backend }])?;
    redirect(namespace, &[catch], &[catch])
}

/// The mark of a connection is there for services: an answer comes from the pod, not from the address that Envoy
/// called, so no socket fits it yet. `FORWARD` ends what nothing has caught.
fn tproxy_rules(catches: &[Catch]) -> String {
    let target = |listener| format!("TPROXY --on-ip 127.0.0.1 --on-port {listener} --tproxy-mark {LOCAL_MARK}");
    let catches: String = catches.iter().map(|catch| catch.rule("PREROUTING", target)).collect();
    format!(
        "*mangle\n\
         :DIVERT - [0:0]\n\
         -A DIVERT -j MARK --set-mark {LOCAL_MARK}\n\
         -A DIVERT -j ACCEPT\n\
         -A PREROUTING -i lo -j ACCEPT\n\
         -A PREROUTING -p tcp -m connmark --mark {UPSTREAM_MARK} -j DIVERT\n\
         -A PREROUTING -p tcp -m socket --transparent -j DIVERT\n\
         {catches}\
         -A OUTPUT -m mark --mark {UPSTREAM_MARK} -j CONNMARK --save-mark\n\
         COMMIT\n\
         *filter\n\
         :FORWARD DROP [0:0]\n\
         COMMIT\n"
    )
}

impl Service {
    fn rule(&self, chain: &str) -> String {
        let (address, port) = (self.address.ip(), self.address.port());
        let backend = self.backend;
        format!("-A {chain} -d {address} -p tcp --dport {port} -j DNAT --to-destination {backend}\n")
    }
}

impl Catch {
    /// The rule in this chain with the target for the listener's port.
    fn rule(&self, chain: &str, target: impl Fn(u16) -> String) -> String {
        let Self { to, port, listener } = *self;
        let to = to.map_or_else(String::new, |(network, length)| format!(" -d {network}/{length}"));
        let port = port.map_or_else(String::new, |port| format!(" --dport {port}"));
        format!("-A {chain} -p tcp{to}{port} -j {}\n", target(listener))
    }
}

fn redirect_rules(inbound: &[Catch], outbound: &[Catch]) -> String {
    let target = |listener| format!("REDIRECT --to-ports {listener}");
    let rules =
        |chain, catches: &[Catch]| -> String { catches.iter().map(|catch| catch.rule(chain, target)).collect() };
    let (inbound, outbound) = (rules("PREROUTING", inbound), rules("OUTPUT", outbound));
    format!(
        "*nat\n\
         {inbound}\
         -A OUTPUT -o lo -j RETURN\n\
         -A OUTPUT -m owner --gid-owner {ENVOY_GROUP} -j RETURN\n\
         {outbound}\
         COMMIT\n"
    )
}

/// Adds rules to those that are there.
fn restore(namespace: &Namespace, rules: &str) -> Result<()> {
    let mut command = namespace.command("iptables-restore");
    tool::run(command.args(["--noflush", "--wait"]), rules).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrow_catch_comes_first_and_envoy_is_exempt() {
        let all = |listener| Catch {
            to: None,
            port: None,
            listener,
        };
        let web = Catch {
            to: Some(([198, 51, 100, 0].into(), 24)),
            port: Some(80),
            listener: 15081,
        };
        let rules = redirect_rules(&[all(15006)], &[web, all(15001)]);
        let expected = "*nat\n\
            -A PREROUTING -p tcp -j REDIRECT --to-ports 15006\n\
            -A OUTPUT -o lo -j RETURN\n\
            -A OUTPUT -m owner --gid-owner 1337 -j RETURN\n\
            -A OUTPUT -p tcp -d 198.51.100.0/24 --dport 80 -j REDIRECT --to-ports 15081\n\
            -A OUTPUT -p tcp -j REDIRECT --to-ports 15001\n\
            COMMIT\n";
        assert_eq!(rules, expected);
    }
}

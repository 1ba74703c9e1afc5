//! An address for every peer of a flow, so that every engine can be asked as proxies are: by addresses.
//!
//! A pod without an address, a node or another peer that no object describes gets an address that nobody else has,
//! and the bundle says whose it is. That changes no verdict: policies know endpoints and nodes by their labels.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use policy_core::{
    Bundle, Label, Labels,
    bundle::{AddressEntry, Element, Identity, PeerPattern, Peers, Policy, Rule, Stack},
};

use crate::args::{Peer, Reserved};

/// A bundle, and who has which address in it.
pub(crate) struct Placement {
    bundle: Bundle,
    endpoints: HashMap<String, usize>,
    /// Addresses that somebody has.
    taken: HashSet<IpAddr>,
    reserved: HashMap<Reserved, IpAddr>,
    free: u32,
}

/// The first address that is given to a peer without one; the block is reserved and never routed.
const FIRST_FREE: u32 = 0xf000_0001;

impl Placement {
    /// Takes a bundle in which more peers are to be found. None of them gets one of the `foreign` addresses.
    pub(crate) fn new(bundle: Bundle, foreign: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut taken: HashSet<IpAddr> = foreign.into_iter().collect();
        taken.extend(
            bundle
                .endpoints
                .iter()
                .flat_map(|endpoint| endpoint.addresses.iter().copied()),
        );
        taken.extend(bundle.addresses.iter().map(|entry| entry.prefix.addr()));
        taken.extend(bundle.services.iter().map(|service| service.address));
        taken.extend(bundle.names.values().flatten().copied());
        let named = bundle.endpoints.iter().enumerate();
        let endpoints = named.map(|(index, endpoint)| (endpoint.name.clone(), index)).collect();
        // What follows is not what the digest was made for.
        let bundle = Bundle { digest: None, ..bundle };
        Self {
            bundle,
            endpoints,
            taken,
            reserved: HashMap::new(),
            free: FIRST_FREE,
        }
    }

    /// The address of a peer, which it gets now if it has none.
    ///
    /// An error says that no object describes the pod. A peer of labels alone must have become a pod before.
    pub(crate) fn place(&mut self, peer: &Peer) -> Result<IpAddr, String> {
        match peer {
            Peer::Address(address) => Ok(*address),
            Peer::Reserved(reserved) => Ok(self.reserved_address(*reserved)),
            Peer::Pod { .. } => self.pod_address(&peer.to_string()),
            Peer::Labels { .. } => Err(format!("`{peer}` is no pod: name one, as `namespace/pod`")),
        }
    }

    /// The name of the endpoint that has the address.
    pub(crate) fn owner(&self, address: IpAddr) -> Option<&str> {
        let mut endpoints = self.bundle.endpoints.iter();
        endpoints
            .find(|endpoint| endpoint.addresses.contains(&address))
            .map(|endpoint| endpoint.name.as_str())
    }

    /// An address for a peer that has these labels and no object.
    pub(crate) fn place_labels(&mut self, labels: Labels) -> IpAddr {
        let ports = Vec::new();
        let identity = push_identity(&mut self.bundle.identities, Identity { labels, ports });
        let address = self.free_address();
        self.bundle.addresses.push(AddressEntry {
            prefix: IpNet::from(address),
            identity,
        });
        self.taken.insert(address);
        address
    }

    /// Adds what DNS says of a name, in lower case and with a trailing dot.
    pub(crate) fn add_name(&mut self, name: &str, address: IpAddr) {
        let known = self.bundle.names.entry(name.to_owned()).or_default();
        if !known.contains(&address) {
            known.push(address);
        }
    }

    /// The bundle so far.
    pub(crate) fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The bundle in which every peer that was placed has its address.
    pub(crate) fn into_bundle(self) -> Bundle {
        self.bundle
    }

    fn pod_address(&mut self, name: &str) -> Result<IpAddr, String> {
        let free = self.free_address();
        let endpoint = self
            .endpoints
            .get(name)
            .and_then(|index| self.bundle.endpoints.get_mut(*index));
        let Some(endpoint) = endpoint else {
            return Err(format!("no pod `{name}` is among the objects"));
        };
        match endpoint.addresses.first() {
            Some(address) => Ok(*address),
            None => {
                endpoint.addresses.push(free);
                self.taken.insert(free);
                Ok(free)
            }
        }
    }

    fn reserved_address(&mut self, reserved: Reserved) -> IpAddr {
        if let Some(address) = self.reserved.get(&reserved) {
            return *address;
        }
        let names: &[&str] = match reserved {
            Reserved::World if self.bundle.options.stack == Stack::Ipv6 => {
                return self.remember_outside(reserved, false);
            }
            Reserved::World | Reserved::WorldIpv4 => return self.remember_outside(reserved, true),
            Reserved::WorldIpv6 => return self.remember_outside(reserved, false),
            // Inside the cluster, the API server is on a node.
            Reserved::KubeApiserver => &["kube-apiserver", "remote-node"],
            Reserved::Host => &["host"],
            Reserved::RemoteNode => &["remote-node"],
            Reserved::Health => &["health"],
            Reserved::Init => &["init"],
            Reserved::Ingress => &["ingress"],
            Reserved::Unmanaged => &["unmanaged"],
        };
        let labels = names.iter().filter_map(|name| Label::new("reserved", name, "").ok());
        let address = self.place_labels(labels.collect());
        self.reserved.insert(reserved, address);
        address
    }

    fn remember_outside(&mut self, reserved: Reserved, v4: bool) -> IpAddr {
        let address = outside(&self.bundle, v4);
        self.reserved.insert(reserved, address);
        address
    }

    fn free_address(&mut self) -> IpAddr {
        loop {
            let address = IpAddr::V4(Ipv4Addr::from_bits(self.free));
            if !self.taken.contains(&address) {
                return address;
            }
            self.free = self.free.wrapping_add(1);
        }
    }
}

fn push_identity(identities: &mut Vec<Identity>, identity: Identity) -> u32 {
    identities.push(identity);
    // A bundle with more identities than that fits into no memory.
    u32::try_from(identities.len() - 1).unwrap_or(u32::MAX)
}

/// An address that is outside the cluster and in no prefix that the bundle knows, or else in as wide a one as
/// possible.
fn outside(bundle: &Bundle, v4: bool) -> IpAddr {
    let known: Vec<IpNet> = known_prefixes(bundle)
        .filter(|prefix| prefix.addr().is_ipv4() == v4)
        .collect();
    let length = |address: &IpAddr| {
        let holding = known.iter().filter(|prefix| prefix.contains(address));
        holding
            .map(|prefix| u16::from(prefix.prefix_len()) + 1)
            .max()
            .unwrap_or(0)
    };
    let candidate = |first: u8| match v4 {
        true => IpAddr::from([first, 254, 253, 251]),
        false => IpAddr::V6(Ipv6Addr::new(
            0x2000 | u16::from(first),
            0xfedc,
            0xba98,
            0,
            0,
            0,
            0,
            0xfb,
        )),
    };
    let candidates = (11..=223).filter(|first| *first != 127).map(candidate);
    candidates.min_by_key(length).unwrap_or_else(|| candidate(11))
}

/// Every prefix by which a bundle tells addresses apart.
fn known_prefixes(bundle: &Bundle) -> impl Iterator<Item = IpNet> {
    let in_policies = bundle.policies.iter().flat_map(policy_prefixes);
    let entries = bundle.addresses.iter().map(|entry| entry.prefix);
    let endpoints = bundle.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
    let services = bundle.services.iter().map(|service| &service.address);
    let names = bundle.names.values().flatten();
    let single = endpoints.chain(services).chain(names).copied().map(IpNet::from);
    let groups = bundle.groups.iter().flat_map(|group| &group.prefixes).copied();
    in_policies.chain(entries).chain(groups).chain(single)
}

fn policy_prefixes(policy: &Policy) -> impl Iterator<Item = IpNet> {
    peer_patterns(policy).flat_map(|pattern| match pattern {
        PeerPattern::Cidr { prefix, except } | PeerPattern::Address { prefix, except } => {
            [*prefix].into_iter().chain(except.iter().copied()).collect()
        }
        PeerPattern::External { selector: _, except } => except.clone(),
        PeerPattern::Selector(_)
        | PeerPattern::Entity(_)
        | PeerPattern::MatchName(_)
        | PeerPattern::MatchPattern(_) => Vec::new(),
    })
}

fn peer_patterns(policy: &Policy) -> impl Iterator<Item = &PeerPattern> {
    policy
        .rules
        .iter()
        .flat_map(sections)
        .flatten()
        .flat_map(|element| match &element.peers {
            Peers::OneOf(patterns) => patterns.as_slice(),
            Peers::Any | Peers::None => &[],
        })
}

fn sections(rule: &Rule) -> [&Vec<Element>; 4] {
    [&rule.ingress, &rule.ingress_deny, &rule.egress, &rule.egress_deny]
}

#[cfg(test)]
mod tests {
    use policy_core::Engine;

    use super::*;

    fn bundle(json: &str) -> Bundle {
        Bundle::from_json(json.as_bytes()).expect("a bundle")
    }

    fn world() -> Bundle {
        bundle(
            r#"{"version":1,
                "selectors":[[]],
                "policies":[{"kind":"K","name":"p","rules":[{"path":"spec","subject":0,
                    "egress":[{"peers":{"oneOf":[{"cidr":{"prefix":"11.0.0.0/8"}},{"cidr":{"prefix":"0.0.0.0/0"}}]}}]}]}],
                "identities":[{"labels":["k8s:app=db","k8s:io.cilium.k8s.policy.cluster=c1"]}],
                "endpoints":[{"name":"shop/db","identity":0},{"name":"shop/db2","identity":0,"addresses":["240.0.0.1"]}],
                "services":[{"name":"shop/db","address":"10.96.0.1","protocol":"TCP","port":80}]}"#,
        )
    }

    fn peer(text: &str) -> Peer {
        text.parse().expect("a peer")
    }

    #[test]
    fn every_peer_gets_its_own_address_and_labels() {
        let mut placement = Placement::new(world(), ["240.0.0.2".parse().expect("an address")]);
        let rows = [
            (
                "shop/db",
                "240.0.0.3",
                "k8s:app=db,k8s:io.cilium.k8s.policy.cluster=c1",
                "a pod without an address",
            ),
            (
                "shop/db2",
                "240.0.0.1",
                "k8s:app=db,k8s:io.cilium.k8s.policy.cluster=c1",
                "a pod with an address",
            ),
            (
                "reserved:host",
                "240.0.0.4",
                "reserved:host",
                "a peer without an object",
            ),
            (
                "reserved:kube-apiserver",
                "240.0.0.5",
                "reserved:kube-apiserver,reserved:remote-node",
                "on a node",
            ),
            ("reserved:host", "240.0.0.4", "reserved:host", "the same again"),
            (
                "reserved:world",
                "12.254.253.251",
                "cidr:0.0.0.0/0,reserved:world-ipv4",
                "in the widest prefix",
            ),
            (
                "reserved:world-ipv6",
                "200b:fedc:ba98::fb",
                "reserved:world-ipv6",
                "in no prefix",
            ),
            (
                "8.8.8.8",
                "8.8.8.8",
                "cidr:0.0.0.0/0,reserved:world-ipv4",
                "an address is itself",
            ),
        ];
        let placed: Vec<IpAddr> = rows
            .iter()
            .map(|(name, _, _, why)| placement.place(&peer(name)).expect(why))
            .collect();
        assert_eq!(placed.iter().filter_map(|address| placement.owner(*address)).count(), 2);
        let engine = Engine::new(placement.into_bundle()).expect("a sound bundle");
        for ((name, address, labels, why), placed) in rows.into_iter().zip(placed) {
            assert_eq!(placed.to_string(), address, "{name}: {why}");
            assert_eq!(
                engine.labels(engine.identity_of(placed)).to_string(),
                labels,
                "{name}: {why}"
            );
        }
    }

    #[test]
    fn nobody_is_made_up() {
        let mut placement = Placement::new(world(), []);
        for (name, part) in [("shop/web", "no pod `shop/web`"), ("ns=shop,app=db", "is no pod")] {
            let error = placement.place(&peer(name)).expect_err(name);
            assert!(error.contains(part), "{error}");
        }
    }
}

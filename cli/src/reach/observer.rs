//! What policies see of the ends of a flow.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;
use policy_core::{
    Bundle, Engine, FqdnPattern, Label,
    bundle::{PeerPattern, ReservedEntity},
};

use super::patterns;

/// The label by which policies know the endpoints of a cluster.
const CLUSTER_KEY: &str = "io.cilium.k8s.policy.cluster";

/// The policies of one bundle, as far as they look at who is at an end of a flow.
pub(super) struct Observer<'a> {
    engine: &'a Engine,
    bundle: &'a Bundle,
    names: Vec<(String, FqdnPattern)>,
    /// Prefixes that match inside the cluster too.
    prefixes: BTreeSet<IpNet>,
    /// Whether some policy tells IPv4 from IPv6 outside.
    versions: bool,
    endpoints: BTreeMap<&'a str, u32>,
    port_names: BTreeSet<&'a str>,
}

impl<'a> Observer<'a> {
    /// Gathers what the policies look at.
    pub(super) fn new(engine: &'a Engine, bundle: &'a Bundle) -> Self {
        let name = |pattern: &PeerPattern| match pattern {
            PeerPattern::MatchName(name) => Some((name.to_string(), FqdnPattern::name(name).ok()?)),
            PeerPattern::MatchPattern(text) => Some((text.to_string(), FqdnPattern::pattern(text).ok()?)),
            _ => None,
        };
        let everywhere = |pattern: &PeerPattern| match pattern {
            PeerPattern::Address { prefix, except } => [prefix].into_iter().chain(except).copied().collect(),
            _ => Vec::new(),
        };
        let version = |pattern: &PeerPattern| {
            use ReservedEntity::{WorldIpv4, WorldIpv6};
            matches!(pattern, PeerPattern::Entity(WorldIpv4 | WorldIpv6))
        };
        Self {
            engine,
            bundle,
            names: patterns::peers(bundle).filter_map(name).collect(),
            prefixes: patterns::peers(bundle).flat_map(everywhere).collect(),
            versions: patterns::peers(bundle).any(version),
            endpoints: bundle
                .endpoints
                .iter()
                .map(|end| (end.name.as_str(), end.identity))
                .collect(),
            port_names: patterns::port_names(bundle).collect(),
        }
    }

    /// What they see of an end, which `trace` knows as `peer`. Ends of which they see the same are the same to them.
    pub(super) fn see(&self, peer: &str, address: IpAddr) -> BTreeSet<String> {
        let identity = self.engine.identity_of(address);
        let labels = self.engine.labels(identity);
        let selectors = self.bundle.selectors.iter().enumerate();
        let mut seen: BTreeSet<String> = selectors
            .filter(|(_, selector)| selector.matches(labels))
            .map(|(i, _)| format!("selector {i}"))
            .collect();
        let known = self.prefixes.iter().filter(|prefix| prefix.contains(&address));
        seen.extend(known.map(|prefix| format!("prefix {prefix}")));
        if self.engine.is_endpoint(identity) {
            let special = |label: &&Label| label.source().as_str() == "reserved" || label.key() == CLUSTER_KEY;
            seen.extend(labels.iter().filter(special).map(ToString::to_string));
            seen.extend(self.named_ports(peer));
            return seen;
        }
        if self.versions {
            seen.insert(if address.is_ipv4() { "IPv4" } else { "IPv6" }.into());
        }
        let of_address = self
            .bundle
            .names
            .iter()
            .filter(|(_, addresses)| addresses.contains(&address));
        for (name, _) in of_address {
            let matching = self
                .names
                .iter()
                .filter(|(_, pattern)| pattern.matches(name.as_bytes()));
            seen.extend(matching.map(|(text, _)| format!("name {text}")));
        }
        seen
    }

    fn named_ports(&self, peer: &str) -> Vec<String> {
        let identity = self.endpoints.get(peer).and_then(|index| usize::try_from(*index).ok());
        let identity = identity.and_then(|index| self.bundle.identities.get(index));
        let ports = identity.into_iter().flat_map(|identity| &identity.ports);
        ports
            .filter(|port| self.port_names.contains(&*port.name))
            .map(|port| format!("port {} {} {}", port.name, port.protocol, port.port))
            .collect()
    }
}

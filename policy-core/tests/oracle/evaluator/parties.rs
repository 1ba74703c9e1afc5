//! §2: who is who, and which labels they have.

use std::net::IpAddr;

use policy_core::{
    Bundle, Label,
    bundle::{AddressEntry, Identity, NamedPort, Stack},
};

use super::PeerFact;

/// One side of a flow.
pub(super) struct Party<'a> {
    /// There may be several with the same key.
    pub(super) labels: Vec<Label>,
    pub(super) ports: &'a [NamedPort],
    pub(super) is_outside: bool,
    /// The DNS names of its address.
    pub(super) names: Vec<&'a str>,
}

impl<'a> Party<'a> {
    /// The endpoint of this name.
    pub(super) fn named(bundle: &'a Bundle, name: &str) -> Self {
        let endpoint = bundle.endpoints.iter().find(|endpoint| endpoint.name == name);
        Self::inside(identity(bundle, endpoint.expect("a known subject").identity))
    }

    /// The peer, if it has an address.
    pub(super) fn of(bundle: &'a Bundle, peer: PeerFact) -> Option<Self> {
        match peer {
            PeerFact::Address(address) => Some(Self::at(bundle, address)),
            PeerFact::Name(_) | PeerFact::Unknown => None,
        }
    }

    /// In the cluster wins; there, the longest prefix.
    fn at(bundle: &'a Bundle, address: IpAddr) -> Self {
        if let Some(endpoint) = bundle.endpoints.iter().find(|e| e.addresses.contains(&address)) {
            return Self::inside(identity(bundle, endpoint.identity));
        }
        let around = || bundle.addresses.iter().filter(|entry| entry.prefix.contains(&address));
        let node = around()
            .filter(|entry| !is_world(bundle, entry))
            .max_by_key(|entry| entry.prefix.prefix_len());
        if let Some(node) = node {
            return Self::inside(identity(bundle, node.identity));
        }
        let groups = bundle.groups.iter();
        let groups = groups.filter(|group| group.prefixes.iter().any(|prefix| prefix.contains(&address)));
        let mut labels = vec![world(bundle.options.stack, address)];
        labels.extend(around().flat_map(|entry| identity(bundle, entry.identity).labels.iter().cloned()));
        labels.extend(groups.flat_map(|group| group.labels.iter().cloned()));
        let names = bundle.names.iter();
        let names = names.filter(|(_, addresses)| addresses.contains(&address));
        Self {
            labels,
            ports: &[],
            is_outside: true,
            names: names.map(|(name, _)| name.as_str()).collect(),
        }
    }

    fn inside(identity: &'a Identity) -> Self {
        Self {
            labels: identity.labels.iter().cloned().collect(),
            ports: &identity.ports,
            is_outside: false,
            names: Vec::new(),
        }
    }

    /// Whether it has the label `reserved:<name>`.
    pub(super) fn is(&self, name: &str) -> bool {
        let mut labels = self.labels.iter();
        labels.any(|label| label.source().as_str() == "reserved" && label.key() == name)
    }
}

fn identity(bundle: &Bundle, index: u32) -> &Identity {
    &bundle.identities[usize::try_from(index).expect("an index")]
}

fn is_world(bundle: &Bundle, entry: &AddressEntry) -> bool {
    let party = Party::inside(identity(bundle, entry.identity));
    ["world", "world-ipv4", "world-ipv6"].iter().any(|name| party.is(name))
}

fn world(stack: Stack, address: IpAddr) -> Label {
    let name = match (stack, address) {
        (Stack::Ipv4 | Stack::Ipv6, _) => "world",
        (Stack::Dual, IpAddr::V4(_)) => "world-ipv4",
        (Stack::Dual, IpAddr::V6(_)) => "world-ipv6",
    };
    Label::new("reserved", name, "").expect("a label")
}

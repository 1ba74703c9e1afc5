//! All identities, and who owns which address; see the engine's `identities` for what they mean.

use alloc::{collections::BTreeMap, format, rc::Rc, string::String, vec::Vec};
use core::net::IpAddr;
use hashbrown::HashMap;
use ipnet::IpNet;

use super::owner::{Names, Owner};
use crate::{
    address::{AddressTable, canonical_prefix, key_of_prefix},
    bundle::{AddressEntry, BundleError, CidrGroup, Endpoint, Identity, NamedPort, Stack},
    engine::{CompiledRule, IdentityId, IdentityKind},
    labels::{Label, Labels, Source},
};

/// An identity.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) labels: Labels,
    pub(super) ports: Vec<NamedPort>,
    pub(super) kind: IdentityKind,
}

/// The parts of a bundle that say who is known.
pub(super) struct Known {
    pub(super) identities: Vec<Identity>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) addresses: Vec<AddressEntry>,
    pub(super) groups: Vec<CidrGroup>,
    pub(super) names: BTreeMap<String, Vec<IpAddr>>,
}

/// All identities, and the tables that lead to them.
#[derive(Debug)]
pub(super) struct Identities {
    pub(super) entries: Vec<Entry>,
    /// With their first address, if they have one.
    endpoints: HashMap<Rc<str>, (IdentityId, Option<IpAddr>)>,
    /// The names of the endpoints, as owners of addresses have them.
    pub(super) names: Names,
    pub(super) in_cluster: AddressTable<Owner>,
    pub(super) external: AddressTable<Owner>,
    pub(super) world_v4: IdentityId,
    pub(super) world_v6: IdentityId,
    no_labels: Labels,
}

impl Identities {
    pub(super) fn build(known: Known, rules: &[CompiledRule], stack: Stack, errors: &mut Vec<BundleError>) -> Self {
        let Known {
            identities,
            endpoints,
            addresses,
            groups,
            names,
        } = known;
        let count = identities.len();
        let in_cluster = |Identity { labels, ports }| Entry {
            labels,
            ports,
            kind: IdentityKind::InCluster { prefix: None },
        };
        let mut this = Self {
            entries: identities.into_iter().map(in_cluster).collect(),
            endpoints: HashMap::new(),
            names: Names::default(),
            in_cluster: AddressTable::default(),
            external: AddressTable::default(),
            world_v4: IdentityId(0),
            world_v6: IdentityId(0),
            no_labels: Labels::default(),
        };
        this.add_endpoints(endpoints, count, errors);
        let mut labelled = this.add_addresses(addresses, count, errors);
        for CidrGroup { labels, prefixes } in groups {
            for prefix in prefixes {
                let of_prefix = labelled.entry(canonical_prefix(prefix)).or_default();
                of_prefix.extend(labels.iter().cloned());
            }
        }
        this.split_by_prefixes(rules);
        this.world_v4 = this.add_external(None, Vec::new(), world_label(stack, true).into_iter().collect());
        this.world_v6 = this.add_external(None, Vec::new(), world_label(stack, false).into_iter().collect());
        this.add_known_prefixes(names, &labelled, rules, stack);
        this
    }

    fn add_endpoints(&mut self, endpoints: Vec<Endpoint>, count: usize, errors: &mut Vec<BundleError>) {
        for (
            i,
            Endpoint {
                name,
                identity,
                addresses,
            },
        ) in endpoints.into_iter().enumerate()
        {
            let at = format!("endpoints[{i}]");
            let Some(id) = checked(identity, count, &at, errors) else {
                continue;
            };
            let first = addresses.first().copied();
            let name: Rc<str> = name.into();
            let owner = Owner::endpoint(id, self.names.add(&name));
            for address in addresses {
                self.claim(IpNet::from(address.to_canonical()), owner, &at, errors);
            }
            if self.endpoints.insert(name, (id, first)).is_some() {
                errors.push(BundleError::Invalid {
                    at,
                    reason: "another endpoint has the same name",
                });
            }
        }
    }

    /// Entries of the cluster claim their prefix. An entry whose identity is of the world (an API server outside the
    /// cluster) only adds its labels to those that the prefix has anyway.
    fn add_addresses(&mut self, addresses: Vec<AddressEntry>, count: usize, errors: &mut Vec<BundleError>) -> Labelled {
        let mut labelled = Labelled::new();
        for (i, AddressEntry { prefix, identity }) in addresses.into_iter().enumerate() {
            let at = format!("addresses[{i}]");
            let Some(id) = checked(identity, count, &at, errors) else {
                continue;
            };
            if is_world(self.labels(id)) {
                labelled
                    .entry(prefix.trunc())
                    .or_default()
                    .extend(self.labels(id).iter().cloned());
            } else {
                self.claim(canonical_prefix(prefix), Owner::of(id), &at, errors);
            }
        }
        labelled
    }

    fn claim(&mut self, prefix: IpNet, owner: Owner, at: &str, errors: &mut Vec<BundleError>) {
        let Some(other) = self.in_cluster.claim(prefix, owner) else {
            return;
        };
        if other.identity == owner.identity {
            other.name = self.names.first(other.name, owner.name);
        } else {
            errors.push(BundleError::AddressClash {
                at: at.into(),
                address: format!("{prefix}"),
            });
        }
    }

    pub(super) fn add_external(&mut self, prefix: Option<IpNet>, names: Vec<String>, labels: Vec<Label>) -> IdentityId {
        let own = |prefix: IpNet| Label::new(Source::CIDR, &key_of_prefix(prefix), "").ok();
        let labels = Labels::union(labels.into_iter().chain(prefix.and_then(own)));
        // A bundle cannot hold 2³² identities: it would not fit into any memory.
        let id = IdentityId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        let kind = IdentityKind::External { prefix, names };
        self.entries.push(Entry {
            labels,
            ports: Vec::new(),
            kind,
        });
        id
    }

    /// In-cluster wins over every prefix that a policy names.
    fn of(&self, address: IpAddr) -> IdentityId {
        let world = if address.is_ipv4() {
            self.world_v4
        } else {
            self.world_v6
        };
        self.in_cluster
            .lookup(address)
            .or_else(|| self.external.lookup(address))
            .map_or(world, |owner| owner.identity)
    }

    /// Every endpoint by name, with its identity.
    pub(super) fn endpoints(&self) -> BTreeMap<&str, IdentityId> {
        let endpoints = self.endpoints.iter().map(|(name, (id, address))| {
            let own = address.map_or(*id, |address| self.of(address.to_canonical()));
            (&**name, own)
        });
        endpoints.collect()
    }

    pub(super) fn entry(&self, id: IdentityId) -> Option<&Entry> {
        usize::try_from(id.0).ok().and_then(|index| self.entries.get(index))
    }

    fn labels(&self, id: IdentityId) -> &Labels {
        self.entry(id).map_or(&self.no_labels, |entry| &entry.labels)
    }
}

/// Labels beside its own that a prefix outside the cluster has.
pub(super) type Labelled = BTreeMap<IpNet, Vec<Label>>;

fn is_world(labels: &Labels) -> bool {
    ["world", "world-ipv4", "world-ipv6"]
        .into_iter()
        .any(|name| labels.has_reserved(name))
}

pub(super) fn world_label(stack: Stack, v4: bool) -> Option<Label> {
    let name = match (stack, v4) {
        (Stack::Dual, true) => "world-ipv4",
        (Stack::Dual, false) => "world-ipv6",
        (Stack::Ipv4 | Stack::Ipv6, _) => "world",
    };
    Label::new(Source::RESERVED, name, "").ok()
}

pub(super) fn checked(identity: u32, count: usize, at: &str, errors: &mut Vec<BundleError>) -> Option<IdentityId> {
    let known = usize::try_from(identity).is_ok_and(|index| index < count);
    if !known {
        errors.push(BundleError::Dangling {
            at: at.into(),
            what: "identity",
            index: identity,
        });
    }
    known.then_some(IdentityId(identity))
}

//! Who owns which address: endpoints and nodes by the bundle, everything else by the prefixes that policies name.
//!
//! An address outside the cluster has the identity of the longest *known* prefix that holds it, where the known
//! prefixes are those that some rule or some DNS answer mentions. So there are finitely many identities, and a rule
//! for a prefix matches an identity if and only if it holds the identity's prefix. They are all found when a bundle is
//! packed; here one is read when somebody asks for it.

use alloc::{boxed::Box, rc::Rc, string::String, vec::Vec};
use core::{
    cell::{OnceCell, RefCell},
    net::IpAddr,
    str,
};
use hashbrown::HashMap;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::{
    bundle::NamedPort,
    labels::{Label, Labels},
    packed::{Owner, Packed, Section, decode, owner_of},
};

/// How many addresses are remembered with their owner. Far more than a worker has busy peers.
const MAX_OWNERS: usize = 1 << 13;

/// An identity of one engine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IdentityId(pub(crate) u32);

/// What an identity stands for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum IdentityKind {
    /// Endpoints or nodes of the cluster.
    InCluster {
        /// The longest prefix around their address, out of those that rules name for addresses wherever they are.
        prefix: Option<IpNet>,
    },
    /// Addresses outside the cluster.
    External {
        /// The longest known prefix that holds them; `None` if there is none.
        prefix: Option<IpNet>,
        /// The DNS names that were resolved to exactly this address.
        names: Vec<String>,
    },
}

#[derive(Debug)]
struct Entry {
    labels: Labels,
    ports: Vec<NamedPort>,
    kind: IdentityKind,
}

/// All identities, and what leads to them.
#[derive(Debug)]
pub(crate) struct Identities {
    packed: Rc<Packed>,
    /// Those that somebody asked for.
    entries: Box<[OnceCell<Option<Box<Entry>>>]>,
    /// Finding an owner takes longer the more there are; most connections come from where others came from.
    owners: RefCell<HashMap<IpAddr, Owner>>,
    no_labels: Labels,
}

impl Identities {
    pub(super) fn open(packed: Rc<Packed>) -> Self {
        let count = packed.records(Section::Identities).len();
        Self {
            packed,
            entries: (0..count).map(|_| OnceCell::new()).collect(),
            owners: RefCell::default(),
            no_labels: Labels::default(),
        }
    }

    /// In-cluster wins over every prefix that a policy names.
    pub(super) fn of(&self, address: IpAddr) -> IdentityId {
        self.owner(address).identity
    }

    /// The name of the endpoint with this address; of several that share it, the first one in the order of names.
    pub(super) fn endpoint_at(&self, address: IpAddr) -> Option<&str> {
        let name = usize::try_from(self.owner(address).name?).ok()?;
        str::from_utf8(self.packed.records(Section::EndpointNames).get(name)?).ok()
    }

    fn owner(&self, address: IpAddr) -> Owner {
        if let Ok(owners) = self.owners.try_borrow()
            && let Some(owner) = owners.get(&address)
        {
            return *owner;
        }
        let world = || {
            let head = self.packed.head();
            let identity = IdentityId(if address.is_ipv4() {
                head.world_v4
            } else {
                head.world_v6
            });
            Owner { identity, name: None }
        };
        let owner = owner_of(self.packed.section(Section::Prefixes), address).unwrap_or_else(world);
        if let Ok(mut owners) = self.owners.try_borrow_mut() {
            if owners.len() >= MAX_OWNERS {
                owners.clear();
            }
            owners.insert(address, owner);
        }
        owner
    }

    /// How many endpoints there are.
    pub(super) fn endpoint_count(&self) -> usize {
        self.packed.records(Section::EndpointNames).len()
    }

    /// The endpoint of this name.
    pub(super) fn endpoint(&self, name: &str) -> Option<IdentityId> {
        let position = self
            .packed
            .records(Section::EndpointNames)
            .search(name.as_bytes())
            .ok()?;
        let identity = self.packed.records(Section::EndpointIdentities).get(position)?;
        decode(identity).map(IdentityId)
    }

    /// The workloads of a namespace and service account; of all of them, where none is given.
    pub(super) fn of_account(&self, namespace: Option<&str>, account: Option<&str>) -> Vec<IdentityId> {
        let accounts = self.packed.records(Section::Accounts);
        let beginning: Vec<u8> = match (namespace, account) {
            (Some(namespace), Some(account)) => account_key(Some(namespace), account),
            (Some(namespace), None) => account_key(Some(namespace), ""),
            (None, _) => Vec::new(),
        };
        let wanted = |key: &[u8]| {
            let own = key
                .iter()
                .position(|byte| *byte == 0)
                .and_then(|end| key.get(end..)?.get(1..));
            account.is_none_or(|account| own == Some(account.as_bytes()))
        };
        let found = accounts.beginning_with(&beginning).filter(|(_, key)| wanted(key));
        let lists = found.filter_map(|(position, _)| self.packed.records(Section::AccountIdentities).get(position));
        let mut identities: Vec<u32> = lists
            .flat_map(|list| decode::<Vec<u32>>(list).unwrap_or_default())
            .collect();
        identities.sort_unstable();
        identities.into_iter().map(IdentityId).collect()
    }

    fn entry(&self, id: IdentityId) -> Option<&Entry> {
        let position = usize::try_from(id.0).ok()?;
        let entry = self.entries.get(position)?;
        entry.get_or_init(|| self.read(position).map(Box::new)).as_deref()
    }

    fn read(&self, position: usize) -> Option<Entry> {
        let record = self.packed.records(Section::Identities).get(position)?;
        let (labels, ports, kind): (Vec<u32>, Vec<NamedPort>, IdentityKind) = decode(record)?;
        let all = self.packed.records(Section::Labels);
        let labels = labels.into_iter().map(|label| {
            let (source, key, value): (&str, &str, &str) = decode(all.get(usize::try_from(label).ok()?)?)?;
            Label::new(source, key, value).ok()
        });
        Some(Entry {
            labels: Labels::in_order(labels.collect::<Option<_>>()?),
            ports,
            kind,
        })
    }

    pub(crate) fn labels(&self, id: IdentityId) -> &Labels {
        self.entry(id).map_or(&self.no_labels, |entry| &entry.labels)
    }

    pub(crate) fn kind(&self, id: IdentityId) -> &IdentityKind {
        const UNKNOWN: &IdentityKind = &IdentityKind::External {
            prefix: None,
            names: Vec::new(),
        };
        self.entry(id).map_or(UNKNOWN, |entry| &entry.kind)
    }

    pub(crate) fn named_ports(&self, id: IdentityId) -> &[NamedPort] {
        self.entry(id).map_or(&[], |entry| &entry.ports)
    }
}

/// By which the identities of an account are found. What has no namespace is found only if none is asked for: no text
/// begins with this byte.
pub(crate) fn account_key(namespace: Option<&str>, account: &str) -> Vec<u8> {
    let namespace = namespace.map_or(&b"\xff"[..], str::as_bytes);
    [namespace, &[0], account.as_bytes()].concat()
}

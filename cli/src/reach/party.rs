//! The two ends of a flow, in classes: everybody in a class is the same to every policy.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use anyhow::{Result, anyhow};
use policy_core::{
    Bundle, Engine, Label, Labels,
    bundle::{PeerPattern, ReservedEntity},
};

use super::{
    observer::Observer,
    outside::{Outsider, What},
    patterns,
};
use crate::{args::Peer, placement::Placement};

/// Where parties belong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Group {
    Namespace(String),
    /// Nodes and other peers without an object.
    Reserved,
    Outside,
}

impl Group {
    /// Its name for people; no namespace has a blank in its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Namespace(name) => name,
            Self::Reserved => "the nodes",
            Self::Outside => "the outside",
        }
    }
}

/// A class of workloads, or of peers without one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Party {
    /// Short, and its own within the group.
    pub(crate) name: String,
    pub(crate) group: Group,
    /// Everybody in the class; the first speaks for all.
    pub(crate) members: Vec<String>,
    /// The first member, as `trace` takes it.
    pub(crate) peer: String,
    /// What DNS must say for the first member to be what it is: `NAME=ADDRESS`.
    pub(crate) fqdn: Option<String>,
    /// The address of the first member, in each bundle.
    pub(super) addresses: Vec<IpAddr>,
}

impl Party {
    /// Whether its members are pods.
    pub(crate) fn is_workload(&self) -> bool {
        matches!(self.group, Group::Namespace(_))
    }

    /// The name with the namespace.
    pub(crate) fn full_name(&self) -> String {
        match &self.group {
            Group::Namespace(namespace) => format!("{namespace}/{}", self.name),
            Group::Reserved | Group::Outside => self.name.clone(),
        }
    }
}

/// One end, before classes are made.
struct Candidate {
    name: String,
    group: Group,
    /// As people know it.
    member: String,
    /// As `trace` takes it.
    peer: String,
    fqdn: Option<String>,
    addresses: Vec<IpAddr>,
    seen: BTreeSet<String>,
}

/// Peers that no object describes, as `trace` names them.
const RESERVED: [&str; 7] = [
    "host",
    "remote-node",
    "kube-apiserver",
    "health",
    "init",
    "ingress",
    "unmanaged",
];

/// The classes, and the engine of each bundle in which everybody has an address.
pub(super) fn parties(bundles: Vec<Bundle>, outsiders: Vec<Outsider>) -> Result<(Vec<Party>, Vec<Engine>)> {
    let workloads = shared_workloads(&bundles);
    let reserved: Vec<&str> = RESERVED.into_iter().filter(|name| matters(&bundles, name)).collect();
    let peers: Vec<Peer> = workloads
        .iter()
        .cloned()
        .chain(reserved.iter().map(|name| format!("reserved:{name}")))
        .map(|name| name.parse::<Peer>().map_err(|error| anyhow!(error)))
        .collect::<Result<_>>()?;

    let foreign: Vec<IpAddr> = outsiders.iter().map(|outsider| outsider.address).collect();
    let mut worlds = Vec::new();
    let mut addresses: Vec<Vec<IpAddr>> = Vec::new();
    for bundle in bundles {
        let mut placement = Placement::new(bundle, foreign.iter().copied());
        let placed = peers
            .iter()
            .map(|peer| placement.place(peer).map_err(|error| anyhow!(error)));
        addresses.push(placed.collect::<Result<_>>()?);
        let bundle = placement.into_bundle();
        worlds.push((crate::judge::engine(bundle.clone())?, bundle));
    }

    let mut candidates = Vec::new();
    for (i, peer) in peers.iter().enumerate() {
        let addresses = addresses
            .iter()
            .filter_map(|of_bundle| of_bundle.get(i).copied())
            .collect();
        candidates.push(Candidate::inside(peer, addresses)?);
    }
    candidates.extend(
        outsiders
            .into_iter()
            .map(|outsider| Candidate::outside(outsider, worlds.len())),
    );
    let observers: Vec<Observer<'_>> = worlds
        .iter()
        .map(|(engine, bundle)| Observer::new(engine, bundle))
        .collect();
    for candidate in &mut candidates {
        for ((i, observer), address) in observers.iter().enumerate().zip(&candidate.addresses) {
            let seen = observer.see(&candidate.peer, *address).into_iter();
            candidate.seen.extend(seen.map(|what| format!("{i} {what}")));
        }
    }
    drop(observers);
    Ok((
        classes(candidates),
        worlds.into_iter().map(|(engine, _)| engine).collect(),
    ))
}

/// The endpoints that every bundle has.
fn shared_workloads(bundles: &[Bundle]) -> Vec<String> {
    let names = |bundle: &Bundle| -> BTreeSet<String> {
        bundle.endpoints.iter().map(|endpoint| endpoint.name.clone()).collect()
    };
    let shared = bundles.iter().map(names).reduce(|shared, names| &shared & &names);
    shared.into_iter().flatten().collect()
}

/// Whether policies can tell the peer from others. The host is special without them.
fn matters(bundles: &[Bundle], name: &str) -> bool {
    let labels: Labels = Labels::new(Label::new("reserved", name, ""));
    let entity = |pattern: &PeerPattern| match pattern {
        PeerPattern::Entity(entity) => {
            entity.as_str() == name || (*entity == ReservedEntity::Cluster && name == "remote-node")
        }
        _ => false,
    };
    let mentioned = |bundle: &Bundle| {
        bundle.selectors.iter().any(|selector| selector.matches(&labels)) || patterns::peers(bundle).any(entity)
    };
    name == "host" || bundles.iter().any(mentioned)
}

impl Candidate {
    fn inside(peer: &Peer, addresses: Vec<IpAddr>) -> Result<Self> {
        let (group, name) = match peer {
            Peer::Pod { namespace, name } => (Group::Namespace(namespace.clone()), name.clone()),
            Peer::Reserved(reserved) => (Group::Reserved, reserved.as_str().to_owned()),
            Peer::Address(_) | Peer::Labels { .. } => return Err(anyhow!("`{peer}` is neither pod nor node")),
        };
        Ok(Self {
            seen: BTreeSet::from([group.name().to_owned()]),
            name,
            group,
            member: peer.to_string(),
            peer: peer.to_string(),
            fqdn: None,
            addresses,
        })
    }

    /// Outside there are no objects, so the address is the same in every bundle.
    fn outside(outsider: Outsider, bundles: usize) -> Self {
        let Outsider { address, what } = outsider;
        let fqdn = match &what {
            What::Name(name) => Some(format!("{name}={address}")),
            What::Prefix(_) | What::World => None,
        };
        let version = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let (name, member, seen) = match what {
            What::Name(name) => (name.clone(), name, "a name".to_owned()),
            What::Prefix(prefix) => (prefix.to_string(), prefix.to_string(), prefix.to_string()),
            What::World => ("world".into(), version.to_owned(), "the world".into()),
        };
        Self {
            name,
            group: Group::Outside,
            member,
            peer: address.to_string(),
            fqdn,
            addresses: vec![address; bundles],
            seen: BTreeSet::from([seen]),
        }
    }
}

fn classes(candidates: Vec<Candidate>) -> Vec<Party> {
    let mut classes: BTreeMap<(Group, BTreeSet<String>), Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        let key = (candidate.group.clone(), candidate.seen.clone());
        classes.entry(key).or_default().push(candidate);
    }
    let mut parties: Vec<Party> = classes
        .into_iter()
        .filter_map(|((group, _), mut members)| {
            members.sort_by(|a, b| a.name.cmp(&b.name));
            let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
            let name = common_name(&names);
            let all = members.iter().map(|member| member.member.clone()).collect();
            let first = members.into_iter().next()?;
            Some(Party {
                name,
                group,
                members: all,
                peer: first.peer,
                fqdn: first.fqdn,
                addresses: first.addresses,
            })
        })
        .collect();
    // Who has a DNS name comes last: the others need no explanation.
    parties.sort_by(|a, b| (&a.group, a.fqdn.is_some(), &a.name).cmp(&(&b.group, b.fqdn.is_some(), &b.name)));
    parties
}

/// `web`, `web-* ×3`, `db +2`: as short as it can be and still be known.
fn common_name(names: &[&str]) -> String {
    let Some((first, rest)) = names.split_first() else {
        return String::new();
    };
    if rest.iter().all(|name| name == first) {
        return (*first).to_owned();
    }
    let common = rest.iter().fold(first.len(), |length, name| {
        let same = first.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        length.min(same)
    });
    match first
        .get(..common)
        .and_then(|prefix| prefix.rfind('-').map(|dash| &prefix[..=dash]))
    {
        Some(prefix) => format!("{prefix}* ×{}", names.len()),
        None => format!("{first} +{}", rest.len()),
    }
}

/// Everybody whom one bundle has and another has not.
pub(super) fn not_shared(bundles: &[Bundle]) -> Vec<Vec<String>> {
    let shared: BTreeSet<String> = shared_workloads(bundles).into_iter().collect();
    let own = |bundle: &Bundle| {
        let names = bundle.endpoints.iter().map(|endpoint| endpoint.name.clone());
        names.filter(|name| !shared.contains(name)).collect()
    };
    bundles.iter().map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_short_names() {
        for (names, want, why) in [
            (&["web"][..], "web", "one"),
            (&["web", "web"], "web", "the world of both IP versions"),
            (
                &["deathstar", "tiefighter", "xwing"],
                "deathstar +2",
                "nothing in common",
            ),
            (&["web-1", "web-2"], "web-* ×2", "replicas"),
            (&["web-a-1", "web-b-1"], "web-* ×2", "whole words only"),
            (&["a-web-12", "a-web-13", "a-db"], "a-* ×3", "as far as all go"),
            (&["web1", "web2"], "web1 +1", "no word in common"),
        ] {
            assert_eq!(common_name(names), want, "{why}");
        }
    }
}

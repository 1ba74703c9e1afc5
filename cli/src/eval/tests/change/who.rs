//! Who somebody is: other labels, another address, another name.

use std::{net::IpAddr, rc::Rc};

use ipnet::IpNet;
use policy_core::{
    Bundle, Found, Label, Labels, Missed, MissedLabel, Requirement, Selector,
    bundle::{CidrGroup, Endpoint, Identity, ReservedEntity, Stack},
};

use super::{super::scenario::Scenario, sample};

const CLUSTER_KEY: &str = "io.cilium.k8s.policy.cluster";
/// How far to look for an address that nobody has.
const MAX_TRIED: usize = 5000;

/// Makes the peer one that is wanted; `None` if nobody can be that.
pub(super) fn meet(scenario: &mut Scenario, missed: &Missed) -> Option<()> {
    let current = scenario.peer;
    let bundle = Rc::make_mut(&mut scenario.bundle);
    let peer = match missed {
        Missed::Labels { labels } => {
            let wanted: Vec<&Requirement> = labels.iter().map(|MissedLabel { wanted, .. }| wanted).collect();
            let identity = identity_at(bundle, current)?;
            let holds = |requirement: &&Requirement| requirement.matches(&identity.labels);
            assert!(!wanted.iter().any(holds), "not all of that is missed: {missed}");
            let labels = with(&identity.labels, &wanted)?;
            newcomer(bundle, Identity { labels, ..identity })
        }
        Missed::Endpoints { wanted, .. } => {
            let labels = with(&Labels::default(), &wanted.requirements().iter().collect::<Vec<_>>())?;
            newcomer(bundle, labelled(labels))
        }
        Missed::Entity { wanted, .. } => entity(bundle, *wanted)?,
        Missed::Cidr { wanted, except, .. } | Missed::Address { wanted, except, .. } => {
            outside(bundle, *wanted, except)?
        }
        Missed::CidrGroup {
            wanted,
            except,
            within,
            found,
        } => {
            let stays = matches!(found, Found::Outside { .. }) && within.is_none();
            let anywhere = || outside(bundle, everywhere(current), except);
            let address = if stays { current } else { anywhere()? };
            group(bundle, address, wanted)?;
            address
        }
        Missed::Name { wanted, found } => {
            let stays = matches!(found, Found::Outside { .. });
            let anywhere = || outside(bundle, everywhere(current), &[]);
            let address = if stays { current } else { anywhere()? };
            let name = format!("{}.", sample::name(wanted));
            bundle.names.entry(name).or_default().push(address);
            address
        }
        _ => panic!("not about who the peer is: {missed}"),
    };
    scenario.peer = peer;
    Some(())
}

/// The identity of an address inside the cluster.
pub(super) fn identity_at(bundle: &Bundle, address: IpAddr) -> Option<Identity> {
    let endpoint = bundle
        .endpoints
        .iter()
        .find(|endpoint| endpoint.addresses.contains(&address));
    let entry = || bundle.addresses.iter().find(|entry| entry.prefix.contains(&address));
    let index = endpoint
        .map(|endpoint| endpoint.identity)
        .or_else(|| Some(entry()?.identity))?;
    bundle.identities.get(usize::try_from(index).ok()?).cloned()
}

/// Gives the endpoint with an address another identity.
pub(super) fn be(bundle: &mut Bundle, address: IpAddr, identity: Identity) {
    let index = add(bundle, identity);
    for endpoint in &mut bundle.endpoints {
        if endpoint.addresses.contains(&address) {
            endpoint.identity = index;
        }
    }
    for entry in &mut bundle.addresses {
        if entry.prefix.contains(&address) {
            entry.identity = index;
        }
    }
}

fn add(bundle: &mut Bundle, identity: Identity) -> u32 {
    bundle.identities.push(identity);
    u32::try_from(bundle.identities.len() - 1).expect("few")
}

/// An endpoint that was not there before.
fn newcomer(bundle: &mut Bundle, identity: Identity) -> IpAddr {
    let last = u8::try_from(bundle.endpoints.len() % 256).expect("a byte");
    let second = u8::try_from(bundle.endpoints.len() / 256).expect("few endpoints");
    let address = IpAddr::from([241, second, 0, last]);
    let identity = add(bundle, identity);
    bundle.endpoints.push(Endpoint {
        name: format!("changed/{second}-{last}"),
        identity,
        addresses: vec![address],
    });
    address
}

fn labelled(labels: Labels) -> Identity {
    Identity {
        labels,
        ports: Vec::new(),
    }
}

/// The labels, changed so that the requirements hold; `None` if they contradict each other.
fn with(labels: &Labels, wanted: &[&Requirement]) -> Option<Labels> {
    let mut labels: Vec<Label> = labels.iter().cloned().collect();
    for requirement in wanted {
        let key = requirement.key();
        let is_meant = |label: &Label| {
            label.key() == key.key() && key.source().is_none_or(|source| source == label.source().as_str())
        };
        let value = match requirement {
            Requirement::Equals { value, .. } => Some(&**value),
            Requirement::In { values, .. } => Some(&**values.first()?),
            Requirement::Exists { .. } => Some(""),
            Requirement::NotIn { .. } | Requirement::DoesNotExist { .. } => None,
        };
        labels.retain(|label| !is_meant(label));
        if let Some(value) = value {
            labels.push(Label::new(key.source().unwrap_or("k8s"), key.key(), value).ok()?);
        }
    }
    let labels = Labels::new(labels);
    wanted
        .iter()
        .all(|requirement| requirement.matches(&labels))
        .then_some(labels)
}

fn entity(bundle: &mut Bundle, wanted: ReservedEntity) -> Option<IpAddr> {
    let cluster = |name: &str| format!("k8s:{CLUSTER_KEY}={name}").parse::<Label>().ok();
    let label = match wanted {
        ReservedEntity::World | ReservedEntity::WorldIpv4 | ReservedEntity::WorldIpv6 => {
            let v6 = wanted == ReservedEntity::WorldIpv6 || bundle.options.stack == Stack::Ipv6;
            // With one version of IP there is one world.
            let is_one = bundle.options.stack != Stack::Dual && wanted != ReservedEntity::World;
            let prefix = if v6 { "2000::/3" } else { "0.0.0.0/0" };
            return (!is_one).then(|| outside(bundle, prefix.parse().ok()?, &[]))?;
        }
        ReservedEntity::Cluster => cluster(&bundle.options.cluster),
        ReservedEntity::ClusterMesh => cluster("elsewhere"),
        ReservedEntity::None => None,
        entity => Label::new("reserved", entity.as_str(), "").ok(),
    };
    Some(newcomer(bundle, labelled(Labels::new([label?]))))
}

/// All addresses of the version that this one has.
fn everywhere(address: IpAddr) -> IpNet {
    let text = if address.is_ipv4() { "0.0.0.0/0" } else { "2000::/3" };
    text.parse().expect("a prefix")
}

/// An address of a prefix that nobody in the cluster has.
fn outside(bundle: &Bundle, prefix: IpNet, except: &[IpNet]) -> Option<IpAddr> {
    let is_free = |address: &IpAddr| {
        let in_cluster = bundle
            .endpoints
            .iter()
            .any(|endpoint| endpoint.addresses.contains(address))
            || bundle.addresses.iter().any(|entry| entry.prefix.contains(address));
        !in_cluster && !except.iter().any(|prefix| prefix.contains(address))
    };
    // Spread over the prefix as well, since an exception may take a large part of it.
    let from_there = |prefix: IpNet| prefix.hosts().take(MAX_TRIED);
    let parts = prefix
        .subnets((prefix.prefix_len() + 4).min(prefix.max_prefix_len()))
        .ok();
    let spread = parts.into_iter().flatten().filter_map(|part| part.hosts().next());
    from_there(prefix).chain(spread).find(is_free)
}

/// Puts an address into a group with labels that are wanted; `None` if no group can have them.
fn group(bundle: &mut Bundle, address: IpAddr, wanted: &Selector) -> Option<()> {
    let label = |requirement: &Requirement| {
        let key = requirement.key();
        let value = match requirement {
            Requirement::Equals { value, .. } => &**value,
            Requirement::In { values, .. } => values.first()?,
            Requirement::Exists { .. } => "",
            Requirement::NotIn { .. } | Requirement::DoesNotExist { .. } => return None,
        };
        Label::new("cidrgroup", key.key(), value).ok()
    };
    let labels: Labels = wanted.requirements().iter().filter_map(label).collect();
    let holds = wanted.matches(&labels);
    bundle.groups.push(CidrGroup {
        labels,
        prefixes: vec![IpNet::from(address)],
    });
    holds.then_some(())
}

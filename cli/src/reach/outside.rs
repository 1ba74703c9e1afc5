//! Addresses outside the cluster: one for every prefix and every name that policies mention, and one for the rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use policy_core::{Bundle, FqdnPattern, bundle::PeerPattern};

use super::patterns;

/// What stands for a `*` in the name of somebody whom only a pattern names.
const ANY_LABEL: &str = "any";
/// Where addresses for names that nobody looked up begin: a block for tests of network devices.
const FIRST_FOR_NAMES: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// Preferred addresses of the world at large: blocks for documentation.
const WORLD: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// An address that stands for all that policies do not tell apart from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Outsider {
    pub(super) address: IpAddr,
    pub(super) what: What,
}

/// What makes an address stand out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// DNS gives it for this name, which has no final dot.
    Name(String),
    /// It is in this prefix, and in no longer one that policies mention.
    Prefix(IpNet),
    /// Nothing.
    World,
}

/// Makes sure that every bundle knows the same names, among them one for every name and pattern that policies
/// mention. Names without an address get one.
pub(super) fn share_names(bundles: &mut [Bundle]) {
    let mut names: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    for (name, addresses) in bundles.iter().flat_map(|bundle| &bundle.names) {
        names.entry(name.clone()).or_default().extend(addresses);
    }
    for mentioned in bundles.iter().flat_map(patterns::peers).filter_map(example_name) {
        names.entry(mentioned).or_default();
    }
    let known = prefixes(bundles);
    let taken: BTreeSet<IpAddr> = names
        .values()
        .flatten()
        .copied()
        .chain(own_addresses(bundles))
        .collect();
    let mut free = (u32::from(FIRST_FOR_NAMES)..)
        .map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
        .filter(|address| !taken.contains(address))
        .filter(|address| {
            !known
                .iter()
                .any(|prefix| prefix.prefix_len() > 0 && prefix.contains(address))
        });
    for addresses in names.values_mut().filter(|addresses| addresses.is_empty()) {
        addresses.extend(free.next());
    }
    for bundle in bundles {
        let list =
            |(name, addresses): (&String, &BTreeSet<IpAddr>)| (name.clone(), addresses.iter().copied().collect());
        bundle.names = names.iter().map(list).collect();
    }
}

/// A name of the pattern, in lower case with a final dot.
fn example_name(pattern: &PeerPattern) -> Option<String> {
    let (text, pattern) = match pattern {
        PeerPattern::MatchName(name) => (name, FqdnPattern::name(name).ok()?),
        PeerPattern::MatchPattern(pattern) => (pattern, FqdnPattern::pattern(pattern).ok()?),
        PeerPattern::Selector(_)
        | PeerPattern::Entity(_)
        | PeerPattern::Cidr { .. }
        | PeerPattern::External { .. }
        | PeerPattern::Address { .. } => return None,
    };
    let name = example_of(text);
    pattern.matches(name.as_bytes()).then(|| format!("{name}."))
}

/// The pattern with a label in the place of every run of `*`; a name stays what it is. No final dot.
pub(super) fn example_of(pattern: &str) -> String {
    let mut name = String::new();
    let mut stars = false;
    for character in pattern.trim().trim_end_matches('.').chars() {
        match character {
            '*' if stars => {}
            '*' => name.push_str(ANY_LABEL),
            other => name.push(other.to_ascii_lowercase()),
        }
        stars = character == '*';
    }
    name
}

/// Every prefix by which policies tell outside addresses apart.
fn prefixes(bundles: &[Bundle]) -> BTreeSet<IpNet> {
    let mentioned = bundles
        .iter()
        .flat_map(patterns::peers)
        .flat_map(|pattern| match pattern {
            PeerPattern::Cidr { prefix, except } | PeerPattern::Address { prefix, except } => {
                [prefix].into_iter().chain(except).copied().collect()
            }
            PeerPattern::External { selector: _, except } => except.clone(),
            PeerPattern::Selector(_)
            | PeerPattern::Entity(_)
            | PeerPattern::MatchName(_)
            | PeerPattern::MatchPattern(_) => Vec::new(),
        });
    let groups = bundles
        .iter()
        .flat_map(|bundle| &bundle.groups)
        .flat_map(|group| &group.prefixes);
    mentioned.chain(groups.copied()).map(|prefix| prefix.trunc()).collect()
}

/// Addresses of the cluster's own.
fn own_addresses(bundles: &[Bundle]) -> impl Iterator<Item = IpAddr> {
    let endpoints = bundles
        .iter()
        .flat_map(|bundle| &bundle.endpoints)
        .flat_map(|endpoint| &endpoint.addresses);
    let services = bundles
        .iter()
        .flat_map(|bundle| &bundle.services)
        .map(|service| &service.address);
    endpoints.chain(services).copied()
}

/// Everybody outside whom policies can tell apart. The names must have been [shared](share_names).
pub(super) fn outsiders(bundles: &[Bundle]) -> Vec<Outsider> {
    let names: BTreeMap<&String, &Vec<IpAddr>> = bundles.iter().flat_map(|bundle| &bundle.names).collect();
    let mut outsiders: Vec<Outsider> = names
        .iter()
        .filter_map(|(name, addresses)| {
            Some(Outsider {
                address: *addresses.first()?,
                what: What::Name(name.trim_end_matches('.').to_owned()),
            })
        })
        .collect();

    let everywhere = [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
    let mentioned = prefixes(bundles);
    let mut known: Vec<IpNet> = mentioned.iter().copied().chain(everywhere).collect();
    known.extend(
        bundles
            .iter()
            .flat_map(|bundle| &bundle.addresses)
            .map(|entry| entry.prefix.trunc()),
    );
    known.extend(
        own_addresses(bundles)
            .chain(names.values().copied().flatten().copied())
            .map(IpNet::from),
    );
    for prefix in mentioned
        .iter()
        .copied()
        .chain(everywhere.into_iter().filter(|all| !mentioned.contains(all)))
    {
        let what = match prefix.prefix_len() {
            0 if !mentioned.contains(&prefix) => What::World,
            _ => What::Prefix(prefix),
        };
        outsiders.extend(only_in(prefix, &known).map(|address| Outsider { address, what }));
    }
    outsiders
}

/// An address in the prefix and in no longer one of the others; `None` if they cover it.
fn only_in(prefix: IpNet, others: &[IpNet]) -> Option<IpAddr> {
    let inside: Vec<IpNet> = others
        .iter()
        .copied()
        .filter(|other| other.prefix_len() > prefix.prefix_len() && prefix.contains(other))
        .collect();
    let preferred = WORLD
        .into_iter()
        .find(|address| prefix.prefix_len() == 0 && prefix.contains(address));
    // The first address of a network is hardly ever a host's.
    let second = next(prefix.addr()).filter(|address| prefix.contains(address));
    let starts = preferred.into_iter().chain(second).chain([prefix.addr()]);
    starts.into_iter().find_map(|start| free_from(start, prefix, &inside))
}

fn free_from(start: IpAddr, prefix: IpNet, inside: &[IpNet]) -> Option<IpAddr> {
    let mut address = start;
    loop {
        // Every step leaves one of them behind, so there is an end.
        match inside.iter().find(|other| other.contains(&address)) {
            None => return Some(address),
            Some(other) => address = next(other.broadcast()).filter(|address| prefix.contains(address))?,
        }
    }
}

fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => address
            .to_bits()
            .checked_add(1)
            .map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(address) => address
            .to_bits()
            .checked_add(1)
            .map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_every_prefix_that_is_not_covered() {
        let net = |text: &str| text.parse::<IpNet>().expect("a prefix");
        for (prefix, others, want, why) in [
            ("10.0.0.0/8", &[][..], Some("10.0.0.1"), "the second address"),
            ("10.0.0.7/32", &[], Some("10.0.0.7"), "the only address"),
            (
                "10.0.0.0/8",
                &["10.0.0.0/16"],
                Some("10.1.0.0"),
                "behind a longer prefix",
            ),
            (
                "10.0.0.0/30",
                &["10.0.0.1/32", "10.0.0.2/31"],
                Some("10.0.0.0"),
                "the first if need be",
            ),
            ("10.0.0.0/31", &["10.0.0.0/32", "10.0.0.1/32"], None, "all is covered"),
            (
                "10.0.0.0/8",
                &["10.0.0.0/8", "0.0.0.0/0"],
                Some("10.0.0.1"),
                "itself and what holds it",
            ),
            (
                "255.255.255.254/31",
                &["255.255.255.255/32"],
                Some("255.255.255.254"),
                "the end of all addresses",
            ),
            (
                "0.0.0.0/0",
                &["203.0.113.0/24"],
                Some("203.0.114.0"),
                "the world, near documentation",
            ),
            ("fd00::/8", &["fd00::/16"], Some("fd01::"), "IPv6"),
        ] {
            let others: Vec<IpNet> = others.iter().map(|text| net(text)).collect();
            let got = only_in(net(prefix), &others).map(|address| address.to_string());
            assert_eq!(got.as_deref(), want, "{prefix} without {others:?}: {why}");
        }
    }

    #[test]
    fn patterns_have_an_example() {
        for (pattern, want) in [
            ("cilium.io", "cilium.io"),
            ("*.Cilium.io.", "any.cilium.io"),
            ("**.cilium.io", "any.cilium.io"),
            ("api-*.*.io", "api-any.any.io"),
            ("*", "any"),
        ] {
            assert_eq!(example_of(pattern), want, "{pattern}");
        }
    }
}

//! What a list of rules covers: everything that one of them matches, whatever a request holds.

use std::collections::HashMap;

use ipnet::IpNet;
use policy_core::{
    IcmpFamily, Protocol, Requirement, Selector,
    bundle::{Bundle, PeerPattern, Peers, PortNumbers, PortPattern, ReservedEntity},
};

use super::site::Site;
use crate::scope::CLUSTER_KEY;

/// More conditions than this are not compared with subsets of themselves.
const MAX_CONDITIONS: usize = 8;

/// Peers that can be compared by looking them up.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Who {
    Any,
    Selector(u32),
    Entity(&'static str),
    Cidr(IpNet, Vec<IpNet>),
    Address(IpNet, Vec<IpNet>),
    External(u32, Vec<IpNet>),
    Name(Box<str>),
    Pattern(Box<str>),
}

impl Who {
    /// The peers of an element. None if it matches no peer.
    pub(super) fn of(peers: &Peers) -> Vec<Self> {
        match peers {
            Peers::Any => vec![Self::Any],
            Peers::None => Vec::new(),
            Peers::OneOf(patterns) => patterns.iter().map(Self::one).collect(),
        }
    }

    fn one(pattern: &PeerPattern) -> Self {
        match pattern {
            PeerPattern::Selector(selector) => Self::Selector(*selector),
            PeerPattern::Entity(entity) => Self::Entity(entity.as_str()),
            PeerPattern::Cidr { prefix, except } => Self::Cidr(*prefix, except.clone()),
            PeerPattern::Address { prefix, except } => Self::Address(*prefix, except.clone()),
            PeerPattern::External { selector, except } => Self::External(*selector, except.clone()),
            PeerPattern::MatchName(name) => Self::Name(name.clone()),
            PeerPattern::MatchPattern(pattern) => Self::Pattern(pattern.clone()),
        }
    }
}

/// Finds the peers that hold all of others.
pub(super) struct Wider<'b> {
    bundle: &'b Bundle,
    /// Selectors by their conditions.
    selectors: HashMap<Vec<&'b Requirement>, u32>,
}

impl<'b> Wider<'b> {
    pub(super) fn new(bundle: &'b Bundle) -> Self {
        let conditions = |selector: &'b Selector| selector.requirements().iter().collect();
        Self {
            bundle,
            selectors: bundle.selectors.iter().map(conditions).zip(0..).collect(),
        }
    }

    /// These peers, and those of which they are a part for certain. There may be more.
    pub(super) fn of(&self, who: &Who) -> Vec<Who> {
        let mut wider = vec![who.clone(), Who::Any];
        match who {
            Who::Selector(selector) => self.add_selectors(*selector, &mut wider),
            Who::Cidr(prefix, _) => {
                wider.extend(shorter(*prefix).map(|prefix| Who::Cidr(prefix, Vec::new())));
                wider.extend(shorter(*prefix).map(|prefix| Who::Address(prefix, Vec::new())));
                wider.push(Who::Entity(ReservedEntity::World.as_str()));
            }
            Who::Address(prefix, _) => {
                wider.extend(shorter(*prefix).map(|prefix| Who::Address(prefix, Vec::new())));
            }
            Who::External(..) | Who::Name(_) | Who::Pattern(_) => {
                wider.push(Who::Entity(ReservedEntity::World.as_str()));
            }
            Who::Entity(name) => wider.extend(wider_entity(name)),
            Who::Any => {}
        }
        wider
    }

    /// Selectors with fewer of the same conditions.
    fn add_selectors(&self, selector: u32, wider: &mut Vec<Who>) {
        let position = usize::try_from(selector).unwrap_or(usize::MAX);
        let Some(selector) = self.bundle.selectors.get(position) else {
            return;
        };
        let conditions: Vec<&Requirement> = selector.requirements().iter().collect();
        if conditions.len() > MAX_CONDITIONS {
            return;
        }
        for subset in 0..1_u32 << conditions.len() {
            let chosen = conditions.iter().zip(0..).filter(|(_, bit)| subset & 1 << bit != 0);
            let chosen: Vec<&Requirement> = chosen.map(|(condition, _)| *condition).collect();
            wider.extend(self.selectors.get(&chosen).map(|position| Who::Selector(*position)));
        }
        let is_local = |condition: &&Requirement| {
            matches!(condition, Requirement::Equals { key, value }
                if key.key() == CLUSTER_KEY && **value == *self.bundle.options.cluster)
        };
        if conditions.iter().any(is_local) {
            wider.push(Who::Entity(ReservedEntity::Cluster.as_str()));
        }
    }
}

fn wider_entity(name: &str) -> Option<Who> {
    let wider = match name {
        "world-ipv4" | "world-ipv6" => ReservedEntity::World,
        "host" | "remote-node" | "init" | "ingress" | "health" | "unmanaged" | "kube-apiserver" => {
            ReservedEntity::Cluster
        }
        _ => return None,
    };
    Some(Who::Entity(wider.as_str()))
}

/// A prefix and all that hold it.
fn shorter(prefix: IpNet) -> impl Iterator<Item = IpNet> {
    std::iter::successors(Some(prefix), IpNet::supernet)
}

/// Who may use which ports, by whose leave.
pub(super) struct Coverage<'b> {
    by_peer: HashMap<Who, Ports<'b>>,
}

impl<'b> Coverage<'b> {
    pub(super) fn new() -> Self {
        Self {
            by_peer: HashMap::new(),
        }
    }

    /// Adds what a site covers: these ports for all its peers, or every port.
    pub(super) fn add(&mut self, site: Site<'b>, ports: Option<&'b [PortPattern]>) {
        for who in Who::of(&site.element.peers) {
            self.by_peer.entry(who).or_default().add(site, ports);
        }
    }

    /// To be called after the last addition and before the first question.
    pub(super) fn finish(&mut self) {
        self.by_peer.values_mut().for_each(Ports::finish);
    }

    /// The one that covers this port for these peers; every port without one. `exactly` asks for one with the very
    /// same ports.
    pub(super) fn find(&self, who: &[Who], port: Option<&PortPattern>, exactly: bool) -> Option<Site<'b>> {
        let mut ports = who.iter().filter_map(|who| self.by_peer.get(who));
        ports.find_map(|ports| ports.find(port, exactly))
    }
}

/// Ports, and the site that each comes from.
#[derive(Default)]
struct Ports<'b> {
    everything: Option<Site<'b>>,
    ranges: HashMap<Protocol, Vec<Range<'b>>>,
    named: HashMap<(Protocol, &'b str, Option<u16>), Site<'b>>,
    icmp: HashMap<(IcmpFamily, Option<u8>), Site<'b>>,
}

struct Range<'b> {
    first: u16,
    last: u16,
    site: Site<'b>,
    /// The highest end of all ranges up to this one, and whose it is.
    reach: (u16, Site<'b>),
}

impl<'b> Ports<'b> {
    fn add(&mut self, site: Site<'b>, ports: Option<&'b [PortPattern]>) {
        let Some(ports) = ports else {
            self.everything.get_or_insert(site);
            return;
        };
        for port in ports {
            match port {
                PortPattern::Icmp { family, message_type } => {
                    self.icmp.entry((*family, *message_type)).or_insert(site);
                }
                PortPattern::Port {
                    protocol,
                    numbers: PortNumbers::Named { name, end },
                } => {
                    self.named.entry((*protocol, name, *end)).or_insert(site);
                }
                PortPattern::Port { protocol, numbers } => {
                    let (first, last) = bounds(numbers);
                    let range = Range {
                        first,
                        last,
                        site,
                        reach: (last, site),
                    };
                    self.ranges.entry(*protocol).or_default().push(range);
                }
            }
        }
    }

    fn finish(&mut self) {
        for ranges in self.ranges.values_mut() {
            ranges.sort_by_key(|range| range.first);
            let mut reach: Option<(u16, Site<'b>)> = None;
            for range in ranges {
                let known = reach.filter(|(last, _)| *last >= range.last);
                range.reach = known.unwrap_or((range.last, range.site));
                reach = Some(range.reach);
            }
        }
    }

    fn find(&self, port: Option<&PortPattern>, exactly: bool) -> Option<Site<'b>> {
        let everything = self.everything.filter(|_| !exactly || port.is_none());
        everything.or_else(|| match port? {
            PortPattern::Icmp { family, message_type } => {
                let all = self.icmp.get(&(*family, None)).filter(|_| !exactly);
                all.or_else(|| self.icmp.get(&(*family, *message_type))).copied()
            }
            PortPattern::Port {
                protocol,
                numbers: PortNumbers::Named { name, end },
            } => {
                let named = self.named.get(&(*protocol, &**name, *end)).copied();
                named.or_else(|| self.range(*protocol, (0, u16::MAX), exactly))
            }
            PortPattern::Port { protocol, numbers } => self.range(*protocol, bounds(numbers), exactly),
        })
    }

    fn range(&self, protocol: Protocol, (first, last): (u16, u16), exactly: bool) -> Option<Site<'b>> {
        let ranges = self.ranges.get(&protocol)?;
        let behind = ranges.partition_point(|range| range.first <= first);
        if exactly {
            let start = ranges.partition_point(|range| range.first < first);
            let mut same = ranges.iter().take(behind).skip(start);
            return same.find(|range| range.last == last).map(|range| range.site);
        }
        let (reach, site) = ranges.get(behind.checked_sub(1)?)?.reach;
        (reach >= last).then_some(site)
    }
}

fn bounds(numbers: &PortNumbers) -> (u16, u16) {
    match numbers {
        PortNumbers::Range(first, last) => (*first, *last),
        PortNumbers::All | PortNumbers::Named { .. } => (0, u16::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_in_all_shorter_ones() {
        let prefix: IpNet = "128.0.0.0/2".parse().expect("prefix");
        let all: Vec<String> = shorter(prefix).map(|prefix| prefix.to_string()).collect();
        assert_eq!(all, ["128.0.0.0/2", "128.0.0.0/1", "0.0.0.0/0"]);
    }
}

//! The ports that policies can tell apart: every protocol, cut where a rule begins or ends, the rest as one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use policy_core::{
    Bundle, IcmpFamily, Protocol,
    bundle::{PortNumbers, PortPattern, PortRule},
};

use super::patterns;
use crate::args::Port;

const PROTOCOLS: [Protocol; 5] = [
    Protocol::Tcp,
    Protocol::Udp,
    Protocol::Sctp,
    Protocol::Icmp,
    Protocol::IcmpV6,
];

/// Ports that people know, the first of which stands for a class that has it.
const WELL_KNOWN: [u16; 6] = [80, 443, 8080, 53, 22, 9090];

/// Ports that no policy tells apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PortClass {
    /// `8080/TCP`, `53/TCP+UDP`, `every other port`.
    pub(crate) label: String,
    /// First and last of each run.
    ranges: Vec<(Protocol, u16, u16)>,
    /// One of them, for questions to the engine.
    pub(crate) sample: Port,
}

impl PortClass {
    /// First and last port of each run.
    #[cfg(test)]
    pub(super) fn ranges(&self) -> impl Iterator<Item = (Protocol, u16, u16)> {
        self.ranges.iter().copied()
    }

    /// Whether the port is one of them.
    pub(crate) fn contains(&self, port: Port) -> bool {
        let mut ranges = self.ranges.iter();
        ranges.any(|(protocol, first, last)| *protocol == port.protocol && (*first..=*last).contains(&port.number))
    }
}

/// What rules see of a port. Two ports with the same have the same verdicts: a rule that looks into connections also
/// sees the protocol.
type Seen = (BTreeSet<(u32, Way)>, Option<Protocol>);

/// How a list of port patterns matches a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Way {
    All,
    Range(u16, u16),
    /// By a name, which a port of this number begins.
    Named(u16),
    Message(Option<u8>),
}

/// All ports of all protocols, in classes: what is mentioned by its number, the rest last.
pub(super) fn classes(bundles: &[Bundle]) -> Vec<PortClass> {
    let named = named_ports(bundles);
    let rules: Vec<&PortRule> = bundles
        .iter()
        .flat_map(|bundle| patterns::port_rules(bundle).map(|(_, rule)| rule))
        .collect();
    let lists = distinct_lists(&rules);
    let mut classes: BTreeMap<Seen, Vec<(Protocol, u16, u16)>> = BTreeMap::new();
    for protocol in PROTOCOLS {
        for (first, last) in intervals(protocol, &lists, &named) {
            let seen = seen(protocol, first, &lists, &named);
            classes.entry(seen).or_default().push((protocol, first, last));
        }
    }
    let alone = classes.len() == 1;
    let mut classes: Vec<PortClass> = classes
        .into_iter()
        .map(|((ways, _), ranges)| PortClass {
            label: label(&ranges, ways.is_empty(), alone),
            sample: sample(&ranges),
            ranges,
        })
        .collect();
    let is_rest = |class: &PortClass| class.label.starts_with("every");
    classes.sort_by_key(|class| (is_rest(class), class.ranges.first().copied()));
    classes
}

/// A list of port patterns, and whether rules look into connections on them.
type Lists<'a> = HashMap<&'a [PortPattern], (u32, bool)>;

fn distinct_lists<'a>(rules: &[&'a PortRule]) -> Lists<'a> {
    let mut lists = Lists::new();
    for rule in rules {
        let next = u32::try_from(lists.len()).unwrap_or(u32::MAX);
        let (_, inspects) = lists.entry(rule.ports.as_slice()).or_insert((next, false));
        *inspects |= rule.rules.is_some() || !rule.server_names.is_empty() || rule.listener.is_some();
    }
    lists
}

/// The numbers that workloads give a name: name and protocol to numbers.
type Named = BTreeMap<(String, Protocol), BTreeSet<u16>>;

fn named_ports(bundles: &[Bundle]) -> Named {
    let mut named = Named::new();
    for port in bundles
        .iter()
        .flat_map(|bundle| &bundle.identities)
        .flat_map(|identity| &identity.ports)
    {
        let numbers = named.entry((port.name.to_string(), port.protocol)).or_default();
        numbers.insert(port.port);
    }
    named
}

/// Every way in which a list matches ports of a protocol, with the first and last of them.
fn matches(protocol: Protocol, list: &[PortPattern], named: &Named) -> Vec<(Way, u16, u16)> {
    let highest = highest(protocol);
    let mut ways = Vec::new();
    for pattern in list {
        match pattern {
            PortPattern::Port { protocol: of, numbers } if *of == protocol => match numbers {
                PortNumbers::All => ways.push((Way::All, 0, highest)),
                PortNumbers::Range(first, last) => ways.push((Way::Range(*first, *last), *first, *last)),
                PortNumbers::Named { name, end } => {
                    let numbers = named.get(&(name.to_string(), protocol));
                    let starts = numbers.into_iter().flatten();
                    ways.extend(starts.map(|start| (Way::Named(*start), *start, end.unwrap_or(*start).max(*start))));
                }
            },
            PortPattern::Icmp { family, message_type } if icmp(*family) == protocol => {
                let (first, last) = message_type.map_or((0, highest), |one| (one.into(), one.into()));
                ways.push((Way::Message(*message_type), first, last));
            }
            PortPattern::Port { .. } | PortPattern::Icmp { .. } => {}
        }
    }
    ways
}

fn icmp(family: IcmpFamily) -> Protocol {
    match family {
        IcmpFamily::V4 => Protocol::Icmp,
        IcmpFamily::V6 => Protocol::IcmpV6,
    }
}

fn highest(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Icmp | Protocol::IcmpV6 => u8::MAX.into(),
        Protocol::Tcp | Protocol::Udp | Protocol::Sctp => u16::MAX,
    }
}

fn intervals(protocol: Protocol, lists: &Lists<'_>, named: &Named) -> Vec<(u16, u16)> {
    let mut starts = BTreeSet::from([0]);
    for (_, first, last) in lists.keys().flat_map(|list| matches(protocol, list, named)) {
        starts.insert(first);
        starts.extend(last.checked_add(1).filter(|next| *next <= highest(protocol)));
    }
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([highest(protocol)]);
    starts.iter().copied().zip(ends).collect()
}

fn seen(protocol: Protocol, port: u16, lists: &Lists<'_>, named: &Named) -> Seen {
    let mut ways = BTreeSet::new();
    let mut inspected = false;
    for (list, (id, inspects)) in lists {
        let here = matches(protocol, list, named).into_iter();
        for (way, _, _) in here.filter(|(_, first, last)| (*first..=*last).contains(&port)) {
            ways.insert((*id, way));
            inspected |= inspects;
        }
    }
    (ways, inspected.then_some(protocol))
}

fn label(ranges: &[(Protocol, u16, u16)], unmentioned: bool, alone: bool) -> String {
    const SHOWN: usize = 3;
    if unmentioned {
        return if alone {
            "every port".into()
        } else {
            "every other port".into()
        };
    }
    let mut protocols: BTreeMap<(u16, u16), Vec<&str>> = BTreeMap::new();
    for (protocol, first, last) in ranges {
        protocols.entry((*first, *last)).or_default().push(protocol.as_str());
    }
    let written = protocols.into_iter().map(|((first, last), protocols)| {
        let numbers = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        format!("{numbers}/{}", protocols.join("+"))
    });
    let mut written: Vec<String> = written.collect();
    let more = written.len().saturating_sub(SHOWN);
    written.truncate(SHOWN);
    if more > 0 {
        written.push(format!("{more} more"));
    }
    written.join(", ")
}

fn sample(ranges: &[(Protocol, u16, u16)]) -> Port {
    let protocol = Protocol::Tcp;
    let of_tcp = ranges.iter().filter(|(of, _, _)| *of == protocol);
    let of_tcp: Vec<(u16, u16)> = of_tcp.map(|(_, first, last)| (*first, *last)).collect();
    let holds = |number: &u16| of_tcp.iter().any(|(first, last)| (*first..=*last).contains(number));
    if let Some(number) = WELL_KNOWN.into_iter().find(holds) {
        return Port { number, protocol };
    }
    let (protocol, first, last) = ranges.first().copied().unwrap_or((protocol, 1, 1));
    // No connection is made to port 0.
    let number = if first == 0 && last > 0 { 1 } else { first };
    Port { number, protocol }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ports: &[&str]) -> Vec<(String, u16)> {
        let elements = ports
            .iter()
            .map(|ports| format!(r#"{{"peers":"any","ports":[{ports}]}}"#));
        let json = format!(
            r#"{{"version":1,"selectors":[[]],
                "policies":[{{"kind":"K","name":"p","rules":[{{"path":"spec","subject":0,"ingress":[{}]}}]}}],
                "identities":[{{"labels":[],"ports":[{{"name":"web","protocol":"TCP","port":8080}}]}}]}}"#,
            elements.collect::<Vec<_>>().join(",")
        );
        let bundle = Bundle::from_json(json.as_bytes()).expect("a bundle");
        let classes = classes(&[bundle]).into_iter();
        classes.map(|class| (class.label, class.sample.number)).collect()
    }

    #[test]
    fn ports_are_cut_where_rules_begin_and_end() {
        let tcp = |numbers: &str| format!(r#"{{"port":{{"protocol":"TCP","numbers":{numbers}}}}}"#);
        let udp = |numbers: &str| format!(r#"{{"port":{{"protocol":"UDP","numbers":{numbers}}}}}"#);
        let list = |patterns: &[String]| format!(r#"{{"ports":[{}]}}"#, patterns.join(","));
        for (rules, want, why) in [
            (vec![], vec![("every port", 80)], "nothing is mentioned"),
            (
                vec![list(&[tcp(r#"{"range":[80,80]}"#)])],
                vec![("80/TCP", 80), ("every other port", 443)],
                "one port",
            ),
            (
                vec![list(&[tcp(r#"{"range":[53,53]}"#), udp(r#"{"range":[53,53]}"#)])],
                vec![("53/TCP+UDP", 53), ("every other port", 80)],
                "both protocols in one rule",
            ),
            (
                vec![
                    list(&[tcp(r#"{"range":[53,53]}"#)]),
                    list(&[udp(r#"{"range":[53,53]}"#)]),
                ],
                vec![("53/TCP", 53), ("53/UDP", 53), ("every other port", 80)],
                "each protocol in a rule of its own",
            ),
            (
                vec![
                    list(&[tcp(r#"{"range":[10,20]}"#)]),
                    list(&[tcp(r#"{"range":[15,65535]}"#)]),
                ],
                vec![
                    ("10-14/TCP", 10),
                    ("15-20/TCP", 15),
                    ("21-65535/TCP", 80),
                    ("every other port", 1),
                ],
                "ranges that overlap, up to the last port",
            ),
            (
                vec![list(&[tcp(r#"{"named":{"name":"web"}}"#)])],
                vec![("8080/TCP", 8080), ("every other port", 80)],
                "a name, by the number that a workload gives it",
            ),
            (
                vec![list(&[tcp(r#"{"named":{"name":"none"}}"#)])],
                vec![("every port", 80)],
                "a name that nobody has",
            ),
            (
                vec![list(&[tcp(r#""all""#)])],
                vec![("0-65535/TCP", 80), ("every other port", 1)],
                "a whole protocol",
            ),
            (
                vec![list(&[r#"{"icmp":{"family":"IPv4","type":8}}"#.into()])],
                vec![("8/ICMP", 8), ("every other port", 80)],
                "a message type",
            ),
        ] {
            let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
            let want: Vec<(String, u16)> = want.into_iter().map(|(label, port)| (label.to_owned(), port)).collect();
            assert_eq!(labels(&rules), want, "{why}");
        }
    }
}

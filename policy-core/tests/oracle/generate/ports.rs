//! Port rules: a few ports that overlap, and what a connection on them must show.

use policy_core::{
    IcmpFamily, Protocol,
    bundle::{
        DnsRule, ExpectedHeader, HeaderMatch, HeaderRule, HttpRule, KafkaRule, L7Rules, Listener, MismatchAction,
        PortNumbers, PortPattern, PortRule,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::Features;

const METHODS: [&str; 3] = ["GET", "GET|HEAD", "P.*"];
const PATHS: [&str; 4] = ["/a", "/a.*", "/v[0-9]+/a|/a", ""];
const HOSTS: [&str; 2] = ["foo.com", ".*"];
const SERVER_NAMES: [&str; 6] = ["a.com", "*.a.com", "**.com", "*", "***.a.com.", "A.com"];
const QUERIES: [DnsPattern; 4] = [
    DnsPattern::Name("example.com"),
    DnsPattern::Pattern("*.example.com"),
    DnsPattern::Pattern("**.com"),
    DnsPattern::Pattern("*"),
];

#[derive(Clone, Copy, Debug)]
enum DnsPattern {
    Name(&'static str),
    Pattern(&'static str),
}

/// A port rule with any of these features. Listeners and DNS are for egress.
pub(super) fn port_rule(features: Features, egress: bool) -> impl Strategy<Value = PortRule> {
    let mut kinds = vec![(5, plain(egress))];
    let mut offer = |wanted: bool, kind: BoxedStrategy<PortRule>| kinds.extend(wanted.then_some((5, kind)));
    offer(features.http, http());
    offer(features.kafka, kafka());
    offer(features.tls, tls());
    offer(features.tls && features.http, terminated(http()));
    offer(features.dns && egress, dns());
    offer(features.listener && egress, listener());
    proptest::strategy::Union::new_weighted(kinds)
}

fn port(protocol: Protocol, numbers: PortNumbers) -> PortPattern {
    PortPattern::Port { protocol, numbers }
}

fn named(name: &str, end: Option<u16>) -> PortNumbers {
    PortNumbers::Named { name: name.into(), end }
}

fn plain(egress: bool) -> BoxedStrategy<PortRule> {
    // The end of a named port means nothing on egress, where two such patterns would differ in nothing else.
    let end = if egress { None } else { Some(443) };
    let rare = vec![
        port(Protocol::Tcp, PortNumbers::All),
        port(Protocol::Udp, PortNumbers::All),
        port(Protocol::Sctp, PortNumbers::Range(80, 80)),
        port(Protocol::Tcp, named("http", end)),
        port(Protocol::Udp, named("dns", None)),
        PortPattern::Icmp {
            family: IcmpFamily::V4,
            message_type: Some(8),
        },
        PortPattern::Icmp {
            family: IcmpFamily::V4,
            message_type: None,
        },
        PortPattern::Icmp {
            family: IcmpFamily::V6,
            message_type: Some(80),
        },
    ];
    let patterns = prop_oneof![3 => tcp(), 1 => single(), 1 => select(rare)];
    vec(patterns, 0..3)
        .prop_map(|ports| PortRule {
            ports,
            ..PortRule::default()
        })
        .boxed()
}

/// Ports that more than one rule is likely to be for.
fn tcp() -> impl Strategy<Value = PortPattern> {
    let ranges = vec![(80, 80), (80, 80), (80, 81), (443, 443), (80, 443), (53, 80)];
    let numbers = prop_oneof![
        6 => select(ranges).prop_map(|(first, last)| PortNumbers::Range(first, last)),
        1 => Just(named("http", None)),
    ];
    numbers.prop_map(|numbers| port(Protocol::Tcp, numbers))
}

fn single() -> impl Strategy<Value = PortPattern> {
    let protocol = select(&[Protocol::Tcp, Protocol::Udp][..]);
    let numbers = prop_oneof![
        3 => Just(PortNumbers::Range(53, 53)),
        1 => Just(PortNumbers::Range(80, 80)),
        1 => Just(named("dns", None)),
    ];
    (protocol, numbers).prop_map(|(protocol, numbers)| port(protocol, numbers))
}

fn with_rules(
    pattern: impl Strategy<Value = PortPattern> + 'static,
    rules: BoxedStrategy<L7Rules>,
) -> BoxedStrategy<PortRule> {
    (vec(pattern, 1..3), rules)
        .prop_map(|(ports, rules)| PortRule {
            ports,
            rules: Some(rules),
            ..PortRule::default()
        })
        .boxed()
}

fn http() -> BoxedStrategy<PortRule> {
    let text = |texts: &'static [&'static str]| option::weighted(0.4, select(texts).prop_map(Box::from));
    let rule = (text(&METHODS), text(&PATHS), text(&HOSTS), header(), header_match()).prop_map(
        |(method, path, host, header, header_match)| HttpRule {
            method,
            path,
            host,
            headers: header.into_iter().collect(),
            header_matches: header_match.into_iter().collect(),
        },
    );
    with_rules(tcp(), vec(rule, 1..3).prop_map(L7Rules::Http).boxed())
}

fn header() -> impl Strategy<Value = Option<HeaderRule>> {
    let values = vec![None, Some("1"), Some("1,2"), Some("")];
    let header = select(values).prop_map(|value| HeaderRule {
        name: "x-key".into(),
        value: value.map(Into::into),
    });
    option::weighted(0.2, header)
}

fn header_match() -> impl Strategy<Value = Option<HeaderMatch>> {
    let expected = [
        ExpectedHeader::Present,
        ExpectedHeader::Value("1".into()),
        ExpectedHeader::Unobtainable,
    ];
    let actions = [
        None,
        Some(MismatchAction::Log),
        Some(MismatchAction::Add),
        Some(MismatchAction::Delete),
    ];
    let header = (select(expected.to_vec()), select(actions.to_vec())).prop_map(|(expected, mismatch)| HeaderMatch {
        name: "x-key".into(),
        expected,
        mismatch,
        secret: false,
    });
    option::weighted(0.2, header)
}

fn kafka() -> BoxedStrategy<PortRule> {
    let keys = [vec![], vec![0], vec![1, 3], vec![18]];
    let rule = (
        select(keys.to_vec()),
        option::weighted(0.2, select(&[0_i16, 1][..])),
        option::weighted(0.2, Just("me".into())),
        option::weighted(0.7, select(&["t1", "t2"][..]).prop_map(Box::from)),
    )
        .prop_map(|(api_keys, api_version, client_id, topic)| KafkaRule {
            api_keys,
            api_version,
            client_id,
            topic,
        });
    with_rules(tcp(), vec(rule, 1..3).prop_map(L7Rules::Kafka).boxed())
}

fn dns() -> BoxedStrategy<PortRule> {
    let rule = select(&QUERIES[..]).prop_map(|pattern| match pattern {
        DnsPattern::Name(name) => DnsRule::MatchName(name.into()),
        DnsPattern::Pattern(pattern) => DnsRule::MatchPattern(pattern.into()),
    });
    with_rules(single(), vec(rule, 1..3).prop_map(L7Rules::Dns).boxed())
}

fn tls() -> BoxedStrategy<PortRule> {
    let context = || option::weighted(0.15, select(&["s1", "s2"][..]).prop_map(Box::from));
    let names = vec(select(&SERVER_NAMES[..]).prop_map(Box::from), 0..3);
    (vec(tcp(), 1..3), names, context(), context())
        .prop_map(|(ports, server_names, terminating_tls, originating_tls)| PortRule {
            ports,
            server_names,
            terminating_tls,
            originating_tls,
            ..PortRule::default()
        })
        .boxed()
}

/// The same behind TLS that the proxy ends.
fn terminated(rule: BoxedStrategy<PortRule>) -> BoxedStrategy<PortRule> {
    let names = vec(select(&SERVER_NAMES[..]).prop_map(Box::from), 0..2);
    (rule, names)
        .prop_map(|(rule, server_names)| PortRule {
            server_names,
            terminating_tls: Some("s1".into()),
            ..rule
        })
        .boxed()
}

fn listener() -> BoxedStrategy<PortRule> {
    let priority = select(&[None, Some(1), Some(5), Some(100)][..]);
    let name = select(&["l1", "l2"][..]);
    let names = option::weighted(0.3, select(&SERVER_NAMES[..]).prop_map(Box::from));
    (vec(tcp(), 1..3), name, priority, names)
        .prop_map(|(ports, name, priority, server_name)| PortRule {
            ports,
            server_names: server_name.into_iter().collect(),
            listener: Some(Listener {
                name: name.into(),
                priority,
            }),
            ..PortRule::default()
        })
        .boxed()
}

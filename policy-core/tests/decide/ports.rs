//! Ports, protocols and names of ports.

use crate::world::*;
use policy_core::{
    AddressFacts, IcmpFamily, Protocol, Scope,
    bundle::{Element, PortNumbers, PortPattern},
};

#[test]
fn ports_and_protocols() {
    let port = |protocol, numbers| PortPattern::Port { protocol, numbers };
    let named = |name: &str, end| PortNumbers::Named { name: name.into(), end };
    use Protocol::{Icmp, IcmpV6, Sctp, Tcp, Udp};
    for (pattern, hits, misses, why) in [
        (
            tcp(80, 90),
            vec![(Tcp, 80), (Tcp, 90)],
            vec![(Tcp, 79), (Tcp, 91), (Udp, 80)],
            "a range",
        ),
        (
            port(Udp, PortNumbers::All),
            vec![(Udp, 0), (Udp, 65535)],
            vec![(Tcp, 80), (Icmp, 8)],
            "all of one protocol",
        ),
        (
            port(Sctp, PortNumbers::Range(7, 7)),
            vec![(Sctp, 7)],
            vec![(Sctp, 8)],
            "one port",
        ),
        (
            port(Tcp, named("http", None)),
            vec![(Tcp, 8080)],
            vec![(Tcp, 80), (Tcp, 8081), (Udp, 8080)],
            "a name",
        ),
        (
            port(Tcp, named("http", Some(8082))),
            vec![(Tcp, 8080), (Tcp, 8082)],
            vec![(Tcp, 8083)],
            "a range from a name",
        ),
        (
            port(Tcp, named("nosuch", None)),
            vec![],
            vec![(Tcp, 8080)],
            "an unknown name",
        ),
        (
            PortPattern::Icmp {
                family: IcmpFamily::V4,
                message_type: Some(8),
            },
            vec![(Icmp, 8)],
            vec![(Icmp, 13), (IcmpV6, 8), (Tcp, 8)],
            "an ICMP type",
        ),
        (
            PortPattern::Icmp {
                family: IcmpFamily::V6,
                message_type: None,
            },
            vec![(IcmpV6, 128)],
            vec![(Icmp, 8)],
            "every type",
        ),
    ] {
        let engine = engine([ingress([from([db()]).on([pattern])])]);
        let asks = hits
            .into_iter()
            .map(|ask| (ask, true))
            .chain(misses.into_iter().map(|ask| (ask, false)));
        for ((protocol, port), want) in asks {
            let facts = AddressFacts {
                protocol,
                ..facts(DB, WEB, port)
            };
            assert_eq!(
                allows(&engine.admit(&facts, Scope::Ingress)),
                want,
                "{why}: {protocol} {port}"
            );
        }
    }
    let nothing = engine([ingress([Element {
        ports: Some(vec![]),
        ..from([db()])
    }])]);
    assert!(
        !allows(&to_web(&nothing, DB, 80)),
        "an empty list of ports is no traffic"
    );
}

#[test]
fn a_port_name_means_the_destination_s() {
    let pg = PortPattern::Port {
        protocol: Protocol::Tcp,
        numbers: PortNumbers::Named {
            name: "pg".into(),
            end: Some(6000),
        },
    };
    let engine = engine([egress([anyone().on([pg])])]);
    for (destination, port, want, why) in [
        (DB, 5432, true, "the destination has the name"),
        (DB, 5433, false, "a range end is ignored on egress"),
        (MON, 5432, false, "another endpoint has not"),
        (WORLD, 5432, false, "nor has anyone outside"),
    ] {
        assert_eq!(allows(&from_web(&engine, destination, port)), want, "{why}");
    }
}

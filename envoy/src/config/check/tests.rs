//! One broken description per row, and what must be said about it.

use std::time::Duration;

use super::super::Certificate;
use super::*;

/// The example, changed by `break_it`, and the problems found.
fn problems(break_it: impl FnOnce(&mut Node)) -> Vec<String> {
    let mut node = Node::example();
    break_it(&mut node);
    match check(&node) {
        Ok(()) => vec![],
        Err(InvalidNode(problems)) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_example_is_valid() {
    assert_eq!(problems(|_| ()), [""; 0]);
}

#[test]
fn what_is_no_problem() {
    type Change = fn(&mut Node);
    let rows: &[(&str, Change)] = &[
        ("the upstream port, in other words", |node| {
            node.listeners[2].logical_port = Some(80)
        }),
        ("stand-ins have other ports", |node| {
            node.stand_in_ports = true;
            node.listeners[2].logical_port = Some(8080);
        }),
        ("without names nobody needs ranges", |node| {
            node.listeners.truncate(2);
            node.cluster_ranges.clear();
        }),
        ("a single address", |node| {
            node.cluster_ranges = vec![IpRange::v4([10, 0, 0, 1], 32)]
        }),
        ("one second", |node| node.max_connection = Duration::from_secs(1)),
    ];
    for (why, change) in rows {
        assert_eq!(problems(change), [""; 0], "{why}");
    }
}

#[test]
fn every_problem_is_named_with_its_place() {
    type Break = fn(&mut Node);
    let rows: &[(&str, Break, &str)] = &[
        (
            "anyone who reaches the admin interface may read keys",
            |node| node.admin = "10.0.0.1:9901".parse().unwrap(),
            "admin: `10.0.0.1:9901` is not a loopback address",
        ),
        (
            "`allow:web` as a cluster's own name would defeat the guard",
            |node| {
                node.clusters.push(Cluster {
                    name: "allow:web".into(),
                    ..node.clusters[0].clone()
                })
            },
            "clusters: `allow:web` is not a name of letters, digits, `-`, `_` and `.`",
        ),
        (
            "the second would never be used",
            |node| node.clusters.push(node.clusters[1].clone()),
            "clusters: `dns` is there twice",
        ),
        (
            "SO_REUSEPORT would share connections out",
            |node| node.listeners[1].address = node.listeners[0].address,
            "listeners: two bind `127.0.10.2:20080`",
        ),
        (
            "503 for everything",
            |node| node.clusters[0].endpoints.clear(),
            "cluster `web`: empty, nothing could be reached",
        ),
        (
            "the kernel would choose, and clients not know",
            |node| node.listeners[0].address.set_port(0),
            "listener `web`: port 0",
        ),
        (
            "a policy cannot mean port 0",
            |node| node.listeners[0].logical_port = Some(0),
            "listener `web`: port 0",
        ),
        (
            "an ingress policy belongs to an endpoint, and a name is none",
            |node| node.listeners[2].direction = Direction::Both,
            "listener `egress`: where Envoy resolves names, only egress can be judged",
        ),
        (
            "any name is no endpoint either",
            |node| node.listeners[3].direction = Direction::Ingress,
            "listener `egress-any`: where Envoy resolves names, only egress can be judged",
        ),
        (
            "a policy about port 443 would open port 80",
            |node| node.listeners[3].logical_port = Some(443),
            "listener `egress-any`: port 443 would be judged, and port 80 contacted",
        ),
        (
            "names could lead to every pod",
            |node| node.cluster_ranges.clear(),
            "cluster ranges: empty, names could lead anywhere",
        ),
        (
            "Envoy would refuse it",
            |node| node.cluster_ranges.push(IpRange::v4([10, 0, 0, 0], 33)),
            "cluster ranges: `10.0.0.0/33` is longer than an address",
        ),
        (
            "Envoy would have no limit",
            |node| node.max_connection = Duration::from_millis(999),
            "max_connection: less than one second",
        ),
        (
            "a typo must not become a denial of everything",
            |node| node.listeners[1].kind = ListenerKind::Tcp { cluster: "dsn".into() },
            "listener `dns`: no cluster `dsn`",
        ),
        (
            "a cluster of that name would never be used",
            |node| node.clusters[0].name = "original-dst".into(),
            "listener `web`: no cluster `web`; clusters: `original-dst` is the name for the address that the client meant",
        ),
        (
            "what a listener believes is told with its name",
            |node| node.listeners[0].identity.certificate = Certificate::Witnessed,
            "listener `web`: certificates shall count, and no client is asked for one",
        ),
        (
            "in 1.38, RBAC is no upstream filter",
            |node| node.envoy = EnvoyVersion::V1_38,
            "listener `egress`: Envoy 1.38 cannot judge the address that a name led to; \
             listener `egress-any`: Envoy 1.38 cannot judge the address that a name led to",
        ),
        (
            "in 1.36, a certificate has one URI, whatever stands in it",
            |node| {
                *node = Node::sidecar_example();
                node.envoy = EnvoyVersion::V1_36;
            },
            "listener `inbound-http`: Envoy 1.36 does not show the plugin whole certificates; \
             listener `inbound-tcp`: Envoy 1.36 does not show the plugin whole certificates",
        ),
    ];
    for (why, break_it, expected) in rows {
        assert_eq!(problems(break_it).join("; "), *expected, "{why}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let found = problems(|node| {
        node.listeners[0].name = String::new();
        node.clusters[1].endpoints[0].set_port(0);
    });
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_host_name_is_not_an_address_in_disguise() {
    let rows = [
        ("cilium.io", true, "a name"),
        ("localhost", true, "one label"),
        ("a.x1", true, "the last label starts with a letter"),
        ("a.1x", false, "and here it does not"),
        ("1.2.3.4", false, "dotted decimal"),
        ("0x7f.1", false, "inet_aton's hexadecimal and short forms"),
        ("2130706433", false, "one number"),
        ("Cilium.io", false, "Envoy compares in lower case"),
        ("cilium.io.", false, "the trailing dot would be another authority"),
        ("cilium..io", false, "an empty label"),
        ("cilium.io:80", false, "the port has its own field"),
        ("*.io", false, "a pattern is not a host"),
        ("", false, "nothing"),
    ];
    for (name, expected, why) in rows {
        assert_eq!(is_host_name(name), expected, "{name}: {why}");
    }
}

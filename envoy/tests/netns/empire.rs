//! The cluster of `examples/empire`, each pod and each host outside in a network of its own.

use std::fs;

use envoy_e2e::run::artefact;

use super::cluster::{Dns, Plan};

pub(crate) const DEATHSTAR: &str = "empire/deathstar";
pub(crate) const TIEFIGHTER: &str = "empire/tiefighter";
pub(crate) const XWING: &str = "empire/xwing";
pub(crate) const KUBE_DNS: &str = "kube-system/kube-dns";
pub(crate) const DASHBOARD: &str = "kube-system/kubernetes-dashboard";
pub(crate) const PROMETHEUS: &str = "monitoring/prometheus-core";
pub(crate) const GRAFANA: &str = "monitoring/grafana";
pub(crate) const INTRUDER: &str = "default/intruder";
pub(crate) const CILIUM_IO: &str = "cilium.io";
pub(crate) const GOOGLE_COM: &str = "google.com";
/// The client outside that stage 5 lets in, and another one.
pub(crate) const CLIENT: &str = "client";
pub(crate) const OTHER_CLIENT: &str = "other-client";

/// Where the loopback networks of the example are on a real network: pods, services, hosts outside, clients outside.
const PLACES: [(&str, &str); 4] = [
    ("127.10.", "10.200."),
    ("127.96.", "10.96."),
    ("127.20.0.", "198.51.100."),
    ("127.30.0.", "203.0.113."),
];

/// The cluster, as `world.yaml` describes it.
pub(crate) const EMPIRE: Plan = Plan {
    hosts: &[
        (DEATHSTAR, [10, 200, 0, 20], &[80, 8080]),
        (TIEFIGHTER, [10, 200, 0, 11], &[]),
        (XWING, [10, 200, 0, 12], &[]),
        (KUBE_DNS, [10, 200, 1, 53], &[]),
        (DASHBOARD, [10, 200, 1, 90], &[9090]),
        (PROMETHEUS, [10, 200, 2, 90], &[]),
        (GRAFANA, [10, 200, 2, 91], &[]),
        (INTRUDER, [10, 200, 3, 66], &[]),
        (CILIUM_IO, [198, 51, 100, 14], &[80]),
        (GOOGLE_COM, [198, 51, 100, 15], &[80]),
        (CLIENT, [203, 0, 113, 7], &[]),
        (OTHER_CLIENT, [203, 0, 113, 8], &[]),
    ],
    services: &[
        ([10, 96, 0, 20], 80, [10, 200, 0, 20], 80),
        ([10, 96, 0, 20], 8080, [10, 200, 0, 20], 8080),
        ([10, 96, 0, 10], 53, [10, 200, 1, 53], 53),
        ([10, 96, 0, 90], 80, [10, 200, 1, 90], 9090),
    ],
    dns: Some(Dns {
        host: KUBE_DNS,
        address: [10, 96, 0, 10],
        names: &[
            ("deathstar.empire.svc.cluster.local", [10, 96, 0, 20]),
            ("kube-dns.kube-system.svc.cluster.local", [10, 96, 0, 10]),
            ("kubernetes-dashboard.kube-system.svc.cluster.local", [10, 96, 0, 90]),
            (CILIUM_IO, [198, 51, 100, 14]),
            (GOOGLE_COM, [198, 51, 100, 15]),
        ],
    }),
};

/// A file of the example with the addresses of this network.
pub(crate) fn manifest(file: &str) -> String {
    let path = artefact::project_root().join("examples/empire").join(file);
    let text = fs::read_to_string(path).unwrap();
    PLACES.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

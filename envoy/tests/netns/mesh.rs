//! Three pods with service accounts, and a host that is no pod.

use super::cluster::Plan;

pub(crate) const SERVER: &str = "mesh/server";
pub(crate) const ALICE: &str = "mesh/alice";
pub(crate) const BOB: &str = "mesh/bob";
pub(crate) const LAPTOP: &str = "laptop";

pub(crate) const MESH: Plan = Plan {
    hosts: &[
        // Without TLS, which ends in the sidecar.
        (SERVER, [10, 200, 0, 20], &[443]),
        (ALICE, [10, 200, 0, 11], &[]),
        (BOB, [10, 200, 0, 12], &[]),
        (LAPTOP, [203, 0, 113, 7], &[]),
    ],
    services: &[],
    dns: None,
};

/// The same as manifests.
pub(crate) const PODS: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: mesh}
---
apiVersion: v1
kind: Pod
metadata: {name: server, namespace: mesh, labels: {app: server}}
spec: {serviceAccountName: server, containers: [{name: main}]}
status: {podIP: 10.200.0.20, podIPs: [{ip: 10.200.0.20}]}
---
apiVersion: v1
kind: Pod
metadata: {name: alice, namespace: mesh, labels: {app: alice}}
spec: {serviceAccountName: alice, containers: [{name: main}]}
status: {podIP: 10.200.0.11, podIPs: [{ip: 10.200.0.11}]}
---
apiVersion: v1
kind: Pod
metadata: {name: bob, namespace: mesh, labels: {app: bob}}
spec: {serviceAccountName: bob, containers: [{name: main}]}
status: {podIP: 10.200.0.12, podIPs: [{ip: 10.200.0.12}]}
";

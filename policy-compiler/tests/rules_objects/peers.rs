//! Peer fields and how they combine.

use super::{AGENT, BOTH, CLUSTER, check, egress};

#[test]
fn peer_fields() {
    check(
        &[
            (
                &BOTH,
                "{toEndpoints: [{}], toEntities: [world]}",
                "p.yaml:7:37: error[B1]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEntities: `toEndpoints` and `toEntities` cannot be combined in one element\n\
                 help: write an element of its own for each: what any of them allows is allowed",
            ),
            (
                &BOTH,
                "{toCIDR: [10.0.0.0/8], toCIDRSet: [{cidr: 10.0.0.0/8}]}",
                "p.yaml:7:39: error[B1]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet: `toCIDR` and `toCIDRSet` cannot be combined in one element\n\
                 help: write an element of its own for each: what any of them allows is allowed",
            ),
            (
                &BOTH,
                "{toEndpoints: [], toEntities: [world]}",
                "p.yaml:7:19: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints: an empty `toEndpoints` matches no peer\n\
                 help: remove `toEndpoints` if any peer should match",
            ),
            (
                &BOTH,
                "{toFQDNs: [], toPorts: [{ports: [{port: '443'}]}]}",
                "p.yaml:7:15: warning[matches-more]: CiliumNetworkPolicy/shop/p: spec.egress[0].toFQDNs: an empty `toFQDNs` is the same as none: with ports, any peer matches\n\
                 help: remove the element if it should match nothing",
            ),
            (
                &BOTH,
                "{toServices: [], toGroups: []}",
                "p.yaml:7:18: warning[matches-more]: CiliumNetworkPolicy/shop/p: spec.egress[0].toServices: an empty `toServices` is the same as none: with ports, any peer matches\n\
                 help: remove the element if it should match nothing\n\
                 p.yaml:7:32: warning[matches-more]: CiliumNetworkPolicy/shop/p: spec.egress[0].toGroups: an empty `toGroups` is the same as none: with ports, any peer matches\n\
                 help: remove the element if it should match nothing",
            ),
            (&BOTH, "{toEndpoints: null, toEntities: [world]}", ""),
            (
                &BOTH,
                "{toNodes: [{}]}",
                "p.yaml:7:15: error[B2]: CiliumNetworkPolicy/shop/p: spec.egress[0].toNodes: `toNodes` needs the option enable-node-selector-labels\n\
                 help: the entity `remote-node` selects all other nodes",
            ),
            (
                &BOTH,
                "{toNodes: []}",
                "p.yaml:7:15: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toNodes: an empty `toNodes` matches no peer\n\
                 help: remove `toNodes` if any peer should match",
            ),
            (
                &BOTH,
                "{toGroups: [{aws: {securityGroupsIds: [sg-1]}}]}",
                "p.yaml:7:16: error[groups]: CiliumNetworkPolicy/shop/p: spec.egress[0].toGroups: the addresses of `toGroups` are known only to the cloud provider\n\
                 help: name the addresses in a `CiliumCIDRGroup`, and that one in a CIDR set",
            ),
            (
                &BOTH,
                "{toEndpoints: [{}], toRequires: [{matchLabels: {app: x}}]}",
                "p.yaml:7:37: error[D2]: CiliumNetworkPolicy/shop/p: spec.egress[0].toRequires: `toRequires` no longer exists\n\
                 help: add its conditions to every selector of `toEndpoints`",
            ),
            (&BOTH, "{toEndpoints: [{}], toRequires: []}", ""),
            (
                &BOTH,
                "{toEntities: [wrld]}",
                "p.yaml:7:19: error[B3]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEntities[0]: unknown entity `wrld`\n\
                 help: did you mean `world`?",
            ),
            (
                &BOTH,
                "{toEntities: [moon]}",
                "p.yaml:7:19: error[B3]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEntities[0]: unknown entity `moon`\n\
                 help: the entities are all, world, world-ipv4, world-ipv6, cluster, host, init, ingress, unmanaged, remote-node, health, none, kube-apiserver, cluster-mesh",
            ),
            (&BOTH, "{toEntities: [cluster-mesh]}", ""),
            (&AGENT, "{toEntities: [world-ipv4]}", ""),
            (
                &CLUSTER,
                "{toEntities: [world-ipv4, world-ipv6]}",
                "p.yaml:7:19: error[D3]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEntities[0]: the API server does not admit the entity `world-ipv4`\n\
                 help: the CIDR `0.0.0.0/0` selects the same peers\n\
                 p.yaml:7:31: error[D3]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEntities[1]: the API server does not admit the entity `world-ipv6`\n\
                 help: the CIDR `::/0` selects the same peers",
            ),
        ],
        egress,
    );
}

#[test]
fn services() {
    check(
        &[
            (
                &BOTH,
                "{toServices: [{k8sService: {serviceName: db, namespace: shop}}]}",
                "p.yaml:7:18: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toServices: none of these services is known with a selector or with backends: no peer matches\n\
                 help: compile the policy together with its services, and with their endpoint slices",
            ),
            (
                &BOTH,
                "{toServices: [{}]}",
                "p.yaml:7:18: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toServices: none of these services is known with a selector or with backends: no peer matches\n\
                 help: compile the policy together with its services, and with their endpoint slices\n\
                 p.yaml:7:19: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toServices[0]: an item without a service matches nothing\n\
                 help: name it in `k8sService`, or select it with `k8sServiceSelector`",
            ),
            (
                &AGENT,
                "{toServices: [{k8sServiceSelector: {}}]}",
                "p.yaml:7:18: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toServices: none of these services is known with a selector or with backends: no peer matches\n\
                 help: compile the policy together with its services, and with their endpoint slices",
            ),
            (
                &CLUSTER,
                "{toServices: [{k8sServiceSelector: {}}]}",
                "p.yaml:7:40: error[D14]: CiliumNetworkPolicy/shop/p: spec.egress[0].toServices[0].k8sServiceSelector: `selector` is missing\n\
                 help: `selector: {}` selects every service",
            ),
            (
                &AGENT,
                "{toServices: [{k8sServiceSelector: {selector: {matchExpressions: [{key: a, operator: in}]}}}]}",
                "p.yaml:7:18: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toServices: none of these services is known with a selector or with backends: no peer matches\n\
                 help: compile the policy together with its services, and with their endpoint slices\n\
                 p.yaml:7:90: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toServices[0].k8sServiceSelector.selector.matchExpressions[0].operator: unknown operator `in`\n\
                 help: did you mean `In`?",
            ),
            (
                &CLUSTER,
                "{toServices: [{k8sServiceSelector: {selector: {matchExpressions: [{key: a, operator: in}]}}}]}",
                "p.yaml:7:90: error[D4]: CiliumNetworkPolicy/shop/p: spec.egress[0].toServices[0].k8sServiceSelector.selector.matchExpressions[0].operator: unknown operator `in`\n\
                 help: did you mean `In`?",
            ),
        ],
        egress,
    );
}

//! Peers outside the cluster: prefixes and names.

use super::{AGENT, BOTH, CLUSTER, check, egress};

#[test]
fn prefixes() {
    check(
        &[
            (
                &BOTH,
                "{toCIDR: [10.0.0.1]}",
                "p.yaml:7:15: error[B4]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDR[0]: `10.0.0.1` is not a CIDR: the prefix length is missing\n\
                 help: write `10.0.0.1/32`",
            ),
            (
                &BOTH,
                "{toCIDR: ['']}",
                "p.yaml:7:15: error[B4]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDR[0]: `` is not a CIDR: the prefix length is missing",
            ),
            (
                &BOTH,
                "{toCIDR: [10.0.0.300/8]}",
                "p.yaml:7:15: error[B4]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDR[0]: `10.0.0.300/8` is not a CIDR: the address is not valid",
            ),
            (
                &BOTH,
                "{toCIDRSet: [{}]}",
                "p.yaml:7:18: error[B5]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0]: needs exactly one of cidr, cidrGroupRef, cidrGroupSelector, has none",
            ),
            (
                &BOTH,
                "{toCIDRSet: [{cidr: 10.0.0.0/8, cidrGroupRef: g}]}",
                "p.yaml:7:18: error[B5]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0]: needs exactly one of cidr, cidrGroupRef, cidrGroupSelector, has cidr and cidrGroupRef",
            ),
            (&AGENT, "{toCIDRSet: [{cidr: '', cidrGroupRef: g}]}", ""),
            (
                &CLUSTER,
                "{toCIDRSet: [{cidr: '', cidrGroupRef: g}]}",
                "p.yaml:7:18: error[D5]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0]: needs exactly one of cidr, cidrGroupRef, cidrGroupSelector, even of those that are empty",
            ),
            (
                &CLUSTER,
                "{toCIDRSet: [{cidrGroupRef: My_Group}]}",
                "p.yaml:7:33: error[D5]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0].cidrGroupRef: `My_Group` is not the name of an object\n\
                 help: names are lower-case DNS names",
            ),
            (
                &BOTH,
                "{toCIDRSet: [{cidr: 10.0.0.1}]}",
                "p.yaml:7:25: error[B6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0].cidr: `10.0.0.1` is not a CIDR: the prefix length is missing\n\
                 help: write `10.0.0.1/32`",
            ),
            (
                &BOTH,
                "{toCIDRSet: [{cidr: 10.0.0.0/8, except: [11.0.0.0/16]}]}",
                "p.yaml:7:46: error[B6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0].except[0]: `11.0.0.0/16` is not inside `10.0.0.0/8`\n\
                 help: an exception must be a part of the `cidr` beside it",
            ),
            (
                &BOTH,
                "{toCIDRSet: [{cidr: 10.0.0.0/16, except: [10.0.0.0/8]}]}",
                "p.yaml:7:47: error[B6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0].except[0]: `10.0.0.0/8` is not inside `10.0.0.0/16`\n\
                 help: an exception must be a part of the `cidr` beside it",
            ),
            (
                &BOTH,
                "{toCIDRSet: [{cidr: 10.0.0.0/8, except: ['fd00::/16']}]}",
                "p.yaml:7:46: error[B6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0].except[0]: `fd00::/16` is not inside `10.0.0.0/8`\n\
                 help: an exception must be a part of the `cidr` beside it",
            ),
            (
                &BOTH,
                "{toCIDRSet: [{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}]}",
                "p.yaml:7:18: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0]: `10.0.0.0/8` without `10.0.0.0/8` matches no address",
            ),
            (&BOTH, "{toCIDRSet: [{cidrGroupRef: g, except: [10.0.0.0/8]}]}", ""),
            (
                &AGENT,
                "{toCIDRSet: [{cidrGroupRef: g, except: [10.0.0.1]}]}",
                "p.yaml:7:45: warning[no-effect]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0].except[0]: `10.0.0.1` is not a CIDR: the prefix length is missing",
            ),
            (
                &CLUSTER,
                "{toCIDRSet: [{cidrGroupRef: g, except: [10.0.0.1]}]}",
                "p.yaml:7:45: error[D5]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0].except[0]: `10.0.0.1` is not a CIDR: the prefix length is missing\n\
                 help: write `10.0.0.1/32`",
            ),
        ],
        egress,
    );
}

#[test]
fn names() {
    check(
        &[
            (
                &AGENT,
                "{toFQDNs: [{matchName: a.com, matchPattern: '*.com'}]}",
                "p.yaml:7:16: error[B7]: CiliumNetworkPolicy/shop/p: spec.egress[0].toFQDNs[0]: has both `matchName` and `matchPattern`\n\
                 help: write an item for each",
            ),
            (
                &CLUSTER,
                "{toFQDNs: [{matchName: a.com, matchPattern: '*.com'}]}",
                "p.yaml:7:16: error[D6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toFQDNs[0]: needs exactly one of `matchName` and `matchPattern`\n\
                 p.yaml:7:16: error[B7]: CiliumNetworkPolicy/shop/p: spec.egress[0].toFQDNs[0]: has both `matchName` and `matchPattern`\n\
                 help: write an item for each",
            ),
            (
                &BOTH,
                "{toFQDNs: [{matchName: '*.a.com'}]}",
                "p.yaml:7:28: error[B7]: CiliumNetworkPolicy/shop/p: spec.egress[0].toFQDNs[0].matchName: invalid `matchName`: `*.a.com` has `*`, which no DNS name may contain\n\
                 help: a name with `*` belongs in `matchPattern`",
            ),
            (
                &BOTH,
                "{toFQDNs: [{matchPattern: 'a?b'}]}",
                "p.yaml:7:31: error[B7]: CiliumNetworkPolicy/shop/p: spec.egress[0].toFQDNs[0].matchPattern: invalid `matchPattern`: `a?b` has `?`, which no DNS pattern may contain",
            ),
            (
                &AGENT,
                "{toFQDNs: [{}]}",
                "p.yaml:7:16: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toFQDNs[0]: an item without name matches only the root of DNS",
            ),
            (
                &CLUSTER,
                "{toFQDNs: [{}]}",
                "p.yaml:7:16: error[D6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toFQDNs[0]: needs exactly one of `matchName` and `matchPattern`",
            ),
            (
                &CLUSTER,
                "{toFQDNs: [{matchName: a..com}]}",
                "p.yaml:7:28: error[D6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toFQDNs[0].matchName: the API server does not admit `a..com`\n\
                 help: at most 255 characters, and no empty label between dots",
            ),
        ],
        egress,
    );
}

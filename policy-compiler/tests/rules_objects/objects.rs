//! Objects and rules as a whole.

use super::{AGENT, BOTH, CLUSTER, check, cluster_wide, policy};

#[test]
fn objects() {
    check(
        &[
            (
                &BOTH,
                "metadata: {namespace: shop}\nspec: {endpointSelector: {}, ingress: [{fromEntities: [all]}]}",
                "p.yaml:3:11: error[A1]: CiliumNetworkPolicy/shop/: metadata: `metadata.name` is missing",
            ),
            (
                &BOTH,
                "metadata: {name: p, namespace: shop}",
                "p.yaml:1:1: error[A2]: CiliumNetworkPolicy/shop/p: has neither `spec` nor `specs`",
            ),
            (
                &BOTH,
                "metadata: {name: p, namespace: shop}\nspec: null\nspecs: null",
                "p.yaml:1:1: error[A2]: CiliumNetworkPolicy/shop/p: has neither `spec` nor `specs`",
            ),
            (
                &BOTH,
                "metadata: {name: p}\nspec: {endpointSelector: {}, ingress: [{fromEntities: [all]}]}",
                "p.yaml:3:11: warning[matches-more]: CiliumNetworkPolicy//p: metadata: without `namespace` the policy applies to every namespace\n\
                 help: set `metadata.namespace`, or name a namespace with `-n` as for kubectl",
            ),
        ],
        |rest| format!("apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n{rest}\n"),
    );
}

#[test]
fn rules_and_subjects() {
    check(
        &[
            (
                &BOTH,
                "{endpointSelector: {}}",
                "p.yaml:4:7: error[A3]: CiliumNetworkPolicy/shop/p: spec: a rule needs an element in `ingress`, `ingressDeny`, `egress` or `egressDeny`\n\
                 help: an empty element, as in `ingress: [{}]`, isolates the subject without allowing anything",
            ),
            (
                &BOTH,
                "{endpointSelector: {}, ingress: [], egressDeny: null}",
                "p.yaml:4:7: error[A3]: CiliumNetworkPolicy/shop/p: spec: a rule needs an element in `ingress`, `ingressDeny`, `egress` or `egressDeny`\n\
                 help: an empty element, as in `ingress: [{}]`, isolates the subject without allowing anything",
            ),
            (
                &BOTH,
                "{ingress: [{fromEntities: [all]}]}",
                "p.yaml:4:7: error[A4]: CiliumNetworkPolicy/shop/p: spec: `endpointSelector` is missing\n\
                 help: `endpointSelector: {}` selects the whole namespace",
            ),
            (
                &BOTH,
                "{endpointSelector: null, ingress: [{fromEntities: [all]}]}",
                "p.yaml:4:7: error[A4]: CiliumNetworkPolicy/shop/p: spec: `endpointSelector` is missing\n\
                 help: `endpointSelector: {}` selects the whole namespace",
            ),
            (
                &BOTH,
                "{nodeSelector: {}, ingress: [{fromEntities: [all]}]}",
                "p.yaml:4:22: error[A5]: CiliumNetworkPolicy/shop/p: spec.nodeSelector: `nodeSelector` belongs in a `CiliumClusterwideNetworkPolicy`",
            ),
        ],
        policy,
    );
    check(
        &[
            (
                &BOTH,
                "{ingress: [{fromEntities: [all]}]}",
                "p.yaml:4:7: error[A4]: CiliumClusterwideNetworkPolicy//p: spec: `endpointSelector` is missing\n\
                 help: `endpointSelector: {}` selects every endpoint of the cluster",
            ),
            (
                &BOTH,
                "{endpointSelector: {}, nodeSelector: {}, ingress: [{fromEntities: [all]}]}",
                "p.yaml:4:44: error[A4]: CiliumClusterwideNetworkPolicy//p: spec.nodeSelector: a rule has only one of `endpointSelector` and `nodeSelector`",
            ),
            (&BOTH, "{nodeSelector: {}, ingress: [{fromEntities: [all]}]}", ""),
            (
                &BOTH,
                "{nodeSelector: {matchLabels: {a/b/c: x}}, ingress: [{fromEntities: [all]}]}",
                "p.yaml:4:44: error[A6]: CiliumClusterwideNetworkPolicy//p: spec.nodeSelector.matchLabels[a/b/c]: label key `a/b/c` contains '/', only letters, digits, `-`, `_` and `.` may be there",
            ),
        ],
        cluster_wide,
    );
}

#[test]
fn requests_to_nodes() {
    let with = |direction: &str, rules: &str| {
        format!(
            "\n  nodeSelector: {{}}\n  {direction}:\n  - toPorts:\n    - ports: [{{port: '53', protocol: TCP}}]\n      rules: {rules}"
        )
    };
    check(
        &[
            (
                &BOTH,
                &with("ingress", "{http: [{}]}"),
                "p.yaml:9:21: error[C16]: CiliumClusterwideNetworkPolicy//p: spec.ingress[0].toPorts[0].rules.http: a rule with `nodeSelector` cannot restrict requests
\
                 help: select the pods that take the requests, with `endpointSelector`",
            ),
            (
                &BOTH,
                &with("egress", "{http: [{}]}"),
                "p.yaml:9:21: error[C16]: CiliumClusterwideNetworkPolicy//p: spec.egress[0].toPorts[0].rules.http: a rule with `nodeSelector` cannot restrict requests
\
                 help: select the pods that take the requests, with `endpointSelector`",
            ),
            (&BOTH, &with("egress", "{dns: [{matchPattern: '*'}]}"), ""),
        ],
        cluster_wide,
    );
}

#[test]
fn cidr_groups() {
    check(
        &[
            (&BOTH, "metadata: {name: g}\nspec: {externalCIDRs: [10.0.0.0/8]}", ""),
            (
                &BOTH,
                "metadata: {}\nspec: {externalCIDRs: []}",
                "p.yaml:3:11: error[missing-field]: CiliumCIDRGroup//: metadata: `name` is missing",
            ),
            (&AGENT, "metadata: {name: g}\nspec: {}", ""),
            (
                &CLUSTER,
                "metadata: {name: g}\nspec: {}",
                "p.yaml:4:7: error[D15]: CiliumCIDRGroup//g: spec: `spec.externalCIDRs` is missing\n\
                 help: a group without addresses has `externalCIDRs: []`",
            ),
            (
                &AGENT,
                "metadata: {name: g}\nspec: {externalCIDRs: [10.0.0.1]}",
                "p.yaml:4:24: warning[no-effect]: CiliumCIDRGroup//g: spec.externalCIDRs[0]: left out: `10.0.0.1` is not a CIDR: the prefix length is missing",
            ),
            (
                &CLUSTER,
                "metadata: {name: g}\nspec: {externalCIDRs: [10.0.0.1]}",
                "p.yaml:4:24: error[D15]: CiliumCIDRGroup//g: spec.externalCIDRs[0]: `10.0.0.1` is not a CIDR: the prefix length is missing",
            ),
        ],
        |rest| format!("apiVersion: cilium.io/v2\nkind: CiliumCIDRGroup\n{rest}\n"),
    );
}

#[test]
fn modes() {
    check(
        &[
            (&BOTH, "enforce", ""),
            (&BOTH, "audit", ""),
            (
                &BOTH,
                "observe",
                "p.yaml:6:37: warning[no-effect]: CiliumNetworkPolicy/shop/p: metadata.annotations[portcullis.io/mode]: unknown mode `observe`: the policy is enforced\n\
                 help: the modes are enforce and audit",
            ),
        ],
        |mode| {
            format!(
                "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: p\n  namespace: shop\n  \
                 annotations: {{portcullis.io/mode: {mode}}}\nspec: {{endpointSelector: {{}}, ingress: [{{fromEntities: [all]}}]}}\n"
            )
        },
    );
}

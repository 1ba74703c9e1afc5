//! Label selectors.

use super::{BOTH, check, egress};

#[test]
fn selectors() {
    let long = format!("{{matchLabels: {{app: {}}}}}", "x".repeat(64));
    let too_long = format!(
        "p.yaml:7:39: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchLabels.app: label value `{}` is longer than 63 characters (64)",
        "x".repeat(64)
    );
    check(
        &[
            (
                &BOTH,
                "{matchLabels: {'a:b:c': x}}",
                "p.yaml:7:43: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchLabels[a:b:c]: label key `a:b:c` has more than one `:`",
            ),
            (
                &BOTH,
                "{matchLabels: {':app': x}}",
                "p.yaml:7:42: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchLabels[:app]: label key `:app` needs letters or digits before the `:`",
            ),
            (
                &BOTH,
                "{matchLabels: {'k8s-x:b': x}}",
                "p.yaml:7:45: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchLabels[k8s-x:b]: label key `k8s-x:b` needs letters or digits before the `:`",
            ),
            (
                &BOTH,
                "{matchLabels: {a/b/c: x}}",
                "p.yaml:7:41: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchLabels[a/b/c]: label key `a/b/c` contains '/', only letters, digits, `-`, `_` and `.` may be there",
            ),
            (
                &BOTH,
                "{matchLabels: {app: bad value}}",
                "p.yaml:7:39: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchLabels.app: label value `bad value` contains ' ', only letters, digits, `-`, `_` and `.` may be there",
            ),
            (&BOTH, &long, &too_long),
            (
                &BOTH,
                "{matchExpressions: [{key: app, operator: in, values: [x]}]}",
                "p.yaml:7:60: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchExpressions[0].operator: unknown operator `in`\n\
                 help: did you mean `In`?",
            ),
            (
                &BOTH,
                "{matchExpressions: [{key: app, operator: NotIn}]}",
                "p.yaml:7:39: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchExpressions[0]: `NotIn` needs at least one value",
            ),
            (
                &BOTH,
                "{matchExpressions: [{key: app, operator: Exists, values: [x]}]}",
                "p.yaml:7:39: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchExpressions[0]: `Exists` takes no values\n\
                 help: use `In` or `NotIn` with values",
            ),
            (
                &BOTH,
                "{matchExpressions: [{operator: Exists}]}",
                "p.yaml:7:39: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchExpressions[0]: `key` is missing",
            ),
            (
                &BOTH,
                "{matchLabels: {pod-template-hash: abc}}",
                "p.yaml:7:53: warning[matches-nothing]: CiliumNetworkPolicy/shop/p: spec.egress[0].toEndpoints[0].matchLabels[pod-template-hash]: no endpoint has the label `pod-template-hash`: it is not part of identities",
            ),
            (
                &BOTH,
                "{matchLabels: {app: '', 'any:app': x, 'cidr:10.0.0.0/8': ''}}",
                "",
            ),
        ],
        |selector| egress(&format!("toEndpoints: [{selector}]")),
    );
    check(
        &[
            (&BOTH, "{matchLabels: {':env': prod}}", ""),
            (
                &BOTH,
                "{matchLabels: {'::env': prod}}",
                "p.yaml:7:61: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0].cidrGroupSelector.matchLabels[::env]: label key `::env` needs letters or digits before the `:`",
            ),
            (
                &BOTH,
                "{matchExpressions: [{key: app, operator: In}]}",
                "p.yaml:7:57: error[A6]: CiliumNetworkPolicy/shop/p: spec.egress[0].toCIDRSet[0].cidrGroupSelector.matchExpressions[0]: `In` needs at least one value",
            ),
        ],
        |selector| egress(&format!("toCIDRSet: [{{cidrGroupSelector: {selector}}}]")),
    );
}

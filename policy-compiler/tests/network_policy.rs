//! Kubernetes `NetworkPolicy`: what is rejected and why, and what it becomes in either dialect.

use policy_compiler::{CompileOptions, Input, NetworkPolicyDialect, Validation, compile};
use serde_json::{Value, json};

const CLUSTER: Validation = Validation::Cluster;
const AGENT: Validation = Validation::Agent;

fn options(validation: Validation, network_policy: NetworkPolicyDialect) -> CompileOptions {
    CompileOptions {
        validation,
        network_policy,
        ..CompileOptions::default()
    }
}

fn policy(spec: &str) -> Input {
    let mut input = Input::new();
    let text = format!(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: web, namespace: shop}}\nspec: {spec}"
    );
    input.add_text("t", &text);
    input
}

/// Everything but the notes, as `line:column: severity[code]: path: message`.
fn said(input: &Input, options: &CompileOptions) -> Vec<String> {
    let compiled = compile(input, options);
    let spoken = compiled.diagnostics.iter().map(ToString::to_string);
    let short = |text: String| text.replacen("t:", "", 1).replace("NetworkPolicy/shop/web: ", "");
    spoken.filter(|text| !text.contains("note[")).map(short).collect()
}

#[test]
fn invalid_policies_are_rejected_where_they_are_wrong() {
    let peer = |peer: &str| format!("{{podSelector: {{}}, ingress: [{{from: [{peer}]}}]}}");
    let port = |port: &str| format!("{{podSelector: {{}}, egress: [{{ports: [{port}]}}]}}");
    let pods = |selector: &str| format!("{{podSelector: {selector}}}");
    let rows: &[(String, &[&str], &str)] = &[
        (
            pods("{matchLabels: {\"k8s:app\": web}}"),
            &[
                "4:47: error[K1]: spec.podSelector.matchLabels[k8s:app]: label key `k8s:app` contains ':', only letters, \
               digits, `-`, `_` and `.` may be there",
            ],
            "keys have no source",
        ),
        (
            pods("{matchLabels: {app: a b}}"),
            &[
                "4:41: error[K1]: spec.podSelector.matchLabels.app: label value `a b` contains ' ', only letters, \
               digits, `-`, `_` and `.` may be there",
            ],
            "a bad value",
        ),
        (
            pods("{matchExpressions: [{key: app, operator: In, values: []}]}"),
            &["4:41: error[K1]: spec.podSelector.matchExpressions[0]: `In` needs at least one value"],
            "nothing to be in",
        ),
        (
            pods("{matchExpressions: [{key: app, operator: Exists, values: [x]}]}"),
            &["4:41: error[K1]: spec.podSelector.matchExpressions[0]: `Exists` takes no values"],
            "a value too many",
        ),
        (
            "{podSelector: {}, policyTypes: [ingress, \"\"]}".to_owned(),
            &[
                "4:39: error[K2]: spec.policyTypes[0]: unknown policy type `ingress`",
                "4:48: error[K2]: spec.policyTypes[1]: unknown policy type ``",
            ],
            "both are reported",
        ),
        (
            "{podSelector: {}, policyTypes: [Ingress, Egress, Ingress]}".to_owned(),
            &["4:38: error[K2]: spec.policyTypes: lists 3 policy types, there are only 2"],
            "too many",
        ),
        (
            "{podSelector: {}, policyType: [Ingress]}".to_owned(),
            &["4:25: error[unknown-field]: spec.policyType: unknown field `policyType`"],
            "a typo",
        ),
        (
            peer("{}"),
            &["4:43: error[K3]: spec.ingress[0].from[0]: needs `podSelector`, `namespaceSelector` or `ipBlock`"],
            "nobody",
        ),
        (
            peer("{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}"),
            &[
                "4:70: error[K3]: spec.ingress[0].from[0].ipBlock: `ipBlock` cannot be combined with a selector in one \
               item",
            ],
            "both",
        ),
        (
            peer("{ipBlock: {}}"),
            &["4:53: error[K4]: spec.ingress[0].from[0].ipBlock: `cidr` is missing"],
            "no block",
        ),
        (
            peer("{ipBlock: {cidr: 10.0.0.1}}"),
            &[
                "4:60: error[K4]: spec.ingress[0].from[0].ipBlock.cidr: `10.0.0.1` is not a CIDR: the prefix length is \
               missing",
            ],
            "an address",
        ),
        (
            peer("{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16, 10.0.0.0/8, fd00::/16]}}"),
            &[
                "4:81: error[K4]: spec.ingress[0].from[0].ipBlock.except[0]: `11.0.0.0/16` is not a part of `10.0.0.0/8`",
                "4:94: error[K4]: spec.ingress[0].from[0].ipBlock.except[1]: `10.0.0.0/8` is not a part of `10.0.0.0/8`",
                "4:106: error[K4]: spec.ingress[0].from[0].ipBlock.except[2]: `fd00::/16` is not a part of `10.0.0.0/8`",
            ],
            "elsewhere, everything, another family",
        ),
        (
            port("{protocol: tcp, port: 80}"),
            &["4:54: error[K5]: spec.egress[0].ports[0].protocol: unknown protocol `tcp`"],
            "lower case",
        ),
        (
            port("{protocol: ANY}"),
            &["4:54: error[K5]: spec.egress[0].ports[0].protocol: unknown protocol `ANY`"],
            "a word of Cilium",
        ),
        (
            port("{port: 0}, {port: 65536}, {port: \"80\"}, {port: HTTP}, {port: true}"),
            &[
                "4:50: error[K6]: spec.egress[0].ports[0].port: 0 is not a port",
                "4:61: error[K6]: spec.egress[0].ports[1].port: 65536 is not a port",
                "4:76: error[K6]: spec.egress[0].ports[2].port: `80` is not the name of a port",
                "4:90: error[K6]: spec.egress[0].ports[3].port: `HTTP` is not the name of a port",
                "4:104: error[type]: spec.egress[0].ports[4].port: expected a number or a string, found a boolean",
            ],
            "no ports",
        ),
        (
            port("{endPort: 90}, {port: http, endPort: 90}, {port: 80, endPort: 79}, {port: 80, endPort: 65536}"),
            &[
                "4:53: error[K7]: spec.egress[0].ports[0].endPort: `endPort` needs a `port`",
                "4:80: error[K7]: spec.egress[0].ports[1].endPort: `endPort` needs a number as `port`, not a name",
                "4:105: error[K7]: spec.egress[0].ports[2].endPort: the range ends at 79, below its start 80",
                "4:130: error[K7]: spec.egress[0].ports[3].endPort: 65536 is not a port",
            ],
            "no ranges",
        ),
        (
            port("{port: 65535}, {port: 80, endPort: 80}, {protocol: UDP}, {}, {port: fifteen-letters}"),
            &[],
            "the other side of each bound",
        ),
    ];
    for (spec, want, why) in rows {
        let found = said(&policy(spec), &options(CLUSTER, NetworkPolicyDialect::Kubernetes));
        assert_eq!(found, *want, "{why}: {spec}");
    }
}

#[test]
fn the_agent_takes_what_never_passes_the_api_server() {
    let rows: &[(&str, &[&str], &str)] = &[
        ("{podSelector: {}, ingress: [{from: [{}]}]}", &[], "an empty peer"),
        (
            "{podSelector: {}, egress: [{ports: [{port: 80, protocol: udp}, {port: \"80\"}]}]}",
            &[],
            "other spellings",
        ),
        (
            "{podSelector: {}, egress: [{ports: [{endPort: 90}, {port: 80, endPort: 79}]}]}",
            &[],
            "ends of no range",
        ),
        (
            "{podSelector: {}, egress: [{ports: [{port: 80, protocol: ICMP}]}]}",
            &["4:64: error[K5]: spec.egress[0].ports[0].protocol: unknown protocol `ICMP`"],
            "but not any protocol",
        ),
        (
            "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: x}}]}]}",
            &["4:60: error[K4]: spec.ingress[0].from[0].ipBlock.cidr: `x` is not a CIDR: the prefix length is missing"],
            "nor any block",
        ),
    ];
    for (spec, want, why) in rows {
        let found = said(&policy(spec), &options(AGENT, NetworkPolicyDialect::Cilium));
        assert_eq!(found, *want, "{why}: {spec}");
    }
}

/// The directions that a policy isolates and the number of its elements in each.
fn shape(spec: &str, dialect: NetworkPolicyDialect) -> String {
    let compiled = compile(&policy(spec), &options(CLUSTER, dialect));
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    let policies = &compiled.bundle.policies;
    let rules = policies.iter().flat_map(|policy| &policy.rules);
    rules
        .map(|rule| {
            let side = |isolates: bool, count: usize| if isolates { count.to_string() } else { "open".to_owned() };
            let ingress = side(rule.default_deny.ingress, rule.ingress.len());
            let egress = side(rule.default_deny.egress, rule.egress.len());
            format!("in {ingress}, out {egress}")
        })
        .collect()
}

#[test]
fn policy_types_decide_in_one_dialect_only() {
    // An element that matches nothing counts as one.
    for (spec, cilium, kubernetes, why) in [
        (
            "{podSelector: {}}",
            "in 1, out open",
            "in 1, out open",
            "nothing said: no ingress",
        ),
        (
            "{podSelector: {}, policyTypes: []}",
            "in 1, out open",
            "in 1, out open",
            "an empty list is none",
        ),
        (
            "{podSelector: {}, ingress: [{}, {}]}",
            "in 2, out open",
            "in 2, out open",
            "rules",
        ),
        (
            "{podSelector: {}, egress: [{}, {}]}",
            "in 1, out 2",
            "in 1, out 2",
            "egress rules isolate both",
        ),
        (
            "{podSelector: {}, egress: []}",
            "in 1, out open",
            "in 1, out open",
            "an empty list is no rule",
        ),
        (
            "{podSelector: {}, policyTypes: [Ingress]}",
            "in 1, out open",
            "in 1, out open",
            "ingress only",
        ),
        (
            "{podSelector: {}, policyTypes: [Egress]}",
            "in open, out 1",
            "in open, out 1",
            "egress only",
        ),
        (
            "{podSelector: {}, policyTypes: [Ingress, Egress]}",
            "in 1, out 1",
            "in 1, out 1",
            "both",
        ),
        (
            "{podSelector: {}, policyTypes: [Egress], ingress: [{}, {}]}",
            "in 2, out 1",
            "in open, out 1",
            "ingress rules that the types omit",
        ),
        (
            "{podSelector: {}, policyTypes: [Ingress], egress: [{}, {}]}",
            "in 1, out 2",
            "in 1, out open",
            "egress rules that the types omit",
        ),
    ] {
        assert_eq!(shape(spec, NetworkPolicyDialect::Cilium), cilium, "cilium: {why}");
        assert_eq!(
            shape(spec, NetworkPolicyDialect::Kubernetes),
            kubernetes,
            "kubernetes: {why}"
        );
    }
}

/// The peers of the only ingress element, with selectors as text.
fn peers(from: &str, dialect: NetworkPolicyDialect) -> Value {
    let spec = format!("{{podSelector: {{}}, ingress: [{{from: {from}}}]}}");
    let compiled = compile(&policy(&spec), &options(CLUSTER, dialect));
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    let bundle: Value = serde_json::from_slice(&compiled.bundle.to_json()).expect("JSON");
    let mut peers = bundle["policies"][0]["rules"][0]["ingress"][0]["peers"].clone();
    for pattern in peers
        .get_mut("oneOf")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(position) = pattern["selector"].as_u64() {
            let position = usize::try_from(position).expect("small");
            *pattern = compiled.bundle.selectors[position].to_string().into();
        }
    }
    peers
}

#[test]
fn peers_are_pods_of_namespaces_or_addresses() {
    let cluster = "k8s:io.cilium.k8s.policy.cluster=default";
    let own = format!("{cluster}, k8s:io.kubernetes.pod.namespace=shop");
    let team = "k8s:io.cilium.k8s.namespace.labels.team";
    for (from, cilium, why) in [
        ("[{podSelector: {}}]", json!([own]), "the pods of the namespace"),
        (
            "[{podSelector: {matchLabels: {app: db}}}]",
            json!([format!("k8s:app=db, {own}")]),
            "some of them",
        ),
        (
            "[{podSelector: {matchLabels: {io.kubernetes.pod.namespace: ops}}}]",
            json!([own]),
            "never those of another one",
        ),
        (
            "[{namespaceSelector: {}}]",
            json!([format!("{cluster}, k8s:io.kubernetes.pod.namespace exists")]),
            "all pods",
        ),
        (
            "[{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: mon}}}]",
            json!([format!("k8s:app=mon, {team}=blue, {cluster}")]),
            "both must hold, keys in order",
        ),
        (
            "[{podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.96.0.0/12]}}]",
            json!([own, {"cidr": {"prefix": "10.0.0.0/8", "except": ["10.96.0.0/12"]}}]),
            "one of two",
        ),
    ] {
        assert_eq!(
            peers(from, NetworkPolicyDialect::Cilium),
            json!({ "oneOf": cilium }),
            "{why}"
        );
    }
    assert_eq!(
        peers("[]", NetworkPolicyDialect::Cilium),
        json!("any"),
        "an empty list is no list"
    );
    assert_eq!(
        peers("[{ipBlock: {cidr: 10.0.0.0/8}}]", NetworkPolicyDialect::Kubernetes),
        json!({"oneOf": [{"address": {"prefix": "10.0.0.0/8"}}]}),
        "pods included"
    );
    let not_red = "[{namespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [red]}]}}]";
    assert_eq!(
        peers(not_red, NetworkPolicyDialect::Cilium),
        json!({"oneOf": [format!("{cluster}, {team} not in (red)")]}),
        "what is in no namespace is not in a red one"
    );
    assert_eq!(
        peers(not_red, NetworkPolicyDialect::Kubernetes),
        json!({"oneOf": [format!("{cluster}, {team} not in (red), k8s:io.kubernetes.pod.namespace exists")]}),
        "a selector of namespaces is about pods"
    );
}

#[test]
fn ports_have_a_protocol() {
    let tcp = |numbers: Value| json!({"port": {"protocol": "TCP", "numbers": numbers}});
    for (port, want, why) in [
        ("{port: 80}", tcp(json!({"range": [80, 80]})), "TCP"),
        ("{}", tcp(json!("all")), "every port of TCP"),
        (
            "{protocol: UDP}",
            json!({"port": {"protocol": "UDP", "numbers": "all"}}),
            "every port of UDP",
        ),
        ("{port: 80, endPort: 90}", tcp(json!({"range": [80, 90]})), "a range"),
        ("{port: http}", tcp(json!({"named": {"name": "http"}})), "a name"),
    ] {
        let spec = format!("{{podSelector: {{}}, egress: [{{ports: [{port}]}}]}}");
        let compiled = compile(&policy(&spec), &CompileOptions::default());
        let bundle: Value = serde_json::from_slice(&compiled.bundle.to_json()).expect("JSON");
        let element = &bundle["policies"][0]["rules"][0]["egress"][0];
        assert_eq!(element["peers"], json!("any"), "{why}");
        assert_eq!(element["ports"], json!([{"ports": [want]}]), "{why}");
    }
}

#[test]
fn a_policy_without_namespace_is_in_the_default_one() {
    let mut input = Input::new();
    let text =
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: web}, spec: {podSelector: {}}}";
    input.add_text("t", text);
    let compiled = compile(&input, &CompileOptions::default());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    assert_eq!(compiled.bundle.policies[0].namespace.as_deref(), Some("default"));
}

#[test]
fn differences_between_the_dialects_are_told() {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop}, status: {podIP: 10.0.0.2}}";
    let block = |cidr: &str| format!("{{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: {cidr}}}}}]}}]}}");
    let types = "{podSelector: {}, policyTypes: [Egress], ingress: [{from: [{podSelector: {}}]}]}".to_owned();
    for (spec, cilium, kubernetes) in [
        (
            types,
            "4:57: warning[dialect]: spec.ingress: these rules count although `policyTypes` does not list `Ingress`; \
             Kubernetes would ignore them",
            "4:57: warning[dialect]: spec.ingress: these rules are ignored because `policyTypes` does not list \
             `Ingress`; Cilium would apply them",
        ),
        (
            block("10.0.0.0/8"),
            "4:43: warning[dialect]: spec.ingress[0].from[0]: does not match the pod shop/db in `10.0.0.0/8`; \
             Kubernetes would",
            "4:43: warning[dialect]: spec.ingress[0].from[0]: also matches the pod shop/db in `10.0.0.0/8`; Cilium \
             would not",
        ),
        (block("11.0.0.0/8"), "", ""),
    ] {
        let mut input = policy(&spec);
        input.add_text("pods", pod);
        for (dialect, want) in [
            (NetworkPolicyDialect::Cilium, cilium),
            (NetworkPolicyDialect::Kubernetes, kubernetes),
        ] {
            let found = said(&input, &options(CLUSTER, dialect)).join("\n");
            assert_eq!(found, want, "{spec}");
        }
    }
}

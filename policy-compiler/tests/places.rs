//! Where rules and labels stand in their files.

use policy_compiler::{CompileOptions, Compiled, Input, Location, compile};
use policy_core::{Engine, Label, RuleRef};

const POLICIES: &str = r#"apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop}
specs:
- endpointSelector: {}
  ingress:
  - {}
- endpointSelector:
    matchLabels: {app: web}
  ingress:
  - fromEndpoints: [{}]
  - fromEndpoints:
    - matchLabels: {app: db}
    toPorts:
    - ports: [{port: "80", protocol: TCP}]
      rules:
        http:
        - method: GET
        - {method: HEAD}
---
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: all}
spec:
  endpointSelector: {}
  egressDeny:
  - toEntities: [world]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: plain}
spec:
  podSelector: {}
  ingress:
  - ports:
    - port: 80
  policyTypes: [Ingress, Egress]
"#;

const PODS: &str = r#"apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels:
    team: red
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  labels:
    app: web
spec:
  serviceAccountName: web
---
apiVersion: cilium.io/v2
kind: CiliumCIDRGroup
metadata:
  name: office
  labels: {net: office}
spec: {externalCIDRs: [203.0.113.0/24]}
"#;

fn compiled() -> Compiled {
    let mut input = Input::new();
    input.add_text("policies.yaml", POLICIES);
    input.add_text("pods.yaml", PODS);
    let compiled = compile(&input, &CompileOptions::default());
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    compiled
}

fn text(location: Option<&Location>) -> String {
    location.map_or_else(
        || "nowhere".into(),
        |at| format!("{}:{}:{}", at.source().name(), at.line(), at.column()),
    )
}

#[test]
fn every_place_of_a_rule_has_its_line() {
    let compiled = compiled();
    let engine = Engine::new(compiled.bundle.clone()).expect("a good bundle");
    let places: Vec<String> = engine
        .places()
        .iter()
        .map(|rule: &RuleRef| format!("{rule} {}", text(compiled.locate(rule).as_ref())))
        .collect();
    assert_eq!(
        places,
        [
            "CiliumClusterwideNetworkPolicy/all spec.egressDeny[0] policies.yaml:27:5",
            "CiliumNetworkPolicy/shop/web specs[1].ingress[0] policies.yaml:11:5",
            "CiliumNetworkPolicy/shop/web specs[1].ingress[1] policies.yaml:12:5",
            "CiliumNetworkPolicy/shop/web specs[1].ingress[1].toPorts[0] policies.yaml:15:7",
            "CiliumNetworkPolicy/shop/web specs[1].ingress[1].toPorts[0].rules.http[0] policies.yaml:18:11",
            "CiliumNetworkPolicy/shop/web specs[1].ingress[1].toPorts[0].rules.http[1] policies.yaml:19:11",
            "NetworkPolicy/default/plain spec.ingress[0] policies.yaml:35:5",
            "NetworkPolicy/default/plain spec.ingress[0].toPorts[0] policies.yaml:35:5",
        ]
    );
}

#[test]
fn rules_of_objects_that_were_never_text_stand_nowhere() {
    let mut input = Input::new();
    let object = serde_json::json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"endpointSelector": {}, "ingress": [{"fromEntities": ["all"]}]},
    });
    input.add_value(&object);
    let compiled = compile(&input, &CompileOptions::default());
    let engine = Engine::new(compiled.bundle.clone()).expect("a good bundle");
    let rule = engine.places().into_iter().next().expect("a rule");
    assert_eq!(compiled.locate(&rule), None);
}

#[test]
fn labels_stand_in_the_objects_that_they_come_from() {
    let compiled = compiled();
    for (label, want) in [
        ("k8s:app=web", "pods.yaml:14:5"),
        ("k8s:io.kubernetes.pod.namespace=shop", "pods.yaml:12:3"),
        ("k8s:io.cilium.k8s.namespace.labels.team=red", "pods.yaml:6:5"),
        (
            "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name=shop",
            "nowhere",
        ),
        ("k8s:io.cilium.k8s.policy.serviceaccount=web", "pods.yaml:16:3"),
        ("k8s:io.cilium.k8s.policy.cluster=default", "nowhere"),
        ("cidrgroup:io.cilium.policy.cidrgroupname/office", "pods.yaml:18:1"),
        ("cidrgroup:net=office", "pods.yaml:22:12"),
    ] {
        let label: Label = label.parse().expect("a label");
        assert_eq!(
            text(compiled.locate_label("shop/web", &label).as_ref()),
            want,
            "{label}"
        );
    }
}

//! Peers that mean something else under an option.

use policy_compiler::{CompileOptions, Input, UnresolvedServices, compile};
use serde_json::{Value, json};

use super::{GROUP, messages, policy};

fn compiled(text: &str, options: &CompileOptions) -> Value {
    let mut input = Input::new();
    input.add_text("p.yaml", text);
    let compiled = compile(&input, options);
    assert!(!compiled.has_errors(), "{:?}", compiled.diagnostics);
    serde_json::from_slice(&compiled.bundle.to_json()).expect("JSON")
}

#[test]
fn nodes_have_labels_if_the_option_says_so() {
    let node = "apiVersion: v1\nkind: Node\nmetadata: {name: n1, labels: {role: gw}}\n\
                status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}\n---\n";
    let text = node.to_owned() + &policy("{endpointSelector: {}, egress: [{toNodes: [{matchLabels: {role: gw}}]}]}");
    let bundle = compiled(
        &text,
        &CompileOptions {
            enable_node_selector_labels: true,
            ..CompileOptions::default()
        },
    );
    assert_eq!(
        bundle["identities"][0]["labels"],
        json!([
            "k8s:io.cilium.k8s.policy.cluster=default",
            "reserved:remote-node",
            "node:role=gw"
        ])
    );
    assert_eq!(
        bundle["selectors"][1],
        json!([
            {"equals": {"key": "any:role", "value": "gw"}},
            {"equals": {"key": "k8s:io.cilium.k8s.policy.cluster", "value": "default"}},
            {"exists": {"key": "reserved:remote-node"}},
        ])
    );
}

#[test]
fn unresolved_services_are_nobody_or_with_ports_anybody() {
    let ports = "toPorts: [{ports: [{port: '443', protocol: TCP}]}]";
    for (unresolved, section, element, want, code) in [
        (UnresolvedServices::Nothing, "egress", ports, "none", "matches-nothing"),
        (
            UnresolvedServices::Nothing,
            "egressDeny",
            ports,
            "none",
            "matches-nothing",
        ),
        (UnresolvedServices::Cilium, "egress", ports, "any", "matches-more"),
        (
            UnresolvedServices::Cilium,
            "egress",
            "toPorts: null",
            "none",
            "matches-more",
        ),
        (UnresolvedServices::Cilium, "egressDeny", ports, "any", "matches-more"),
        (
            UnresolvedServices::Cilium,
            "egressDeny",
            "toPorts: null",
            "none",
            "matches-more",
        ),
    ] {
        let options = CompileOptions {
            unresolved_services: unresolved,
            ..CompileOptions::default()
        };
        let text = policy(&format!(
            "{{endpointSelector: {{}}, {section}: [{{toServices: [{{k8sService: {{serviceName: nope}}}}], {element}}}]}}"
        )) + GROUP;
        let why = format!("{unresolved:?} {section} {element}");
        let rule = &compiled(&text, &options)["policies"][0]["rules"][0];
        assert_eq!(rule[section][0]["peers"], want, "{why}");
        let warning = format!("warning[{code}]: CiliumNetworkPolicy/shop/p: spec.{section}[0].toServices: ");
        assert!(messages(&text, &options).contains(&warning), "{why}");
    }
}

#[test]
fn services_are_not_looked_up_for_a_deny_of_cilium() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: ops}\nspec: {selector: {app: db}, \
                   ports: [{port: 80}]}\n---\n";
    let deny = policy("{endpointSelector: {}, egressDeny: [{toServices: [{k8sService: {serviceName: db}}]}]}");
    for (unresolved, want) in [
        (UnresolvedServices::Nothing, json!({"oneOf": [{"selector": 1}]})),
        (UnresolvedServices::Cilium, json!("none")),
    ] {
        let options = CompileOptions {
            unresolved_services: unresolved,
            ..CompileOptions::default()
        };
        let rule = &compiled(&(service.to_owned() + &deny), &options)["policies"][0]["rules"][0];
        assert_eq!(rule["egressDeny"][0]["peers"], want, "{unresolved:?}");
    }
}

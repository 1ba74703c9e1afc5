//! Objects that do not say which namespace they are in, as `kubectl -n` sends them.

use policy_compiler::{CompileOptions, Compiled, Input, compile};

const OBJECTS: &str = "
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p}, spec: {endpointSelector: {}, ingress: [{fromEntities: [host]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: mon, namespace: ops}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
";

fn compile_in(namespace: Option<&str>) -> Compiled {
    let mut input = Input::new();
    input.add_text("t.yaml", OBJECTS);
    let default_namespace = namespace.map(str::to_owned);
    compile(
        &input,
        &CompileOptions {
            default_namespace,
            ..CompileOptions::default()
        },
    )
}

#[test]
fn the_default_namespace_is_for_objects_without_one() {
    let Compiled {
        bundle, diagnostics, ..
    } = compile_in(Some("shop"));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert_eq!(bundle.policies[0].namespace.as_deref(), Some("shop"));
    let pods: Vec<&str> = bundle.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    assert_eq!(pods, ["ops/mon", "shop/web"], "a namespace that is written stays");
    assert_eq!(bundle.services[0].name, "shop/web");
}

#[test]
fn without_a_default_a_policy_is_for_all_namespaces() {
    let compiled = compile_in(None);
    let [warning] = compiled.diagnostics.as_slice() else {
        panic!("{:?}", compiled.diagnostics);
    };
    assert!(warning.message.contains("every namespace"), "{warning}");
    let help = warning.help.as_deref().unwrap_or_default();
    assert!(help.contains("-n"), "{help}");
    assert_eq!(compiled.bundle.policies[0].namespace, None);
    let pods: Vec<&str> = compiled.bundle.endpoints.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(pods, ["default/web", "ops/mon"]);
}

#[test]
fn messages_name_the_object_in_its_namespace() {
    let mut input = Input::new();
    input.add_text(
        "t.yaml",
        "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p}}",
    );
    let default_namespace = Some("shop".to_owned());
    let compiled = compile(
        &input,
        &CompileOptions {
            default_namespace,
            ..CompileOptions::default()
        },
    );
    assert_eq!(compiled.rejected[0].object.to_string(), "CiliumNetworkPolicy/shop/p");
}

//! The same objects give the same bytes, whatever the order they come in; and a bundle for few subjects holds no more
//! than they need.

use policy_compiler::{Code, CompileOptions, Compiled, Input, compile};
use policy_core::{Direction, Engine, Flow, Peer, Protocol};

const OBJECTS: [&str; 9] = [
    "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: red}}}",
    "{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, status: {podIP: 10.0.0.1}}",
    "{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, status: {podIP: 10.0.0.2}}",
    "{apiVersion: v1, kind: Pod, metadata: {name: mon, namespace: ops, labels: {app: mon}}, status: {podIP: 10.0.0.3}}",
    "{apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop},
      spec: {clusterIP: 10.96.0.2, selector: {app: db}, ports: [{port: 5432}]}}",
    "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: web, namespace: shop},
      spec: {endpointSelector: {matchLabels: {app: web}}, egress: [{toEndpoints: [{matchLabels: {app: db}}]},
      {toFQDNs: [{matchPattern: '*.example.com'}]}]}}",
    "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: db, namespace: shop},
      specs: [{endpointSelector: {matchLabels: {app: db}}, ingress: [{fromEndpoints: [{matchLabels: {app: web}}]}]},
      {endpointSelector: {matchLabels: {app: cache}}, ingress: [{}]}]}",
    "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: mon, namespace: ops},
      spec: {endpointSelector: {}, ingress: [{}]}}",
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}}",
];

fn compile_in_order(order: impl Iterator<Item = usize>, subjects: Option<&[&str]>) -> Compiled {
    let mut input = Input::new();
    order.for_each(|index| input.add_text("t.yaml", OBJECTS[index]));
    for name in ["API.example.com", "other.org."] {
        input
            .names
            .insert(name.into(), vec!["192.0.2.1".parse().expect("address")]);
    }
    input.pod_clusters.insert("ops/mon".into(), "far".into());
    input.apiserver_addresses = vec!["192.0.2.9".parse().expect("address")];
    let subjects = subjects.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    compile(
        &input,
        &CompileOptions {
            subjects,
            ..CompileOptions::default()
        },
    )
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let count = OBJECTS.len();
    let expected = compile_in_order(0..count, None);
    assert!(!expected.has_errors());
    for start in 0..count {
        let forward = compile_in_order((0..count).map(|at| (at + start) % count), None);
        let backward = compile_in_order((0..count).rev().map(|at| (at + start) % count), None);
        assert_eq!(
            forward.bundle.to_json(),
            expected.bundle.to_json(),
            "rotated by {start}"
        );
        assert_eq!(
            backward.bundle.to_json(),
            expected.bundle.to_json(),
            "reversed, rotated by {start}"
        );
    }
}

#[test]
fn a_bundle_is_what_an_engine_takes() {
    let all = compile_in_order(0..OBJECTS.len(), None).bundle;
    assert_eq!(
        all.names.keys().collect::<Vec<_>>(),
        ["api.example.com.", "other.org."],
        "canonical names"
    );
    assert!(Engine::new(all).is_ok());
}

#[test]
fn a_trimmed_bundle_decides_the_same_for_its_subjects() {
    let all = compile_in_order(0..OBJECTS.len(), None).bundle;
    let few = compile_in_order(0..OBJECTS.len(), Some(&["shop/db"])).bundle;
    let names: Vec<&str> = few.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["db"]);
    assert_eq!(few.policies[0].rules.len(), 1, "the rule for another subject is gone");
    assert_eq!(few.selectors.len(), 2, "and what only it used");
    assert!(few.names.is_empty(), "no rule that is left asks for a name");
    assert_eq!(few.endpoints, all.endpoints, "every endpoint can be a peer");

    let web = compile_in_order(0..OBJECTS.len(), Some(&["shop/web"])).bundle;
    assert_eq!(
        web.names.keys().collect::<Vec<_>>(),
        ["api.example.com."],
        "only the names that a rule asks for"
    );

    let (all, few) = (Engine::new(all).expect("engine"), Engine::new(few).expect("engine"));
    for peer in ["shop/web", "ops/mon", "shop/db"] {
        for direction in [Direction::Ingress, Direction::Egress] {
            let verdict = |engine: &Engine| {
                let peer = Peer::Identity(engine.endpoint(peer).expect("endpoint"));
                let subject = engine.endpoint("shop/db").expect("endpoint");
                engine
                    .connection(&Flow {
                        direction,
                        subject,
                        peer,
                        protocol: Protocol::Tcp,
                        port: 5432,
                        authenticated: false,
                    })
                    .verdict()
            };
            assert_eq!(verdict(&all), verdict(&few), "{direction} {peer}");
        }
    }
}

#[test]
fn an_unknown_subject_is_an_error() {
    let compiled = compile_in_order(0..OBJECTS.len(), Some(&["shop/nobody"]));
    assert_eq!(
        compiled
            .diagnostics
            .iter()
            .filter(|d| d.is_error())
            .map(|d| d.code)
            .collect::<Vec<_>>(),
        [Code::UNKNOWN_SUBJECT]
    );
}

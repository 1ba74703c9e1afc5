//! Envoy itself accepts every configuration that the generator can make, without a warning.

mod common;

use std::fs;
use std::path::Path;

use common::envoy;
use common::module::Module;
use envoy_e2e::config::{Direction, ListenerKind, Node, Route, Underscores};
use envoy_e2e::ecds::{self, Encoding};
use envoy_e2e::run::artefact;

#[test]
fn the_committed_template_is_valid() {
    let Some(envoy) = envoy() else { return };
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    // Envoy creates the access log, and needs the files of the subscriptions, where it runs.
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("state")).unwrap();
    for file in ["node.yaml", "state/network.json", "state/http.json"] {
        fs::copy(templates.join(file), dir.path().join(file)).unwrap();
    }
    artefact::validate(&envoy, &dir.path().join("node.yaml"), dir.path()).unwrap();
}

#[test]
fn every_kind_of_node_is_valid() {
    let Some(envoy) = envoy() else { return };
    type Change = fn(&mut Node);
    let rows: &[(&str, Change)] = &[
        ("the example", |_| ()),
        ("bytes encoding", |node| node.encoding = Encoding::Bytes),
        ("the system's resolver", |node| node.dns_resolver = None),
        ("no listener at all", |node| node.listeners.clear()),
        ("TCP alone", |node| {
            node.listeners.retain(|l| matches!(l.kind, ListenerKind::Tcp { .. }))
        }),
        ("no logical port", |node| {
            node.listeners.iter_mut().for_each(|l| l.logical_port = None)
        }),
        ("ingress", |node| {
            node.listeners.retain(|l| l.direction != Direction::Egress);
            node.listeners.iter_mut().for_each(|l| l.direction = Direction::Ingress)
        }),
        ("underscores dropped", |node| node.underscores = Underscores::Drop),
        ("underscores allowed", |node| node.underscores = Underscores::Allow),
        ("several names", |node| {
            let names = ["a.example", "b.example"].map(str::to_owned).to_vec();
            node.listeners[2].kind = ListenerKind::Http {
                route: Route::Names { names, port: 8080 },
            };
        }),
        ("any name, twice", |node| {
            let mut again = node.listeners[3].clone();
            again.name = "again".into();
            again.address.set_port(20083);
            node.listeners.push(again);
        }),
        ("any name, another port", |node| {
            node.listeners[2].kind = ListenerKind::Http {
                route: Route::AnyName { port: 8080 },
            };
        }),
        ("one range", |node| node.cluster_ranges.truncate(1)),
        ("IPv6", |node| {
            node.admin = "[::1]:9901".parse().unwrap();
            node.listeners[0].address = "[::1]:20080".parse().unwrap();
            node.clusters[0].endpoints.push("[::1]:30080".parse().unwrap());
        }),
    ];
    for (what, change) in rows {
        let mut node = Node::example();
        change(&mut node);
        let dir = tempfile::tempdir().unwrap();
        node.plugin_wasm = Module::Silent.write(dir.path());
        node.state_dir = dir.path().join("state");
        ecds::write(&node, b"{}").unwrap();
        let bootstrap = dir.path().join("bootstrap.yaml");
        fs::write(&bootstrap, node.bootstrap().unwrap().to_yaml().unwrap()).unwrap();
        if let Err(said) = artefact::validate(&envoy, &bootstrap, dir.path()) {
            panic!("{what}: {said:#}");
        }
    }
}

#[test]
fn validation_sees_mistakes() {
    // The other tests mean something only because this one fails.
    let Some(envoy) = envoy() else { return };
    let dir = tempfile::tempdir().unwrap();
    let bootstrap = dir.path().join("bootstrap.yaml");
    fs::write(&bootstrap, "static_resources: { listenerz: [] }\n").unwrap();
    assert!(artefact::validate(&envoy, &bootstrap, dir.path()).is_err());
}

//! Envoy itself accepts every configuration that the generator can make, without a warning.

mod common;

use std::fs;
use std::path::Path;

use common::module::Module;
use common::{envoy, envoy_from, envoy_version};
use envoy_e2e::config::{
    Certificate, ClientCertificates, ClientTls, Cluster, Direction, EnvoyVersion, Identity, InvalidNode, Listener,
    ListenerKind, NativeValue, Node, OriginalDst, Problem, ProxyProtocol, Route, ServerTls, Underscores,
};
use envoy_e2e::ecds::{self, Encoding, Layer};
use envoy_e2e::run::artefact;
use envoy_e2e::world::certs::{Authority, Names};
use serde_json::Value;

#[test]
fn the_committed_templates_are_valid() {
    let Some(envoy) = envoy() else { return };
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    // Envoy creates the access log, and needs the files of the subscriptions and certificates, where it runs.
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("state")).unwrap();
    certificates(dir.path());
    for file in [
        "node.yaml",
        "sidecar.yaml",
        "gateway.yaml",
        "state/network.json",
        "state/http.json",
    ] {
        fs::copy(templates.join(file), dir.path().join(file)).unwrap();
    }
    if envoy_from(EnvoyVersion::default(), "is not what the templates are for").is_none() {
        return;
    }
    for bootstrap in ["node.yaml", "sidecar.yaml", "gateway.yaml"] {
        if let Err(said) = artefact::validate(&envoy, &dir.path().join(bootstrap), dir.path()) {
            panic!("{bootstrap}: {said:#}");
        }
    }
}

/// The files that the sidecar and the gateway of the templates have.
fn certificates(dir: &Path) {
    let dir = dir.join("certificates");
    fs::create_dir(&dir).unwrap();
    let authority = Authority::new("mesh").unwrap();
    authority.write(&dir, "mesh-ca").unwrap();
    for name in ["workload", "gateway"] {
        let leaf = authority.issue(&Names::dns(name)).unwrap();
        leaf.write(&dir, name).unwrap();
    }
}

/// A listener of the example with TLS.
fn tls(listener: &mut Listener, clients: impl FnOnce(std::path::PathBuf) -> ClientCertificates, counts: Certificate) {
    let tls = Node::sidecar_example().listeners[0].tls.clone().unwrap();
    let clients = clients("certificates/mesh-ca.pem".into());
    listener.tls = Some(ServerTls { clients, ..tls });
    listener.identity.certificate = counts;
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
        ("a flow log", |node| node.flow_log = Some("flow.log".into())),
        ("a sidecar", |node| *node = Node::sidecar_example()),
        ("a gateway", |node| *node = Node::gateway_example()),
        ("a sidecar that binds any address", |node| {
            *node = Node::sidecar_example();
            let transparent = |l: &mut Listener| l.original_dst = Some(OriginalDst::Transparent);
            node.listeners.iter_mut().for_each(transparent);
        }),
        ("untrusted certificates", |node| {
            tls(
                &mut node.listeners[0],
                ClientCertificates::Unverified,
                Certificate::Witnessed,
            );
        }),
        ("a server that speaks first, behind mutual TLS", |node| {
            tls(
                &mut node.listeners[1],
                ClientCertificates::Required,
                Certificate::Verified,
            );
        }),
        ("optional certificates", |node| {
            tls(
                &mut node.listeners[1],
                ClientCertificates::Optional,
                Certificate::Witnessed,
            );
        }),
        ("what native filters say", |node| {
            let value = |key: &str| {
                Some(NativeValue {
                    key: key.into(),
                    format: Some("%REQUESTED_SERVER_NAME%".into()),
                })
            };
            node.listeners[1].identity = Identity {
                filter_state: value("test.peer"),
                peer_metadata: value("test.metadata"),
                ..Identity::default()
            };
        }),
        ("a proxy in front", |node| {
            node.listeners[0].proxy_protocol = Some(ProxyProtocol {
                tlvs: vec![(0xe4, "peer".into())],
            });
            node.listeners[0].identity.proxy_protocol_tlv = Some("peer".into());
            node.listeners[0].direction = Direction::Ingress;
        }),
        ("endpoints with TLS", |node| {
            node.clusters[0].tls = Some(ClientTls {
                own: None,
                authorities: "certificates/mesh-ca.pem".into(),
                endpoint_uris: vec![],
                server_name: Some("web.example".into()),
            });
        }),
        ("the endpoint that was chosen, for both protocols", |node| {
            node.clusters = vec![Cluster::new(
                "web",
                node.clusters.iter().flat_map(|c| c.endpoints.clone()).collect(),
            )];
            node.listeners[0].kind = ListenerKind::Http {
                route: Route::Upstream("web".into()),
            };
            node.listeners[1].kind = ListenerKind::TcpUpstream { cluster: "web".into() };
        }),
        ("IPv6", |node| {
            node.admin = "[::1]:9901".parse().unwrap();
            node.listeners[0].address = "[::1]:20080".parse().unwrap();
            node.clusters[0].endpoints.push("[::1]:30080".parse().unwrap());
        }),
    ];
    for (what, change) in rows {
        let mut node = Node::example();
        change(&mut node);
        node.envoy = envoy_version();
        leave_out_what_it_lacks(&mut node);
        let dir = tempfile::tempdir().unwrap();
        certificates(dir.path());
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

/// Removes the listeners that are refused for the version alone.
fn leave_out_what_it_lacks(node: &mut Node) {
    let problems = node.bootstrap().err().map(|InvalidNode(problems)| problems);
    for problem in problems.unwrap_or_default() {
        match problem {
            Problem::Version { listener, .. } => node.listeners.retain(|other| other.name != listener),
            other => panic!("{other}"),
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

#[test]
fn what_the_manifests_patch_in_is_valid() {
    let Some(envoy) = envoy() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut node = Node::example();
    node.envoy = envoy_version();
    node.listeners.truncate(1);
    certificates(dir.path());
    tls(
        &mut node.listeners[0],
        |_| ClientCertificates::NotAsked,
        Certificate::Ignored,
    );
    node.plugin_wasm = Module::Silent.write(dir.path());
    node.state_dir = dir.path().join("state");
    ecds::write(&node, b"{}").unwrap();
    let plain: Value = serde_saphyr::from_str(&node.bootstrap().unwrap().to_yaml().unwrap()).unwrap();
    for name in ["istio-guards.yaml", "envoy-gateway.yaml"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(name);
        let objects: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
        let values: Vec<&Value> = objects.iter().flat_map(patches).collect();
        assert!(values.len() > 2, "{name}");
        let mut bootstrap = plain.clone();
        for value in values {
            patch(&mut bootstrap["static_resources"]["listeners"][0], value);
        }
        let file = dir.path().join("patched.json");
        fs::write(&file, bootstrap.to_string()).unwrap();
        if let Err(said) = artefact::validate(&envoy, &file, dir.path()) {
            panic!("{name}: {said:#}");
        }
    }
}

/// The values that an object of Istio or of Envoy Gateway patches in.
fn patches(object: &Value) -> impl Iterator<Item = &Value> {
    let patches = |list: &'static str| object["spec"][list].as_array().into_iter().flatten();
    let istio = patches("configPatches").map(|patch| &patch["patch"]["value"]);
    istio.chain(patches("jsonPatches").map(|patch| &patch["operation"]["value"]))
}

/// Puts a value where its type belongs in a listener: filters in front, settings and metadata to those that are there.
fn patch(listener: &mut Value, value: &Value) {
    if let Some(socket) = value.get("transport_socket") {
        let settings = socket["typed_config"].as_object().unwrap().clone();
        let tls = &mut listener["filter_chains"][0]["transport_socket"]["typed_config"];
        tls.as_object_mut().unwrap().extend(settings);
        return;
    }
    let filters = listener["filter_chains"][0]["filters"].as_array_mut().unwrap();
    let manager = filters.last_mut().unwrap();
    match value["typed_config"]["@type"].as_str() {
        Some(kind) if kind.ends_with("HttpConnectionManager") => {
            let settings = value["typed_config"].as_object().unwrap().clone();
            manager["typed_config"].as_object_mut().unwrap().extend(settings);
        }
        Some(kind) if kind.contains(".filters.http.") => {
            let filters = manager["typed_config"]["http_filters"].as_array_mut().unwrap();
            filters.insert(0, value.clone());
        }
        Some(_) => filters.insert(0, value.clone()),
        // A subscription, as the generator makes it; or metadata, of which there are two forms.
        None if value.get("config_discovery").is_some() => {
            assert_eq!(value["name"], Layer::Network.resource_name());
        }
        None => {
            let nested = &value["metadata"]["filter_metadata"]["portcullis"];
            let metadata = if nested.is_null() { value } else { nested };
            listener["metadata"]["filter_metadata"]["portcullis"] = metadata.clone();
        }
    }
}

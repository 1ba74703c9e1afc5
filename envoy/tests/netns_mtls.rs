//! mTLS between pods on a real network: the certificate and the address have to agree on who calls.
#![cfg(target_os = "linux")]

mod netns;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use envoy_e2e::config::{
    Certificate, ClientCertificates, Cluster as Upstream, Direction, EnvoyVersion, Identity, Listener, ListenerKind,
    OriginalDst, Route, ServerTls,
};
use envoy_e2e::netns::curl::Outcome;
use envoy_e2e::netns::intercept::{self, Catch};
use envoy_e2e::world::certs::{Authority, Leaf, Names};
use netns::Binaries;
use netns::cluster::{Cluster, with_member};
use netns::mesh::{self, ALICE, BOB, LAPTOP, SERVER};
use netns::proxy::{self, Proxy};
use serde_json::Value;

const INBOUND: u16 = 15006;

const SERVER_NAME: &str = "server.mesh.svc.cluster.local";

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Answered,
    Forbidden,
    /// Closed by the plugin, for this reason.
    Closed(&'static str),
    /// Closed by Envoy, which does not accept the certificate.
    NoTls,
}
use Expect::{Answered, Closed, Forbidden, NoTls};

const DENIED: Expect = Closed("default-deny");
const AMBIGUITY: Expect = Closed("ambiguous-certificate");
const CONTRADICTION: Expect = Closed("contradicting-identity");

/// Who calls, with the certificate of that name, to which path; what is expected, and why.
const ROWS: &[(&str, &str, &str, Expect, &str)] = &[
    (
        ALICE,
        "alice",
        "/",
        Answered,
        "address and certificate are those of alice",
    ),
    (ALICE, "alice", "/admin", Forbidden, "the request counts, too"),
    (BOB, "bob", "/", DENIED, "bob is who he says, and is not allowed"),
    (
        BOB,
        "alice",
        "/",
        CONTRADICTION,
        "a stolen certificate contradicts the address",
    ),
    (ALICE, "bob", "/", CONTRADICTION, "and so does a wrong one"),
    (ALICE, "none", "/", NoTls, "the listener asks for a certificate"),
    (
        ALICE,
        "self-signed",
        "/",
        NoTls,
        "the authority did not issue it, whatever it says",
    ),
    (ALICE, "other-authority", "/", NoTls, "nor this one"),
    (ALICE, "two-ids", "/", AMBIGUITY, "whoever has two identities has none"),
    (
        ALICE,
        "two-uris",
        "/",
        Answered,
        "the identity is found behind another URI",
    ),
    (
        LAPTOP,
        "alice",
        "/",
        Answered,
        "where the address says nothing, the certificate does",
    ),
    (LAPTOP, "bob", "/", DENIED, "the same"),
    (
        LAPTOP,
        "foreign",
        "/",
        DENIED,
        "alice of a domain that is not trusted is not alice",
    ),
    (LAPTOP, "no-id", "/", DENIED, "valid, and nobody"),
];

#[test]
fn the_certificate_and_the_address_decide_together() {
    let (Some(binaries), Some(portcullis)) = (
        netns::binaries_from(EnvoyVersion::V1_38, "shows no whole certificates"),
        netns::portcullis(),
    ) else {
        return;
    };
    let cluster = Cluster::start(&mesh::MESH);
    let authority = Authority::new("mesh").unwrap();
    certificates(&authority, cluster.dir.path());
    let configuration = cluster.compile(&portcullis, &[mesh::PODS, POLICY]);
    let configuration = with_member(&configuration, r#""identity":{"trustDomains":["cluster.local"]}"#);
    let configuration = with_member(&configuration, r#""workload":{"endpoint":"mesh/server"}"#);
    let proxy = start(&cluster, &binaries, &authority, &configuration);
    for (number, &(from, certificate, path, expected, why)) in ROWS.iter().enumerate() {
        let before = cluster.requests();
        let outcome = cluster.curl(from, &arguments(cluster.dir.path(), certificate, path));
        let line = connection(&proxy, number);
        let seen = match (&outcome, line["reason"].as_str()) {
            (Outcome::Answer { status: 200, .. }, _) => Some(Answered),
            (Outcome::Answer { status: 403, .. }, _) => Some(Forbidden),
            // With TLS 1.3 the server's word and the end of the connection race for the client.
            (Outcome::Closed | Outcome::NoTls, None) => Some(NoTls),
            (Outcome::Closed, Some(reason)) => [DENIED, CONTRADICTION, AMBIGUITY]
                .into_iter()
                .find(|closed| matches!(closed, Closed(known) if *known == reason)),
            _ => None,
        };
        assert_eq!(
            seen,
            Some(expected),
            "{from} as {certificate} {path}: {why}: {outcome}\n{line:#}"
        );
        assert_eq!(
            cluster.requests() > before,
            expected == Answered,
            "{from} as {certificate} {path}: {why}"
        );
    }
}

/// The line of the access log for the connection with this number.
fn connection(proxy: &Proxy, number: usize) -> Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let lines = proxy.process().access_log().unwrap();
        let mut connections = lines.iter().filter(|line| line["log"] == "connection");
        match connections.nth(number) {
            Some(line) => return line.clone(),
            None => assert!(Instant::now() < deadline, "no such line: {lines:#?}"),
        }
        sleep(Duration::from_millis(10));
    }
}

/// Certificates for curl, as NAME.pem and NAME.key.
fn certificates(authority: &Authority, dir: &Path) {
    const ALICE_ID: &str = "spiffe://cluster.local/ns/mesh/sa/alice";
    const BOB_ID: &str = "spiffe://cluster.local/ns/mesh/sa/bob";
    let uris = |uris: &[&str]| Names {
        uris: uris.iter().map(ToString::to_string).collect(),
        dns: vec![],
    };
    let stranger = Authority::new("stranger").unwrap();
    let issued = [
        ("alice", authority.issue(&Names::uri(ALICE_ID))),
        ("bob", authority.issue(&Names::uri(BOB_ID))),
        ("self-signed", Leaf::self_signed(&Names::uri(ALICE_ID))),
        ("other-authority", stranger.issue(&Names::uri(ALICE_ID))),
        ("two-ids", authority.issue(&uris(&[ALICE_ID, BOB_ID]))),
        ("two-uris", authority.issue(&uris(&["https://alice.example", ALICE_ID]))),
        (
            "foreign",
            authority.issue(&Names::uri("spiffe://other.example/ns/mesh/sa/alice")),
        ),
        ("no-id", authority.issue(&Names::dns("alice.mesh"))),
        ("server", authority.issue(&Names::dns(SERVER_NAME))),
    ];
    for (name, leaf) in issued {
        leaf.unwrap().write(dir, name).unwrap();
    }
    authority.write(dir, "authority").unwrap();
}

fn arguments(dir: &Path, certificate: &str, path: &str) -> String {
    let dir = dir.display();
    let own = match certificate {
        "none" => String::new(),
        name => format!("--cert {dir}/{name}.pem --key {dir}/{name}.key "),
    };
    // What a client speaks, Envoy speaks to the application, and this one knows HTTP/1 alone.
    format!(
        "{own}--http1.1 --cacert {dir}/authority.pem --resolve {SERVER_NAME}:443:10.200.0.20 https://{SERVER_NAME}{path}"
    )
}

/// The server's sidecar, which ends TLS.
fn start(cluster: &Cluster, binaries: &Binaries, authority: &Authority, configuration: &str) -> Proxy {
    let dir = cluster.dir.path().join("sidecar");
    fs::create_dir(&dir).unwrap();
    let server = authority.issue(&Names::dns(SERVER_NAME)).unwrap();
    let tls = ServerTls {
        own: server.write(&dir, "server").unwrap(),
        clients: ClientCertificates::Required(authority.write(&dir, "authority").unwrap()),
    };
    let listener = Listener {
        tls: Some(tls),
        identity: Identity {
            certificate: Certificate::Witnessed,
            ..Identity::default()
        },
        original_dst: Some(OriginalDst::Redirect),
        ..Listener::new(
            "inbound",
            SocketAddr::from(([0, 0, 0, 0], INBOUND)),
            Direction::Ingress,
            ListenerKind::Http {
                route: Route::Cluster(Upstream::ORIGINAL_DST.into()),
            },
        )
    };
    let node = proxy::node(binaries, &dir, vec![listener]);
    let pod = cluster.network.host(SERVER).unwrap();
    let catch = Catch {
        to: None,
        port: None,
        listener: INBOUND,
    };
    intercept::redirect(pod, &[catch], &[]).unwrap();
    let bootstrap = node.bootstrap().unwrap().to_yaml().unwrap();
    let envoy = proxy::in_envoy_group(binaries, &dir);
    Proxy::start(pod, &envoy, &node, &bootstrap, configuration)
}

/// Alice may read, provided that she proved who she is.
const POLICY: &str = r#"
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: server, namespace: mesh}
spec:
  endpointSelector: {matchLabels: {app: server}}
  ingress:
  - fromEndpoints: [{matchLabels: {io.cilium.k8s.policy.serviceaccount: alice}}]
    authentication: {mode: required}
    toPorts: [{ports: [{port: "443", protocol: TCP}], rules: {http: [{method: GET, path: /}]}}]
"#;

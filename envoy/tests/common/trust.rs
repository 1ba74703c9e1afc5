//! Who may be believed: certificates of an authority and of nobody, and policies that ask who the peer is.

use std::net::IpAddr;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use envoy_e2e::config::{Certificate, ClientCertificates, KeyPair, Listener, ServerTls};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::certs::{Authority, Leaf, Names};
use envoy_e2e::world::client::{HttpClient, Request, RequestError};
use envoy_e2e::world::tcp::{self, Probe};
use envoy_e2e::world::tls::TlsClient;
use serde_json::{Value, json};

use super::{TIMEOUT, World};

/// The server names in the certificate of Envoy.
pub(crate) const SERVER: &str = "app.example";
pub(crate) const OTHER_SERVER: &str = "other.example";
/// Its pods may do everything; one of them has the address of [`World::client`].
pub(crate) const TIE: &str = "spiffe://cluster.local/ns/empire/sa/tie";
/// Its pods may do nothing; one of them has the address [`xwing`].
pub(crate) const XWING: &str = "spiffe://cluster.local/ns/alliance/sa/xwing";

/// The authority of the mesh, and what it has issued to Envoy.
pub(crate) struct Mesh {
    authority: Authority,
    authorities: PathBuf,
    server: KeyPair,
}

impl Mesh {
    /// Its files are in the folder of the world.
    pub(crate) fn new(world: &World) -> Self {
        let authority = Authority::new("mesh").unwrap();
        let servers = Names {
            uris: vec![],
            dns: [SERVER, OTHER_SERVER].map(str::to_owned).to_vec(),
        };
        let server = authority.issue(&servers).unwrap();
        Self {
            authorities: authority.write(world.dir.path(), "mesh").unwrap(),
            server: server.write(world.dir.path(), "server").unwrap(),
            authority,
        }
    }

    /// Lets the listener terminate TLS, and says what its clients have to show and whether it counts.
    pub(crate) fn terminate(
        &self,
        listener: &mut Listener,
        clients: impl FnOnce(PathBuf) -> ClientCertificates,
        counts: Certificate,
    ) {
        listener.tls = Some(ServerTls {
            own: self.server.clone(),
            clients: clients(self.authorities.clone()),
        });
        listener.identity.certificate = counts;
    }

    /// A client with a certificate of the mesh for these URIs.
    pub(crate) fn client(&self, uris: &[&str]) -> TlsClient {
        let leaf = self.authority.issue(&names(uris)).unwrap();
        self.showing(Some(&leaf))
    }

    /// A client with a certificate for these URIs that it made itself.
    pub(crate) fn forger(&self, uris: &[&str]) -> TlsClient {
        let leaf = Leaf::self_signed(&names(uris)).unwrap();
        self.showing(Some(&leaf))
    }

    /// A client with a certificate for these URIs of an authority that has the mesh's name, and not its key.
    pub(crate) fn impostor(&self, uris: &[&str]) -> TlsClient {
        let leaf = Authority::new("mesh").unwrap().issue(&names(uris)).unwrap();
        self.showing(Some(&leaf))
    }

    /// A client without any certificate.
    pub(crate) fn anonymous(&self) -> TlsClient {
        self.showing(None)
    }

    fn showing(&self, leaf: Option<&Leaf>) -> TlsClient {
        TlsClient::new(&self.authority.certificate(), leaf).unwrap()
    }
}

fn names(uris: &[&str]) -> Names {
    Names {
        uris: uris.iter().map(|&uri| uri.to_owned()).collect(),
        dns: vec![],
    }
}

/// The pod of the alliance.
pub(crate) fn xwing(world: &World) -> IpAddr {
    world.network.host(22)
}

/// The world's listener of that name.
pub(crate) fn listener<'a>(world: &'a mut World, name: &str) -> &'a mut Listener {
    let mut listeners = world.node.listeners.iter_mut();
    listeners.find(|listener| listener.name == name).unwrap()
}

/// To the services, from pods of the service account `tie` only; `fields` are more fields of the rule's element.
pub(crate) fn only_tie(world: &World, fields: &Value) -> Value {
    let mut element = json!({ "peers": { "oneOf": [{ "selector": 1 }] } });
    for (name, value) in fields.as_object().unwrap() {
        element[name] = value.clone();
    }
    let rule = json!({ "path": "spec", "subject": 0,
        "defaultDeny": { "ingress": true, "egress": false }, "ingress": [element] });
    configuration(world, &rule)
}

/// A configuration of the plugin with this one rule. Selector 0 is the services, 1 the service account `tie`, 2 the
/// client's pod and 3 the application alone.
pub(crate) fn configuration(world: &World, rule: &Value) -> Value {
    let endpoint =
        |name: &str, identity: u32, host: IpAddr| json!({ "name": name, "identity": identity, "addresses": [host] });
    let account = |namespace: &str, account: &str| {
        json!({ "labels": [
            format!("k8s:app={account}"),
            format!("k8s:io.kubernetes.pod.namespace={namespace}"),
            format!("k8s:io.cilium.k8s.policy.serviceaccount={account}"),
        ]})
    };
    let is = |key: &str, value: &str| json!([{ "equals": { "key": key, "value": value } }]);
    json!({ "version": 1, "bundle": {
        "version": 1,
        "selectors": [
            is("any:part", "service"),
            is("k8s:io.cilium.k8s.policy.serviceaccount", "tie"),
            is("any:app", "tie"),
            is("any:app", "app"),
        ],
        "policies": [{ "kind": "CiliumNetworkPolicy", "namespace": "test", "name": "p", "rules": [rule] }],
        "identities": [
            { "labels": ["k8s:part=service", "k8s:app=app"] },
            { "labels": ["k8s:part=service", "k8s:app=echo"] },
            account("empire", "tie"),
            account("alliance", "xwing"),
        ],
        "endpoints": [
            endpoint("test/app", 0, world.network.host(2)),
            endpoint("test/echo", 1, world.network.host(3)),
            endpoint("empire/tie", 2, world.client()),
            endpoint("alliance/xwing", 3, xwing(world)),
        ],
    }})
}

/// What became of an attempt: whether it got through, and the reason in the access log if the plugin denied it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) passed: bool,
    pub(crate) reason: Option<String>,
}

impl Outcome {
    /// It got through.
    pub(crate) fn passed() -> Self {
        Self {
            passed: true,
            reason: None,
        }
    }

    /// The plugin denied it for this reason.
    pub(crate) fn denied(reason: &str) -> Self {
        Self {
            passed: false,
            reason: Some(reason.to_owned()),
        }
    }

    /// It did not even come to the plugin's verdict.
    pub(crate) fn refused() -> Self {
        Self {
            passed: false,
            reason: None,
        }
    }
}

/// `GET /` inside TLS on the listener `app`.
pub(crate) fn https(world: &World, envoy: &EnvoyProcess, client: &TlsClient, source: IpAddr) -> Outcome {
    observe(envoy, "app", || {
        let Ok(stream) = client.connect(source, world.listener("app"), SERVER, TIMEOUT) else {
            return false;
        };
        let request = Request::new("GET", "/", "app").header("Connection", "close");
        got_through(HttpClient::over(stream).send(&request))
    })
}

/// `GET /` on the listener `app`, after these bytes.
pub(crate) fn http_after(world: &World, envoy: &EnvoyProcess, source: IpAddr, header: &[u8]) -> Outcome {
    observe(envoy, "app", || {
        let request = b"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n";
        let bytes = [header, request].concat();
        match tcp::probe(source, world.listener("app"), &bytes, TIMEOUT).unwrap() {
            Probe::Data(answer) => answer.starts_with(b"HTTP/1.1 200"),
            Probe::Closed => false,
            other => panic!("{other:?}"),
        }
    })
}

/// Whether there was an answer of the application.
pub(crate) fn got_through(answer: Result<envoy_e2e::world::client::Response, RequestError>) -> bool {
    match answer {
        Ok(response) if response.status == 200 => true,
        Ok(response) if response.status == 403 => false,
        Err(RequestError::Closed) => false,
        other => panic!("{other:?}"),
    }
}

/// What the access log says of one attempt on the listener, once its connection is over.
pub(crate) fn observe(envoy: &EnvoyProcess, listener: &str, attempt: impl FnOnce() -> bool) -> Outcome {
    let lines = || -> Vec<Value> {
        let mut lines = envoy.access_log().unwrap_or_default();
        lines.retain(|line| line["listener"] == listener);
        lines
    };
    let before = lines().len();
    let passed = attempt();
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let new = lines().split_off(before);
        if new.iter().any(|line| line["log"] == "connection") {
            let denied = new.iter().find(|line| line["verdict"] == "deny");
            let reason = denied.map(|line| line["reason"].as_str().unwrap().to_owned());
            return Outcome { passed, reason };
        }
        assert!(Instant::now() < deadline, "no line about the connection");
        sleep(Duration::from_millis(10));
    }
}

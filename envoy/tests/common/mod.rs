//! What the tests on the real Envoy share: a world of one node, and little plugins whose behaviour is known.

#![expect(dead_code, reason = "every test binary uses another part of it")]

pub(crate) mod h2_wire;
pub(crate) mod kept;
pub(crate) mod module;
pub(crate) mod policy;
pub(crate) mod readings;
pub(crate) mod rows;
pub(crate) mod shared;
pub(crate) mod traffic;
pub(crate) mod translating;
pub(crate) mod trust;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use envoy_e2e::config::{Cluster, Direction, EnvoyVersion, IpRange, Listener, ListenerKind, Node, Route, Underscores};
use envoy_e2e::ecds::{self, Encoding};
use envoy_e2e::run::{EnvoyProcess, Options, artefact};
use envoy_e2e::world::client::{self, HttpClient, Request, RequestError, Response};
use envoy_e2e::world::dns::{DnsServer, Table};
use envoy_e2e::world::http::HttpApp;
use envoy_e2e::world::net::{self, Network};
use envoy_e2e::world::server::Server;
use envoy_e2e::world::tcp::{self, Probe};
use policy::Configuration;
use tempfile::TempDir;

/// For waiting, not for measuring: long enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Envoy, or nothing after a loud message. With `PORTCULLIS_REQUIRE_ENVOY=1` a missing Envoy fails the test.
pub(crate) fn envoy() -> Option<PathBuf> {
    required("PORTCULLIS_REQUIRE_ENVOY", artefact::envoy())
}

/// Envoy, if it is of this version or newer; an older one, which `lacks` something, is met with the same loud message.
pub(crate) fn envoy_from(version: EnvoyVersion, lacks: &str) -> Option<PathBuf> {
    let envoy = envoy()?;
    let found = envoy_version();
    if found < version {
        skip(&format!("Envoy {found} {lacks}"));
        return None;
    }
    Some(envoy)
}

/// Envoy, if names can lead nowhere but outside with it.
pub(crate) fn envoy_that_guards_names() -> Option<PathBuf> {
    envoy_from(EnvoyVersion::V1_39, "has no listeners for names")
}

/// The version of that Envoy; without one, that of the newest.
pub(crate) fn envoy_version() -> EnvoyVersion {
    static VERSION: OnceLock<EnvoyVersion> = OnceLock::new();
    *VERSION.get_or_init(|| {
        let envoy = artefact::envoy();
        envoy.map_or_else(|_| EnvoyVersion::default(), |envoy| artefact::version(&envoy).unwrap())
    })
}

/// The real plugin, in the same manner; `PORTCULLIS_REQUIRE_WASM=1` makes it required.
pub(crate) fn plugin() -> Option<PathBuf> {
    required("PORTCULLIS_REQUIRE_WASM", artefact::plugin())
}

/// The real plugin that panics on demand, in the same manner.
pub(crate) fn faulty_plugin() -> Option<PathBuf> {
    required("PORTCULLIS_REQUIRE_WASM", artefact::faulty_plugin())
}

/// The world with the real plugin and its Envoy; nothing if one of them is missing.
pub(crate) fn start_plugin(configuration: impl FnOnce(&World) -> Configuration) -> Option<(World, EnvoyProcess)> {
    let (envoy, plugin) = (envoy()?, plugin()?);
    let world = World::new(&plugin);
    let running = world.start(&envoy, &configuration(&world).text());
    Some((world, running))
}

fn required(variable: &str, found: anyhow::Result<PathBuf>) -> Option<PathBuf> {
    match found {
        Ok(path) => Some(path),
        Err(error) if std::env::var_os(variable).is_some_and(|value| value == "1") => {
            panic!("{variable}=1, and {error:#}")
        }
        Err(error) => {
            skip(&format!("{error:#}"));
            None
        }
    }
}

fn skip(why: &str) {
    // Not `eprintln`, which the test harness hides when a test passes.
    let message = format!("\n==== SKIPPED, NOTHING WAS TESTED: {why} ====\n\n");
    io::stderr().write_all(message.as_bytes()).unwrap();
}

/// One node with an application, a TCP service and a DNS server behind it, and clients around it.
///
/// Everything is on loopback, so of that only host 4 counts as inside the cluster for names that Envoy resolves.
/// Host 2 is the application (listener port 20080, policy port 80), host 3 a TCP service that speaks first (policy
/// port 7), host 10 the DNS server (policy port 53), host 1 the node itself, hosts 20 and up are clients.
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) dir: TempDir,
    pub(crate) app: HttpApp,
    pub(crate) echo: Server,
    pub(crate) dns: DnsServer,
    pub(crate) node: Node,
}

/// What the TCP service says as soon as it is connected to.
pub(crate) const GREETING: &[u8] = b"ready\n";
/// The name that only Envoy resolves.
pub(crate) const NAME: &str = "app.example";

impl World {
    /// The world, with the plugin at `wasm` on its node. Nothing is published and no Envoy runs yet.
    pub(crate) fn new(wasm: &Path) -> Self {
        let network = Network::new();
        let dir = tempfile::tempdir().unwrap();
        let app = HttpApp::start(network.any(2), "app", vec![]).unwrap();
        let echo = tcp::echo(network.any(3), GREETING).unwrap();
        let table = Table::from([(NAME.to_owned(), vec![network.host(2)])]);
        let dns = DnsServer::start(network.any(10), table).unwrap();
        let node = node(network, wasm, dir.path(), &app, &echo, &dns);
        Self {
            network,
            dir,
            app,
            echo,
            dns,
            node,
        }
    }

    /// The world with these listeners only.
    pub(crate) fn only(mut self, listeners: &[&str]) -> Self {
        self.node
            .listeners
            .retain(|listener| listeners.contains(&listener.name.as_str()));
        self
    }

    /// Publishes `configuration` and starts Envoy.
    pub(crate) fn start(&self, envoy: &Path, configuration: &str) -> EnvoyProcess {
        ecds::write(&self.node, configuration.as_bytes()).unwrap();
        self.start_published(envoy)
    }

    /// Starts Envoy with whatever is published.
    pub(crate) fn start_published(&self, envoy: &Path) -> EnvoyProcess {
        EnvoyProcess::start(envoy, self.node.clone(), self.dir.path(), &Options::default()).unwrap()
    }

    /// Publishes `configuration` and starts Envoy without the lines of its bootstrap that are exactly `line`.
    pub(crate) fn start_without(&self, line: &str, envoy: &Path, configuration: &str) -> EnvoyProcess {
        ecds::write(&self.node, configuration.as_bytes()).unwrap();
        let bootstrap = self.node.bootstrap().unwrap().to_yaml().unwrap();
        let kept: Vec<_> = bootstrap.lines().filter(|other| other.trim() != line).collect();
        let edited = kept.join("\n") + "\n";
        assert_ne!(edited, bootstrap, "no such line: {line}");
        EnvoyProcess::start_with(envoy, self.node.clone(), &edited, self.dir.path(), &Options::default()).unwrap()
    }

    /// The address of a client.
    pub(crate) fn client(&self) -> IpAddr {
        self.network.host(20)
    }

    /// The address of a client that no policy knows.
    pub(crate) fn stranger(&self) -> IpAddr {
        self.network.host(21)
    }

    /// Where a listener listens.
    pub(crate) fn listener(&self, name: &str) -> SocketAddr {
        let found = self.node.listeners.iter().find(|listener| listener.name == name);
        found.unwrap_or_else(|| panic!("no listener {name}")).address
    }

    /// `GET path` on a listener, on a connection of its own.
    pub(crate) fn get(&self, listener: &str, host: &str, path: &str) -> Result<Response, RequestError> {
        let request = Request::new("GET", path, host);
        client::request(self.client(), self.listener(listener), &request, TIMEOUT)
    }

    /// A connection of the client to the application's listener, to be kept for several requests.
    pub(crate) fn http_client(&self) -> HttpClient {
        HttpClient::connect(self.client(), self.listener("app"), TIMEOUT).unwrap()
    }

    /// Whether a new connection of the client gets through to the TCP service, or is closed.
    pub(crate) fn tcp_passes(&self) -> bool {
        match self.probe("echo", b"") {
            Probe::Data(data) => data == GREETING,
            Probe::Closed => false,
            other => panic!("{other:?}"),
        }
    }

    /// Whether a new connection of the client with a `GET` gets through to the application, or is denied.
    pub(crate) fn http_passes(&self, path: &str) -> bool {
        match self.get("app", "app", path) {
            Ok(response) if response.status == 200 => true,
            Ok(response) if response.status == 403 => false,
            Err(RequestError::Closed) => false,
            other => panic!("{other:?}"),
        }
    }

    /// All that a listener answers to these bytes until it closes.
    pub(crate) fn raw(&self, listener: &str, bytes: &[u8]) -> String {
        self.raw_from(self.client(), listener, bytes)
    }

    /// The same for another client. Whoever is denied may see a reset.
    pub(crate) fn raw_from(&self, source: IpAddr, listener: &str, bytes: &[u8]) -> String {
        let mut connection = net::connect(source, self.listener(listener), TIMEOUT).unwrap();
        let mut answer = Vec::new();
        let sent = connection.write_all(bytes);
        match sent.and_then(|()| connection.read_to_end(&mut answer)) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                panic!("neither answered nor closed: {error}");
            }
            _ => {}
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What happens to a client of a TCP listener that sends `bytes` first.
    pub(crate) fn probe(&self, listener: &str, bytes: &[u8]) -> Probe {
        tcp::probe(self.client(), self.listener(listener), bytes, TIMEOUT).unwrap()
    }
}

/// No name may lead there.
fn inside(network: Network) -> [IpRange; 1] {
    [IpRange {
        address: network.host(4),
        length: 32,
    }]
}

fn node(network: Network, wasm: &Path, dir: &Path, app: &HttpApp, echo: &Server, dns: &DnsServer) -> Node {
    let listener = |name: &str, host, logical_port, kind| Listener {
        logical_port: Some(logical_port),
        ..Listener::new(name, network.free(host).unwrap(), Direction::Both, kind)
    };
    let cluster = |name: &str, address| Cluster::new(name, vec![address]);
    let http = |route| ListenerKind::Http { route };
    let tcp = |cluster: &str| ListenerKind::Tcp {
        cluster: cluster.into(),
    };
    let port = app.address().port();
    let egress = |name: &str, names| Listener {
        direction: Direction::Egress,
        ..listener(name, 1, 80, http(Route::Names { names, port }))
    };
    let mut listeners = vec![
        listener("app", 2, 80, http(Route::Cluster("app".into()))),
        listener("echo", 3, 7, tcp("echo")),
        listener("dns", 10, 53, tcp("dns")),
    ];
    // Older versions refuse them.
    if envoy_version().guards_names() {
        listeners.push(egress("names", vec![NAME.into()]));
        listeners.push(Listener {
            kind: http(Route::AnyName { port }),
            ..egress("any-name", vec![])
        });
    }
    Node {
        id: "test".into(),
        envoy: envoy_version(),
        admin: network.free(1).unwrap(),
        plugin_wasm: fs::canonicalize(wasm).unwrap(),
        encoding: Encoding::default(),
        state_dir: dir.join("state"),
        access_log: dir.join("access.log"),
        flow_log: None,
        dns_resolver: Some(dns.address()),
        cluster_ranges: inside(network).to_vec(),
        stand_in_ports: true,
        max_connection: Node::MAX_CONNECTION,
        underscores: Underscores::Reject,
        listeners,
        clusters: vec![
            cluster("app", app.address()),
            cluster("echo", echo.address()),
            cluster("dns", dns.address()),
        ],
    }
}

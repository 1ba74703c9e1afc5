//! An application, a TCP service, and Envoys in front of them that differ in nothing but in what decides.

use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use envoy_e2e::config::{Cluster, Direction, EnvoyVersion, Listener, ListenerKind, Node, Route, Underscores};
use envoy_e2e::ecds::{self, Encoding};
use envoy_e2e::run::{EnvoyProcess, Options, artefact};
use envoy_e2e::world::client::{self, Request};
use envoy_e2e::world::net::Network;
use envoy_e2e::world::server::Server;
use envoy_e2e::world::tcp;
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use policy_core::Protocol;
use policy_core::bundle::{Bundle, PortNumbers, PortPattern};
use serde_json::Value;

use super::filter::{Around, Filter, Policies};
use crate::plugin::configuration;
use crate::world::{PORT, Path as Asked, Shape, request_path};

/// Who asks: whatever source address the system gives to connections on loopback.
pub(super) const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The port of the TCP service, as policies know it.
const TCP_PORT: u16 = 9090;
/// One answer of the application or Envoy.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Several Envoys start beside whatever else the machine does.
const START: Duration = Duration::from_secs(180);

/// What all Envoys share.
pub(crate) struct Stage {
    network: Network,
    dir: tempfile::TempDir,
    app: Server,
    echo: Server,
    no_op: PathBuf,
    authorizer: Authorizer,
}

/// A running Envoy, and what to ask it.
pub(crate) struct Running {
    /// The process.
    pub(crate) envoy: EnvoyProcess,
    /// Where it takes requests.
    pub(crate) http: SocketAddr,
    /// Where it takes connections.
    pub(crate) tcp: SocketAddr,
    /// A path that its policies allow.
    pub(crate) path: String,
}

impl Stage {
    /// Starts the servers. Nothing is in front of them yet.
    pub(crate) fn new() -> Result<Self> {
        let network = Network::new();
        let dir = tempfile::tempdir()?;
        let no_op = dir.path().join("no-op.wasm");
        fs::write(&no_op, wat::parse_str(NO_OP)?)?;
        Ok(Self {
            app: Server::start(network.any(2), say_200)?,
            echo: tcp::echo(network.any(3), b"")?,
            authorizer: Authorizer::start()?,
            network,
            dir,
            no_op,
        })
    }

    /// Starts an Envoy that decides in this way.
    pub(super) fn start(&self, envoy: &Path, filter: Filter) -> Result<Running> {
        let shape = match filter {
            Filter::Plugin(Policies { number, carries, .. }) => Shape::workload(number, carries),
            Filter::Rbac(number) => Shape::workload(number, crate::world::Carries::Prefixes),
            Filter::Nothing | Filter::NoOp { .. } | Filter::Authorizer => {
                Shape::workload(1, crate::world::Carries::Prefixes)
            }
        };
        self.start_with(envoy, &self.placed(shape), shape, |bootstrap| {
            let around = Around {
                no_op: &self.no_op,
                authorizer: self.authorizer.port,
            };
            filter.put_into(bootstrap, &around)
        })
    }

    /// Starts an Envoy with the plugin and its guards, without access logs, and publishes a policy.
    pub(crate) fn start_guarded(&self, envoy: &Path, bundle: &Bundle, shape: Shape) -> Result<Running> {
        let around = Around {
            no_op: &self.no_op,
            authorizer: 0,
        };
        let filter = Filter::Plugin(Policies {
            number: shape.policies,
            carries: shape.carries,
            guard: true,
        });
        self.start_with(envoy, bundle, shape, |bootstrap| filter.put_into(bootstrap, &around))
    }

    /// The world, in which the asked subject is the application, and the client its peer.
    pub(crate) fn placed(&self, shape: Shape) -> Bundle {
        let mut bundle = shape.bundle();
        let asked = shape.asked();
        let places = [
            (shape.subject(asked), vec![self.network.host(2), self.network.host(3)]),
            (shape.peer(asked), vec![CLIENT]),
        ];
        for (identity, addresses) in places {
            if let Some(endpoint) = bundle.endpoints.get_mut(identity as usize) {
                endpoint.addresses.extend(addresses);
            }
        }
        // On a port of its own: where rules look at requests, TCP alone is refused.
        let mut own = bundle.policies.get(asked as usize).cloned();
        if let Some(policy) = &mut own {
            policy.name.push_str("-tcp");
            let elements = policy.rules.iter_mut().flat_map(|rule| &mut rule.ingress);
            for item in elements.filter_map(|element| element.ports.as_mut()).flatten() {
                item.rules = None;
                item.ports = vec![PortPattern::Port {
                    protocol: Protocol::Tcp,
                    numbers: PortNumbers::Range(TCP_PORT, TCP_PORT),
                }];
            }
        }
        bundle.policies.extend(own);
        bundle
    }

    fn start_with(
        &self,
        envoy: &Path,
        bundle: &Bundle,
        shape: Shape,
        edit: impl FnOnce(&mut Value) -> Result<()>,
    ) -> Result<Running> {
        let dir = tempfile::tempdir_in(self.dir.path())?.keep();
        let node = self.node(&dir)?;
        ecds::write(&node, &configuration(bundle)?)?;
        let mut bootstrap: Value = serde_saphyr::from_str(&node.bootstrap()?.to_yaml()?)?;
        edit(&mut bootstrap)?;
        let options = Options {
            concurrency: 1,
            log_level: "warning".to_owned(),
            start_timeout: START,
        };
        let [http, tcp] = [0, 1].map(|at| node.listeners.get(at).map(|listener| listener.address));
        let (http, tcp) = http.zip(tcp).context("two listeners")?;
        Ok(Running {
            envoy: EnvoyProcess::start_with(envoy, node, &bootstrap.to_string(), &dir, &options)?,
            http,
            tcp,
            path: request_path(shape.asked(), Asked::Prefix),
        })
    }

    fn node(&self, dir: &Path) -> Result<Node> {
        let listener = |name: &str, host, port, kind| {
            Ok::<_, io::Error>(Listener {
                logical_port: Some(port),
                ..Listener::new(name, self.network.free(host)?, Direction::Ingress, kind)
            })
        };
        let route = Route::Cluster("app".into());
        let cluster = "echo".into();
        Ok(Node {
            flow_log: None,
            id: "bench".into(),
            envoy: EnvoyVersion::default(),
            admin: self.network.free(1)?,
            plugin_wasm: artefact::plugin()?,
            encoding: Encoding::default(),
            state_dir: dir.join("state"),
            access_log: "/dev/null".into(),
            dns_resolver: None,
            cluster_ranges: vec![],
            stand_in_ports: false,
            max_connection: Node::MAX_CONNECTION,
            underscores: Underscores::Reject,
            listeners: vec![
                listener("app", 2, PORT, ListenerKind::Http { route })?,
                listener("echo", 3, TCP_PORT, ListenerKind::Tcp { cluster })?,
            ],
            clusters: vec![
                Cluster::new("app", vec![self.app.address()]),
                Cluster::new("echo", vec![self.echo.address()]),
            ],
        })
    }
}

impl Running {
    /// The request that is measured is answered by the application, and no other one where policies decide.
    pub(super) fn check(&self) -> Result<()> {
        let request = Request::new("GET", &self.path, "web");
        let response = client::request(CLIENT, self.http, &request, TIMEOUT)?;
        ensure!(response.status == 200, "GET {} answers {}", self.path, response.status);
        let mut connection = TcpStream::connect(self.tcp)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        connection.write_all(b"x")?;
        connection
            .read_exact(&mut [0])
            .context("the TCP service does not answer")
    }

    /// CPU time of all threads so far: the clock behind `utime` and `stime`, without being rounded to ticks.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        let pid = Pid::from_raw(self.envoy.id().try_into()?);
        Ok(clock_getcpuclockid(pid)?.now()?.into())
    }
}

/// The service of `ext_authz`, in a process of its own.
struct Authorizer {
    child: Child,
    port: u16,
}

impl Authorizer {
    fn start() -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .arg("authorizer")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("standard output is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let port = line.trim().parse().context("the authorizer says no port")?;
        Ok(Self { child, port })
    }
}

impl Drop for Authorizer {
    fn drop(&mut self) {
        // Either fails only when the process has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The application.
fn say_200(mut connection: TcpStream) -> io::Result<()> {
    let (mut chunk, mut tail) = ([0; 4096], Vec::new());
    loop {
        let read = connection.read(&mut chunk)?;
        let Some(read) = chunk.get(..read).filter(|read| !read.is_empty()) else {
            return Ok(());
        };
        tail.extend_from_slice(read);
        // Envoy sends a request in one piece, and the next one after the answer.
        if tail.ends_with(b"\r\n\r\n") {
            tail.clear();
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
        }
    }
}

/// A plugin that is called wherever the real one is, and returns at once.
const NO_OP: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "_initialize"))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 4096))
    (func (export "proxy_on_context_create") (param i32 i32))
    (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
    (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
    (func (export "proxy_on_new_connection") (param i32) (result i32) (i32.const 0))
    (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32) (i32.const 0))
    (func (export "proxy_on_upstream_data") (param i32 i32 i32) (result i32) (i32.const 0))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
    (func (export "proxy_on_log") (param i32))
    (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
    (func (export "proxy_on_delete") (param i32)))"#;

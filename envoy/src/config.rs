//! What a node proxy looks like, and the Envoy bootstrap made from it.
//!
//! The types here are the description; the submodules hold one part of Envoy's configuration each. Whatever the
//! description says, every generated filter chain starts with the plugin and a native guard that lets nothing pass
//! unless the plugin wrote `allow`. There is no way to describe a listener without them.

mod access_log;
mod any;
mod arrival;
mod bootstrap;
mod check;
mod cluster;
mod dns;
mod example;
mod flow_log;
mod guard;
mod http;
mod identity;
mod listener;
pub(crate) mod plugin;
mod range;
mod rbac;
mod routes;
mod stats;
mod tcp;
mod tls;
mod version;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use arrival::{OriginalDst, ProxyProtocol};
pub use bootstrap::Bootstrap;
pub use check::{InvalidNode, Problem, TrustProblem};
pub use identity::{Certificate, Identity, NativeValue};
pub use plugin::{CAPABILITIES, Capability};
pub use range::IpRange;
pub use tls::{ClientCertificates, ClientTls, KeyPair, ServerTls};
pub use version::{EnvoyVersion, UnknownVersion};

use crate::ecds::Encoding;

/// An Envoy that stands in front of the workloads of a node.
#[derive(Clone, Debug)]
pub struct Node {
    /// The node's name, `node.id` in Envoy.
    pub id: String,
    /// The Envoy that the configuration is for.
    pub envoy: EnvoyVersion,
    /// Where Envoy's admin interface listens. A loopback address: the interface has no access control of its own.
    pub admin: SocketAddr,
    /// The plugin, as Envoy shall find it. A relative path starts at Envoy's working directory.
    pub plugin_wasm: PathBuf,
    /// The protobuf wrapper that carries the plugin's configuration.
    pub encoding: Encoding,
    /// The folder that [`ecds`](crate::ecds) writes and Envoy watches. It must exist, written, when Envoy starts.
    pub state_dir: PathBuf,
    /// The file that gets one JSON line for each connection and each request.
    pub access_log: PathBuf,
    /// The file that gets one line in Hubble's form for each verdict, if the plugin's configuration says `flowLog`;
    /// `None` means that there is none, whatever the plugin writes.
    pub flow_log: Option<PathBuf>,
    /// The DNS server for names that Envoy itself resolves; `None` means the resolvers of the system.
    pub dns_resolver: Option<SocketAddr>,
    /// Where no name may lead that Envoy itself resolves: this machine, and the pods, services and nodes of the
    /// cluster. Whoever owns a name owns its addresses, and behind these is an ingress policy that nobody would ask,
    /// or a metadata service. [`IpRange::LOCAL`] is the least to start with; the ranges of the cluster are for the
    /// operator to add, since private addresses may just as well be outside.
    pub cluster_ranges: Vec<IpRange>,
    /// Whether names lead to stand-ins that have other ports than those that policies speak of. Only for tests and
    /// demonstrations: elsewhere the port that is judged must be the port that is contacted.
    pub stand_in_ports: bool,
    /// After this time a connection has to be made anew, see [`Node::MAX_CONNECTION`]. Whole seconds, not zero.
    pub max_connection: Duration,
    /// What happens to requests with `_` in a header name.
    pub underscores: Underscores,
    /// Where traffic comes in.
    pub listeners: Vec<Listener>,
    /// Where traffic goes to, by address.
    pub clusters: Vec<Cluster>,
}

/// One address on which the node proxy accepts connections.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Unique; names the listener in statistics and access logs.
    pub name: String,
    /// The address to bind.
    pub address: SocketAddr,
    /// Whose policy decides. On a [`Route`] by name there is only [`Direction::Egress`]: a name is no endpoint.
    pub direction: Direction,
    /// The destination port that policies speak of. `None` means the port that traffic goes to: on a [`Route`] by name
    /// its upstream port, else the bound one. By name only that port is valid, except with [`Node::stand_in_ports`].
    pub logical_port: Option<u16>,
    /// What the listener speaks and where it forwards to.
    pub kind: ListenerKind,
    /// Whether TLS ends here. Without it, TLS passes through as any other bytes do.
    pub tls: Option<ServerTls>,
    /// What besides addresses tells who the peer is.
    pub identity: Identity,
    /// Whether a proxy in front says whose connections they are.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Whether to wait for the client's first bytes to find the server name in them, where TLS passes through. A
    /// protocol in which the server speaks first would come to nothing.
    pub tls_inspector: bool,
    /// Whether connections to other addresses come here.
    pub original_dst: Option<OriginalDst>,
}

/// The policies that a listener asks, seen from the workload that has the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The ingress policy of the destination.
    Ingress,
    /// The egress policy of the source.
    Egress,
    /// Both, as a node proxy does that stands in front of both sides.
    Both,
}

/// The protocol of a listener, and its upstream.
#[derive(Clone, Debug)]
pub enum ListenerKind {
    /// HTTP/1.1 and HTTP/2: connections and requests are decided.
    Http {
        /// Where allowed requests go.
        route: Route,
    },
    /// Any other protocol: connections are decided, and what the plugin can parse inside them.
    Tcp {
        /// The name of a [`Cluster`], or [`Cluster::ORIGINAL_DST`].
        cluster: String,
    },
    /// As [`Tcp`](Self::Tcp), and the destination is the endpoint of the cluster that load balancing chose. It is
    /// connected to before the verdict, but neither side gets a byte.
    TcpUpstream {
        /// The name of a [`Cluster`].
        cluster: String,
    },
}

/// Who chooses the upstream of a request, and thereby what the *destination* of the request is.
#[derive(Clone, Debug)]
pub enum Route {
    /// The client chose an address, and this cluster, or [`Cluster::ORIGINAL_DST`], is behind it. Destination: the
    /// address; names prove nothing.
    Cluster(String),
    /// The client chose an address that stands for all endpoints of this cluster. Destination: the endpoint that load
    /// balancing chose, which is judged before it gets a byte.
    Upstream(String),
    /// The client names one of these hosts in `:authority`, and Envoy resolves it. Destination: the name.
    /// Any other authority gets 404, so that the name the policy saw is the name that is contacted.
    Names {
        /// Lower-case host names without port.
        names: Vec<String>,
        /// The upstream port; an authority with another port gets 404.
        port: u16,
    },
    /// The client names any host in `:authority`, and Envoy resolves it. Destination: the name.
    /// Addresses instead of names get 404: an address is not a name that a DNS server vouches for.
    AnyName {
        /// The upstream port. An authority with another port gets 404; for 80 the authority may have none.
        port: u16,
    },
}

/// A set of upstream addresses that requests are balanced over.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Unique; letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// At least one.
    pub endpoints: Vec<SocketAddr>,
    /// Whether they speak TLS.
    pub tls: Option<ClientTls>,
}

/// What happens to a request with `_` in a header name. Many servers read `x_user` and `x-user` as one header, a
/// policy (like Envoy) as two: a client could show the policy one value and the application another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Underscores {
    /// 400, the default: nobody is left guessing.
    #[default]
    Reject,
    /// The header is removed, for applications whose clients send such headers in vain.
    Drop,
    /// The header passes, for applications known to keep `_` and `-` apart.
    Allow,
}

impl Node {
    /// What to choose for [`max_connection`](Node::max_connection): one hour.
    ///
    /// A connection keeps the policy under which it was made in memory (verdicts are renewed nevertheless), so
    /// this bounds how many old policies a node holds. Clients of databases and queues reconnect as often; where that
    /// hurts more than memory does, choose a longer time.
    pub const MAX_CONNECTION: Duration = Duration::from_secs(3600);

    /// The bootstrap of this node, if the description holds together; otherwise everything that is wrong with it.
    pub fn bootstrap(&self) -> Result<Bootstrap, InvalidNode> {
        check::check(self)?;
        Ok(Bootstrap::new(self))
    }

    /// Whether some listener speaks HTTP, so that Envoy subscribes to the HTTP plugin.
    #[must_use]
    pub fn speaks_http(&self) -> bool {
        self.listeners
            .iter()
            .any(|listener| matches!(listener.kind, ListenerKind::Http { .. }))
    }

    /// Whether the HTTP plugin also runs behind load balancing, as a filter with a subscription of its own.
    #[must_use]
    pub fn judges_endpoints(&self) -> bool {
        let judges = |kind: &ListenerKind| match kind {
            ListenerKind::Http { route } => matches!(route, Route::Upstream(_)),
            ListenerKind::Tcp { .. } | ListenerKind::TcpUpstream { .. } => false,
        };
        self.listeners.iter().any(|listener| judges(&listener.kind))
    }
}

impl Listener {
    /// A listener without TLS, that clients connect to themselves and whose addresses say who they are.
    #[must_use]
    pub fn new(name: &str, address: SocketAddr, direction: Direction, kind: ListenerKind) -> Self {
        Self {
            name: name.to_owned(),
            address,
            direction,
            logical_port: None,
            kind,
            tls: None,
            identity: Identity::default(),
            proxy_protocol: None,
            tls_inspector: false,
            original_dst: None,
        }
    }

    /// The upstream port, where clients name the host.
    fn named_port(&self) -> Option<u16> {
        match self.kind {
            ListenerKind::Http {
                route: Route::Names { port, .. } | Route::AnyName { port },
            } => Some(port),
            ListenerKind::Http {
                route: Route::Cluster(_) | Route::Upstream(_),
            }
            | ListenerKind::Tcp { .. }
            | ListenerKind::TcpUpstream { .. } => None,
        }
    }
}

impl Cluster {
    /// The name of the cluster that needs no description: the address that the client meant, on a listener with
    /// [`original_dst`](Listener::original_dst).
    pub const ORIGINAL_DST: &str = "original-dst";

    /// A cluster of plain endpoints.
    #[must_use]
    pub fn new(name: &str, endpoints: Vec<SocketAddr>) -> Self {
        Self {
            name: name.to_owned(),
            endpoints,
            tls: None,
        }
    }
}

impl Route {
    /// The destination is an address.
    const ADDRESS: &'static str = "address";
    /// The destination is the name in `:authority`.
    const AUTHORITY: &'static str = "authority";
    /// The destination is the endpoint that was chosen.
    const UPSTREAM: &'static str = "upstream";

    /// What the destination is, in the words of the plugin's configuration.
    fn destination(&self) -> &'static str {
        match self {
            Self::Cluster(_) => Self::ADDRESS,
            Self::Upstream(_) => Self::UPSTREAM,
            Self::Names { .. } | Self::AnyName { .. } => Self::AUTHORITY,
        }
    }
}

//! What a node proxy looks like, and the Envoy bootstrap made from it.
//!
//! The types here are the description; the submodules hold one part of Envoy's configuration each. Whatever the
//! description says, every generated filter chain starts with the plugin and a native guard that lets nothing pass
//! unless the plugin wrote `allow`. There is no way to describe a listener without them.

mod access_log;
mod any;
mod bootstrap;
mod check;
mod cluster;
mod dns;
mod example;
mod guard;
mod http;
mod listener;
pub(crate) mod plugin;
mod range;
mod rbac;
mod routes;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use bootstrap::Bootstrap;
pub use check::{InvalidNode, Problem};
pub use plugin::{CAPABILITIES, Capability};
pub use range::IpRange;

use crate::ecds::Encoding;

/// An Envoy that stands in front of the workloads of a node.
#[derive(Clone, Debug)]
pub struct Node {
    /// The node's name, `node.id` in Envoy.
    pub id: String,
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
    /// HTTP/1.1 and HTTP/2 without TLS: connections and requests are decided.
    Http {
        /// Where allowed requests go.
        route: Route,
    },
    /// Any other protocol: connections are decided, and what the plugin can parse inside them.
    Tcp {
        /// The name of a [`Cluster`].
        cluster: String,
    },
}

/// Who chooses the upstream of a request, and thereby what the *destination* of the request is.
#[derive(Clone, Debug)]
pub enum Route {
    /// The client chose an address, and this cluster is behind it. Destination: the address; names prove nothing.
    Cluster(String),
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
}

impl Listener {
    /// The upstream port, where clients name the host.
    fn named_port(&self) -> Option<u16> {
        match self.kind {
            ListenerKind::Http {
                route: Route::Names { port, .. } | Route::AnyName { port },
            } => Some(port),
            ListenerKind::Http {
                route: Route::Cluster(_),
            }
            | ListenerKind::Tcp { .. } => None,
        }
    }
}

impl Route {
    /// The destination is an address.
    const ADDRESS: &'static str = "address";
    /// The destination is the name in `:authority`.
    const AUTHORITY: &'static str = "authority";

    /// What the destination is, in the words of the plugin's configuration.
    fn destination(&self) -> &'static str {
        match self {
            Self::Cluster(_) => Self::ADDRESS,
            Self::Names { .. } | Self::AnyName { .. } => Self::AUTHORITY,
        }
    }
}

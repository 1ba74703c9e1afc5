//! The facts of a downstream connection, as a listener sees them.

use std::net::SocketAddr;

use crate::filter_state::FilterState;
use crate::metadata::{Metadata, MetadataValue};
use crate::tls::{Certificate, Tls};

/// A downstream connection and the listener that accepted it. Built with methods that each add one
/// fact; what is not said is as in a plain TCP listener without any metadata.
#[derive(Debug, Clone)]
pub struct Connection {
    pub(crate) id: u64,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) direction: ListenerDirection,
    pub(crate) listener_metadata: Metadata,
    pub(crate) filter_chain_name: String,
    pub(crate) dynamic_metadata: Metadata,
    pub(crate) metadata_of_data: Metadata,
    pub(crate) filter_state: FilterState,
    pub(crate) tls: Option<Tls>,
    pub(crate) server_name: String,
    pub(crate) tls_inspector: bool,
    pub(crate) use_remote_address: bool,
    pub(crate) connect_mode: ConnectMode,
    pub(crate) buffer_limit: usize,
    pub(crate) cluster_name: String,
    pub(crate) upstream: Option<SocketAddr>,
}

/// The listener's `traffic_direction`, as `xds.listener_direction` reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(i64)]
pub enum ListenerDirection {
    /// Not configured.
    #[default]
    Unspecified = 0,
    /// Traffic to the workload.
    Inbound = 1,
    /// Traffic from the workload.
    Outbound = 2,
}

/// When the TCP proxy behind the network filter connects upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ConnectMode {
    /// At once. A filter that pauses a new connection is then never called with data: the
    /// connection is stuck until the plugin resumes it.
    #[default]
    Immediate,
    /// When the first data passes the filter; until then no upstream is chosen.
    OnDownstreamData,
    /// After the TLS handshake. A filter that pauses a new connection then kills it.
    OnTlsHandshake,
}

impl Connection {
    /// A plain TCP connection with number 1.
    #[must_use]
    pub fn new(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            id: 1,
            source,
            destination,
            direction: ListenerDirection::default(),
            listener_metadata: Metadata::default(),
            filter_chain_name: String::new(),
            dynamic_metadata: Metadata::default(),
            metadata_of_data: Metadata::default(),
            filter_state: FilterState::default(),
            tls: None,
            server_name: String::new(),
            tls_inspector: true,
            use_remote_address: false,
            connect_mode: ConnectMode::default(),
            buffer_limit: 1 << 20,
            cluster_name: "upstream".to_owned(),
            upstream: None,
        }
    }

    /// Sets the connection's number.
    #[must_use]
    pub fn id(mut self, id: u64) -> Self {
        self.id = id;
        self
    }

    /// Sets the listener's traffic direction.
    #[must_use]
    pub fn direction(mut self, direction: ListenerDirection) -> Self {
        self.direction = direction;
        self
    }

    /// Adds metadata of the listener.
    #[must_use]
    pub fn listener_metadata(mut self, namespace: &str, key: &str, value: impl Into<MetadataValue>) -> Self {
        self.listener_metadata.set(namespace, key, value);
        self
    }

    /// Names the filter chain.
    #[must_use]
    pub fn filter_chain_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.filter_chain_name);
        self
    }

    /// Adds dynamic metadata of the connection, such as PROXY protocol TLVs. HTTP filters do not
    /// see it.
    #[must_use]
    pub fn dynamic_metadata(mut self, namespace: &str, key: &str, value: impl Into<MetadataValue>) -> Self {
        self.dynamic_metadata.set(namespace, key, value);
        self
    }

    /// Adds dynamic metadata that a native network filter in front of the plugin writes when the client sends its first
    /// data, such as the verdict of an RBAC filter with shadow rules. Not there while only the upstream has spoken, and
    /// HTTP filters do not see it.
    #[must_use]
    pub fn metadata_of_data(mut self, namespace: &str, key: &str, value: impl Into<MetadataValue>) -> Self {
        self.metadata_of_data.set(namespace, key, value);
        self
    }

    /// Adds filter state that a native filter set on the connection.
    #[must_use]
    pub fn filter_state(mut self, key: &str, value: &[u8]) -> Self {
        self.filter_state.set(key, value);
        self
    }

    /// Adds one field of a filter state object that has fields.
    #[must_use]
    pub fn filter_state_field(mut self, key: &str, field: &str, value: &[u8]) -> Self {
        self.filter_state.set_field(key, field, value);
        self
    }

    /// Sets the server name of the TLS client hello, whoever terminates TLS.
    #[must_use]
    pub fn sni(mut self, name: &str) -> Self {
        name.clone_into(&mut self.server_name);
        self
    }

    /// The listener has no `tls_inspector`: the server name is unknown until the handshake is done,
    /// and for ever on a listener that does not terminate TLS.
    #[must_use]
    pub fn without_tls_inspector(mut self) -> Self {
        self.tls_inspector = false;
        self
    }

    /// The proxy terminates TLS; the client presents no certificate.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = Some(Tls {
            version: "TLSv1.3".to_owned(),
            peer: None,
            local: Certificate::default(),
        });
        self
    }

    /// The proxy terminates TLS; the client presents this certificate.
    #[must_use]
    pub fn mtls(mut self, peer: Certificate) -> Self {
        self = self.tls();
        if let Some(tls) = &mut self.tls {
            tls.peer = Some(peer);
        }
        self
    }

    /// The proxy terminates this TLS session.
    #[must_use]
    pub fn tls_session(mut self, session: Tls) -> Self {
        self.tls = Some(session);
        self
    }

    /// The HTTP connection manager has `use_remote_address: true`: it ignores `x-forwarded-for`.
    /// Envoy's default is the opposite, and so is this host's.
    #[must_use]
    pub fn use_remote_address(mut self) -> Self {
        self.use_remote_address = true;
        self
    }

    /// Sets when the TCP proxy connects upstream.
    #[must_use]
    pub fn connect_mode(mut self, mode: ConnectMode) -> Self {
        self.connect_mode = mode;
        self
    }

    /// Sets how much unread data the connection holds, `per_connection_buffer_limit_bytes`.
    #[must_use]
    pub fn buffer_limit(mut self, bytes: usize) -> Self {
        self.buffer_limit = bytes;
        self
    }

    /// Sets the chosen cluster and endpoint.
    #[must_use]
    pub fn upstream(mut self, cluster: &str, endpoint: SocketAddr) -> Self {
        cluster.clone_into(&mut self.cluster_name);
        self.upstream = Some(endpoint);
        self
    }
}

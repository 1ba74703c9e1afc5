//! What becomes of a connection: data that passes, reasons to close.

/// What the filter wants to happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Go on to the next filter.
    Continue,
    /// Hold the data back. Also the answer for a connection that is closed.
    Pause,
}

/// Which side ended the connection, as seen from the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The proxy.
    Local,
    /// The client.
    Remote,
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The plugin closed the downstream connection: how it denies.
    PluginDownstream,
    /// The plugin closed the upstream side, which closes the same connection.
    PluginUpstream,
    /// The plugin trapped, or was dead already.
    PluginFailed,
    /// The plugin has no configuration yet.
    NotConfigured,
    /// The plugin paused the connection in a mode that does not survive it.
    InitializationFailure,
    /// A peer closed it.
    Peer(Peer),
}

impl CloseReason {
    /// `%DOWNSTREAM_LOCAL_CLOSE_REASON%`, empty where Envoy writes none.
    #[must_use]
    pub fn details(self) -> &'static str {
        match self {
            Self::PluginDownstream => "wasm_downstream_close",
            Self::PluginUpstream => "wasm_upstream_close",
            Self::PluginFailed => "wasm_fail_stream",
            Self::InitializationFailure => "tcp_initializion_failure:3",
            Self::NotConfigured | Self::Peer(_) => "",
        }
    }

    /// The ABI's peer type.
    pub(crate) fn peer_type(self) -> u32 {
        if self == Self::Peer(Peer::Remote) { 2 } else { 1 }
    }
}

/// The outcome of data in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What the filter answered.
    pub action: Action,
    /// The bytes that went on to the other side: earlier ones that were held back included, edits of
    /// the plugin applied.
    pub forwarded: Vec<u8>,
}

impl Delivery {
    /// Nothing passes.
    pub(crate) fn held() -> Self {
        Self {
            action: Action::Pause,
            forwarded: Vec::new(),
        }
    }
}

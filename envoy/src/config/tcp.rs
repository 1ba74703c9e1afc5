//! The TCP proxy: when it contacts the upstream depends on when the plugin can decide.

use serde::Serialize;
use serde_saphyr::Commented;

use super::any::Extension;
use super::identity::Certificate;
use super::listener::BUFFER_BYTES;
use super::{Listener, ListenerKind, Node, guard, http};

/// When the plugin decides about a connection.
#[derive(Clone, Copy)]
pub(super) enum Decision {
    /// When it arrives: addresses are enough. Nothing is contacted before.
    OnArrival,
    /// With the client's first byte, when its certificate was witnessed. Nothing is contacted before.
    OnFirstByte,
    /// With the first byte of either side, once the handshake let the client in: servers that speak first can be
    /// waited for in no other way.
    AfterHandshake,
    /// With the first byte of either side, once an endpoint was chosen and is connected to.
    OnceConnected,
}

/// Envoy's TCP proxy.
#[derive(Serialize)]
pub(super) struct TcpProxy {
    stat_prefix: String,
    cluster: Commented<String>,
    #[serde(flatten)]
    delay: Option<Delay>,
    max_downstream_connection_duration: Commented<String>,
}

/// Envoy 1.36 does not know these fields: they are left out where the upstream is contacted at once.
#[derive(Serialize)]
struct Delay {
    upstream_connect_mode: Commented<&'static str>,
    max_early_data_bytes: u32,
}

impl Decision {
    /// When it falls on this listener, if that is one for TCP.
    pub(super) fn of(listener: &Listener) -> Self {
        match (&listener.kind, listener.identity.certificate) {
            (ListenerKind::TcpUpstream { .. }, _) => Self::OnceConnected,
            (_, Certificate::Ignored) => Self::OnArrival,
            (_, Certificate::Witnessed) => Self::OnFirstByte,
            (_, Certificate::Verified) => Self::AfterHandshake,
        }
    }

    /// The name under which the listener reaches `cluster`.
    ///
    /// Envoy's network RBAC looks when the client's first byte arrives. Where the upstream is contacted without one,
    /// the cluster's name contains the word that the plugin has to say before that.
    pub(super) fn cluster(self, cluster: &str) -> String {
        match self.word() {
            Some(word) => guard::cluster_after(word, cluster),
            None => cluster.to_owned(),
        }
    }

    /// What the plugin says when a connection arrives, and without which the upstream is out of reach.
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::OnArrival => Some("allow"),
            // It said that it will decide: so it is there, and sees what the server says first.
            Self::AfterHandshake | Self::OnceConnected => Some("pending"),
            Self::OnFirstByte => None,
        }
    }

    fn delay(self) -> Option<Delay> {
        let (mode, why, max_early_data_bytes) = match self {
            Self::OnArrival | Self::OnceConnected => return None,
            Self::OnFirstByte => ("ON_DOWNSTREAM_DATA", "the certificate decides", BUFFER_BYTES),
            Self::AfterHandshake => ("ON_DOWNSTREAM_TLS_HANDSHAKE", "no certificate, no upstream", 0),
        };
        Some(Delay {
            upstream_connect_mode: Commented(mode, why.into()),
            max_early_data_bytes,
        })
    }
}

/// The last network filter of a TCP listener. The plugin must never pause a new connection: where the upstream is
/// contacted at once, Envoy would wait for ever.
pub(super) fn proxy(node: &Node, listener: &Listener, cluster: &str) -> Extension<TcpProxy> {
    let decision = Decision::of(listener);
    let cluster = match decision.word() {
        Some(_) => no_verdict(),
        None => Commented(
            cluster.to_owned(),
            "contacted after the guard saw the first byte".into(),
        ),
    };
    extension(node, &listener.name, cluster, decision.delay())
}

/// The last network filter of a chain that leads nowhere.
pub(super) fn dead_end(node: &Node, listener: &Listener) -> Extension<TcpProxy> {
    extension(node, &listener.name, no_verdict(), None)
}

fn no_verdict() -> Commented<String> {
    Commented("no-verdict".into(), "does not exist; the guard above selects".into())
}

fn extension(node: &Node, listener: &str, cluster: Commented<String>, delay: Option<Delay>) -> Extension<TcpProxy> {
    let proxy = TcpProxy {
        stat_prefix: listener.to_owned(),
        cluster,
        delay,
        max_downstream_connection_duration: http::max_connection(node),
    };
    Extension::new(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        proxy,
    )
}

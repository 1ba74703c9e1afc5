//! A connection while it lives.

use std::net::{IpAddr, SocketAddr};

use crate::connection::Connection;
use crate::delivery::CloseReason;
use crate::filter_state::FilterState;
use crate::tls::Certificate;

/// A connection: its facts, and what filters and the peers did to it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) facts: Connection,
    pub(crate) filter_state: FilterState,
    pub(crate) handshake_done: bool,
    /// The client sent something, or ended.
    pub(crate) client_spoke: bool,
    /// Reading the TLS version before the handshake gives a wrong value, and that value stays.
    pub(crate) tls_version_pinned: bool,
    pub(crate) closed: Option<CloseReason>,
    /// The TCP proxy waits for the plugin: see [`ConnectMode::Immediate`](crate::ConnectMode::Immediate).
    pub(crate) stuck: bool,
    /// Bytes on their way upstream that the plugin let go outside of a data callback.
    pub(crate) released: Vec<u8>,
}

impl Link {
    pub(crate) fn new(facts: Connection) -> Self {
        let filter_state = facts.filter_state.clone();
        Self {
            facts,
            filter_state,
            handshake_done: false,
            client_spoke: false,
            tls_version_pinned: false,
            closed: None,
            stuck: false,
            released: Vec::new(),
        }
    }

    /// The peer's certificate, once the handshake is done.
    pub(crate) fn peer(&self) -> Option<&Certificate> {
        self.facts.tls.as_ref().filter(|_| self.handshake_done)?.peer.as_ref()
    }

    /// Lets the held bytes pass, and everything after them.
    pub(crate) fn release(&mut self, held: &mut Vec<u8>) {
        self.stuck = false;
        self.released.append(held);
    }

    pub(crate) fn server_name(&self) -> &str {
        let terminated = self.facts.tls.is_some() && self.handshake_done;
        if self.facts.tls_inspector || terminated {
            &self.facts.server_name
        } else {
            ""
        }
    }
}

/// The source of a request as properties show it: port 0 betrays that it is the last entry of
/// `x-forwarded-for`.
pub(crate) fn source_of_request(facts: &Connection, forwarded_for: Option<&[u8]>) -> SocketAddr {
    if facts.use_remote_address {
        return facts.source;
    }
    let last = forwarded_for.and_then(|list| list.rsplit(|byte| *byte == b',').next());
    let text = last.and_then(|entry| std::str::from_utf8(entry).ok());
    match text.and_then(|text| text.trim().parse::<IpAddr>().ok()) {
        Some(address) => SocketAddr::new(address, 0),
        None => facts.source,
    }
}

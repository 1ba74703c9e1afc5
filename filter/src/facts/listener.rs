//! What a listener says of itself: its metadata, namespace `portcullis`, where all values are strings.

use core::str;

use policy_core::Scope;

use crate::{headers::Headers, host::Host, report::Refusal};

/// All of it at once: to read ten words one by one would be most of what a connection costs.
const METADATA: &str = "xds\0listener_metadata\0filter_metadata\0portcullis";
const DIRECTION: &str = "xds\0listener_direction";

/// The metadata of a listener, by key. Envoy hands over a map of metadata as it does one of headers.
pub(crate) struct Listener(Headers);

impl Listener {
    /// What the listener of this connection says; nothing if it has no metadata.
    pub(crate) fn of_connection<H: Host>(host: &H) -> Result<Self, Refusal> {
        let pairs = match host.property(METADATA) {
            Ok(pairs) => pairs.unwrap_or_default(),
            Err(_) => return Err(Refusal::BadListenerMetadata),
        };
        Headers::new(pairs).map(Self).ok_or(Refusal::BadListenerMetadata)
    }

    /// What it says of this; `None` if nothing.
    pub(super) fn word<T>(&self, key: &str, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>, Refusal> {
        match self.0.first(key.as_bytes()) {
            None => Ok(None),
            Some(text) => parse(text).map(Some).ok_or(Refusal::BadListenerMetadata),
        }
    }

    /// What stands behind the network filter; without a word it is taken for a chain where nobody looks at requests.
    pub(crate) fn chain(&self) -> Result<Chain, Refusal> {
        let chain = |text: &[u8]| match text {
            b"http" => Some(Chain::Http),
            b"tcp" => Some(Chain::Tcp),
            _ => None,
        };
        Ok(self.word("protocol", chain)?.unwrap_or(Chain::Tcp))
    }
}

/// What stands behind the network filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chain {
    /// The HTTP connection manager with the HTTP filter of this plugin, which decides on each request.
    Http,
    /// Anything else: what passes here is decided here.
    Tcp,
}

/// Inbound traffic arrives at its destination, outbound traffic leaves its source.
pub(super) fn scope<H: Host>(host: &H) -> Option<Scope> {
    let value = host.property(DIRECTION).ok()??;
    match i64::from_le_bytes(value.try_into().ok()?) {
        1 => Some(Scope::Ingress),
        2 => Some(Scope::Egress),
        _ => None,
    }
}

pub(super) fn parse_port(text: &[u8]) -> Option<u16> {
    let text = str::from_utf8(text).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

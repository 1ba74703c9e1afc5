//! What a listener says of itself: its metadata, namespace `portcullis`, where all values are strings.

use core::str;

use policy_core::Scope;

use crate::{host::Host, report::Refusal};

/// The property of a key, put together once and for all: it is asked for on every connection.
macro_rules! metadata {
    ($key:literal) => {
        concat!("xds\0listener_metadata\0filter_metadata\0portcullis\0", $key)
    };
}
pub(super) use metadata;

const DIRECTION: &str = "xds\0listener_direction";

/// What stands behind the network filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chain {
    /// The HTTP connection manager with the HTTP filter of this plugin, which decides on each request.
    Http,
    /// Anything else: what passes here is decided here.
    Tcp,
}

impl Chain {
    /// What the listener says; without a word it is taken for a chain where nobody looks at requests.
    pub(crate) fn of_listener<H: Host>(host: &H) -> Result<Self, Refusal> {
        let chain = |text: &[u8]| match text {
            b"http" => Some(Self::Http),
            b"tcp" => Some(Self::Tcp),
            _ => None,
        };
        Ok(word(host, metadata!("protocol"), chain)?.unwrap_or(Self::Tcp))
    }
}

/// A value of the listener's metadata, by its [property](metadata); `None` if it is absent.
pub(super) fn word<H: Host, T>(
    host: &H,
    property: &str,
    parse: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    match host.property(property) {
        Ok(None) => Ok(None),
        Ok(Some(text)) => parse(&text).map(Some).ok_or(Refusal::BadListenerMetadata),
        Err(_) => Err(Refusal::BadListenerMetadata),
    }
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

//! The host: what the plugin asks of it ([`Host`]), and how it calls the plugin ([`exports`]).
//!
//! This is the only place that knows the interface, proxy-wasm 0.2.1. The Rust SDK of proxy-wasm is not in between: it
//! panics on what a host should not say or do and Envoy does, and it finds out by a property of every stream, and some
//! maps, what the first callback of the stream says anyway.

mod envoy;
mod exports;
mod memory;

use core::fmt;

use envoy::Envoy;

/// What a callback answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Go on.
    Continue,
    /// Let nothing pass.
    Pause,
}

/// Why a host function failed: its status, as proxy-wasm numbers them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HostError(pub(crate) u32);

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host status {}", self.0)
    }
}

/// What is sent instead of the request.
pub(crate) struct LocalReply<'a> {
    pub(crate) status: u32,
    /// Goes to the access log, not to the client.
    pub(crate) details: &'a str,
    pub(crate) body: &'a [u8],
    /// One more header, or instead of the one that the host sets for the body.
    pub(crate) header: Option<(&'a str, &'a str)>,
    pub(crate) grpc_status: i32,
}

/// What can be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stream {
    HttpRequest = 0,
    Downstream = 2,
}

/// What to do with a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Edit<'a> {
    /// One value more.
    Append(&'a [u8]),
    /// This value instead of all others.
    Set(&'a [u8]),
    /// All values go. It need not be there.
    Remove,
}

/// How urgent a log line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    Info = 2,
    Error = 4,
    Critical = 5,
}

/// The kinds of metrics in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MetricKind {
    Counter = 0,
    Gauge = 1,
}

/// What the plugin asks of its host, always on behalf of the stream whose callback runs.
pub(crate) trait Host {
    /// A property; its path is joined by zero bytes. `None` if there is none, which is not the same as empty.
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>, HostError>;
    /// Sets filter state, which filters and access logs see as `wasm.<name>`.
    fn set_state(&self, name: &str, value: &[u8]) -> Result<(), HostError>;
    /// The headers of the request, in the encoding that [`Headers`](crate::headers::Headers) reads.
    fn request_headers(&self) -> Result<Vec<u8>, HostError>;
    /// Changes the headers of the request, before the upstream sees them.
    fn edit_header(&self, name: &[u8], edit: Edit<'_>) -> Result<(), HostError>;
    /// The first `size` bytes of the configuration.
    fn configuration(&self, size: usize) -> Result<Vec<u8>, HostError>;
    /// Answers the request in place of the upstream.
    fn reply(&self, reply: &LocalReply<'_>) -> Result<(), HostError>;
    /// Closes a connection, or resets a request.
    fn close(&self, stream: Stream) -> Result<(), HostError>;
    /// The id of a metric, which is made if it does not exist.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<u32, HostError>;
    /// Adds to a counter.
    fn increment_metric(&self, id: u32, by: i64) -> Result<(), HostError>;
    /// Sets a gauge.
    fn record_metric(&self, id: u32, value: u64) -> Result<(), HostError>;
    /// The time in nanoseconds since the beginning of 1970; `None` if the host does not tell.
    fn now(&self) -> Option<u64>;
    /// Calls `on_tick` so often from now on; never, for 0.
    fn tick_every(&self, milliseconds: u32) -> Result<(), HostError>;
    /// What follows is on behalf of this stream or root context, until the callback returns.
    fn act_for(&self, context: u32) -> Result<(), HostError>;
    /// Writes a line to the log. A line that is lost does not matter.
    fn log(&self, level: Level, message: &str);
}

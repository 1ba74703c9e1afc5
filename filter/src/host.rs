//! The host: what the plugin asks of it ([`Host`]), and how it calls the plugin.
//!
//! This is the only file that names the SDK, which owns the exported callbacks and finds the context that each is
//! for. Its wrappers of host functions are not used, see [`envoy`].

mod envoy;

use core::fmt;
use std::rc::Rc;

use proxy_wasm::{
    traits::{Context, HttpContext, RootContext, StreamContext},
    types::{Action as SdkAction, ContextType},
};

use crate::{
    http::HttpFilter,
    root::Root,
    stream::{Data, NetworkFilter},
    vm::{self, Vm},
};
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

thread_local! {
    /// The state that all plugins of this VM share.
    static VM: Rc<Vm<Envoy>> = Rc::new(Vm::new(Envoy));
}

/// Called once, when the VM starts: from here on, panics are logged, and lack of memory is a panic.
pub(crate) fn start() {
    std::panic::set_hook(Box::new(|panic| vm::log_panic(&Envoy, panic)));
    #[cfg(all(target_arch = "wasm32", panic = "unwind"))]
    std::alloc::set_alloc_error_hook(vm::out_of_memory);
    proxy_wasm::set_root_context(|id| Box::new(Root::new(VM.with(Rc::clone), id)));
}

impl From<Action> for SdkAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Continue => Self::Continue,
            Action::Pause => Self::Pause,
        }
    }
}

impl Context for Root<Envoy> {}

impl RootContext for Root<Envoy> {
    fn on_configure(&mut self, size: usize) -> bool {
        self.configure(size)
    }

    fn on_tick(&mut self) {
        self.tick();
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(if self.is_http_stream() {
            ContextType::HttpContext
        } else {
            ContextType::StreamContext
        })
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(self.http_filter(id)))
    }

    fn create_stream_context(&self, id: u32) -> Option<Box<dyn StreamContext>> {
        Some(Box::new(self.network_filter(id)))
    }
}

impl Context for NetworkFilter<Envoy> {}

impl StreamContext for NetworkFilter<Envoy> {
    fn on_new_connection(&mut self) -> SdkAction {
        self.new_connection().into()
    }

    fn on_downstream_data(&mut self, _size: usize, _end: bool) -> SdkAction {
        self.data(Data::Downstream).into()
    }

    fn on_upstream_data(&mut self, _size: usize, end: bool) -> SdkAction {
        self.data(if end { Data::EndOfUpstream } else { Data::Upstream }).into()
    }
}

impl Context for HttpFilter<Envoy> {}

impl HttpContext for HttpFilter<Envoy> {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> SdkAction {
        self.request_headers().into()
    }

    fn on_http_request_body(&mut self, _size: usize, _end: bool) -> SdkAction {
        self.rest_of_request().into()
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> SdkAction {
        self.rest_of_request().into()
    }
}

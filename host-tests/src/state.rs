//! The state behind the host calls: one [`Host`] for each instance.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use wasmtime::{Memory, StoreLimits, StoreLimitsBuilder, TypedFunc};

use crate::config::VmConfig;
use crate::counters::Counters;
use crate::delivery::CloseReason;
use crate::filter_state::FilterState;
use crate::headers::Headers;
use crate::http::HttpOutcome;
use crate::link::Link;
use crate::metadata::Metadata;
use crate::metrics::{MetricIds, MetricKind};
use crate::reply::{PluginReply, ReplyTo};

/// How serious a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum LogLevel {
    /// Every step.
    Trace = 0,
    /// For the developer.
    Debug = 1,
    /// For the operator.
    Info = 2,
    /// Something is odd.
    Warn = 3,
    /// Something failed.
    Error = 4,
    /// The proxy is in danger.
    Critical = 5,
}

impl LogLevel {
    pub(crate) fn from_abi(number: u32) -> Option<Self> {
        let all = [
            Self::Trace,
            Self::Debug,
            Self::Info,
            Self::Warn,
            Self::Error,
            Self::Critical,
        ];
        all.into_iter().find(|level| *level as u32 == number)
    }
}

/// One line that the plugin, or the host about the plugin, logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How serious it is.
    pub level: LogLevel,
    /// The text; bytes that are not UTF-8 are replaced.
    pub message: String,
}

/// Everything that host calls can read or change.
pub(crate) struct Host {
    pub(crate) config: VmConfig,
    pub(crate) limits: StoreLimits,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocator: Option<TypedFunc<u32, u32>>,
    pub(crate) contexts: BTreeMap<u32, Context>,
    /// The context whose callback runs, and the one it chose to act for.
    pub(crate) current: u32,
    pub(crate) effective: Option<u32>,
    pub(crate) callback: &'static str,
    /// Root contexts that `proxy_done` released in this callback.
    pub(crate) deletions: Vec<u32>,
    pub(crate) queues: Vec<(u32, u32)>,
    pub(crate) metric_ids: MetricIds,
    pub(crate) clock: u64,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) counters: Counters,
}

/// A context of the plugin and the root context it belongs to (a root belongs to itself).
pub(crate) struct Context {
    pub(crate) root: u32,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Root(Root),
    Tcp(Box<Tcp>),
    Http(Box<Http>),
}

#[derive(Default)]
pub(crate) struct Root {
    /// The plugin configuration, in the callbacks that may read it.
    pub(crate) configuration: Option<Vec<u8>>,
    pub(crate) tick_period: u32,
    /// Replaced by a newer root; goes away with its last stream.
    pub(crate) retired: bool,
    /// `proxy_on_done` answered "not yet".
    pub(crate) awaits_done: bool,
}

/// A stream buffer: the bytes a filter holds back, and whether this callback may touch them.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    pub(crate) available: bool,
}

impl Held {
    pub(crate) fn open(&mut self) -> Option<&mut Vec<u8>> {
        self.available.then_some(&mut self.bytes)
    }
}

pub(crate) struct Tcp {
    pub(crate) link: Rc<RefCell<Link>>,
    /// Whether an upstream is chosen.
    pub(crate) established: bool,
    pub(crate) downstream: Held,
    pub(crate) upstream: Held,
    pub(crate) close: Option<CloseReason>,
    pub(crate) resumed: bool,
}

pub(crate) struct Http {
    pub(crate) link: Rc<RefCell<Link>>,
    /// Filter state belongs to the request, not to the plugin: it outlives this context.
    pub(crate) filter_state: Rc<RefCell<FilterState>>,
    pub(crate) protocol: String,
    pub(crate) route_name: String,
    pub(crate) dynamic_metadata: Metadata,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) started: u64,
    pub(crate) request: Headers,
    pub(crate) request_visible: bool,
    pub(crate) request_body: Option<Vec<u8>>,
    pub(crate) response: Headers,
    pub(crate) response_visible: bool,
    pub(crate) response_body: Option<Vec<u8>>,
    pub(crate) response_details: String,
    pub(crate) logging: bool,
    /// How the plugin ended the request outside of its callbacks, for the handle to find.
    pub(crate) ended: Rc<RefCell<Option<HttpOutcome>>>,
    pub(crate) reply_to: ReplyTo,
    pub(crate) reply: Option<PluginReply>,
    pub(crate) reset: bool,
    pub(crate) resumed: bool,
}

impl Http {
    /// Whether the head of a response went on to the client.
    pub(crate) fn response_passed(&self) -> bool {
        !self.response.is_empty() && !self.response_visible
    }
}

impl Host {
    pub(crate) fn new(config: VmConfig) -> Self {
        let limits = StoreLimitsBuilder::new().memory_size(config.memory_limit).build();
        Self {
            limits,
            memory: None,
            allocator: None,
            contexts: BTreeMap::new(),
            current: 0,
            effective: None,
            callback: "_start",
            deletions: Vec::new(),
            queues: Vec::new(),
            metric_ids: MetricIds::default(),
            clock: config.clock,
            logs: Vec::new(),
            counters: Counters::default(),
            config,
        }
    }

    pub(crate) fn log(&mut self, level: LogLevel, message: &[u8]) {
        let message = String::from_utf8_lossy(message).into_owned();
        self.logs.push(LogLine { level, message });
    }

    /// An error that the proxy itself logs.
    pub(crate) fn complain(&mut self, message: String) {
        self.logs.push(LogLine {
            level: LogLevel::Error,
            message,
        });
    }

    /// The context that host calls are about. A chosen context that is gone counts as not chosen.
    pub(crate) fn effective_id(&self) -> u32 {
        self.effective
            .filter(|id| self.contexts.contains_key(id))
            .unwrap_or(self.current)
    }

    pub(crate) fn effective_context(&mut self) -> Option<&mut Context> {
        let id = self.effective_id();
        self.contexts.get_mut(&id)
    }

    pub(crate) fn root(&mut self, id: u32) -> Option<&mut Root> {
        match &mut self.contexts.get_mut(&id)?.kind {
            Kind::Root(root) => Some(root),
            Kind::Tcp(_) | Kind::Http(_) => None,
        }
    }

    pub(crate) fn tcp(&mut self, id: u32) -> Option<&mut Tcp> {
        match &mut self.contexts.get_mut(&id)?.kind {
            Kind::Tcp(tcp) => Some(tcp),
            Kind::Root(_) | Kind::Http(_) => None,
        }
    }

    pub(crate) fn http(&mut self, id: u32) -> Option<&mut Http> {
        match &mut self.contexts.get_mut(&id)?.kind {
            Kind::Http(http) => Some(http),
            Kind::Root(_) | Kind::Tcp(_) => None,
        }
    }

    /// Whether any stream still uses this root context.
    pub(crate) fn has_streams(&self, root: u32) -> bool {
        self.contexts
            .iter()
            .any(|(id, context)| *id != root && context.root == root)
    }

    /// The root context that the effective context belongs to.
    fn effective_root(&self) -> u32 {
        let id = self.effective_id();
        self.contexts.get(&id).map_or(id, |context| context.root)
    }

    pub(crate) fn set_tick_period(&mut self, milliseconds: u32) {
        let id = self.effective_root();
        if let Some(root) = self.root(id) {
            root.tick_period = milliseconds;
        }
    }

    pub(crate) fn register_queue(&mut self, name: Vec<u8>) -> u32 {
        let token = self.config.process.register_queue(self.config.vm_id.as_bytes(), name);
        self.queues.push((token, self.effective_root()));
        token
    }

    pub(crate) fn define_metric(&mut self, kind: MetricKind, name: String) -> u32 {
        if kind != MetricKind::Histogram {
            self.config.process.declare_metric(&name);
        }
        self.metric_ids.define(kind, name)
    }
}

//! A request with the plugin as HTTP filter.

use std::cell::RefCell;
use std::rc::Rc;

use crate::filter_state::FilterState;
use crate::headers::Headers;
use crate::link::Link;
use crate::machine::{Health, Machine};
use crate::reply::{LocalReply, PluginReply, ReplyTo};
use crate::request::Request;
use crate::state::{Http, Kind};
use crate::trap::Trap;
use crate::update::abi_size;
use crate::vm::Vm;

/// What became of a request, or of its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpOutcome {
    /// It goes on, with what the plugin made of it.
    Continue {
        /// Headers after the plugin's changes.
        headers: Headers,
        /// The body that has passed so far.
        body: Vec<u8>,
    },
    /// The plugin holds it back.
    Paused,
    /// The client gets an answer from the filter; the upstream gets nothing.
    LocalReply(LocalReply),
    /// The stream is reset.
    Reset,
    /// The plugin died of it. The client gets 503, as with every request until a reload.
    Trap(Trap),
}

impl HttpOutcome {
    /// The HTTP status that the filter answers with; `None` if it does not answer.
    #[must_use]
    pub fn status(&self) -> Option<u32> {
        match self {
            Self::LocalReply(reply) => Some(reply.status),
            Self::Trap(_) => Some(503),
            Self::Continue { .. } | Self::Paused | Self::Reset => None,
        }
    }

    /// Whether the request goes on to the upstream.
    #[must_use]
    pub fn is_continue(&self) -> bool {
        matches!(self, Self::Continue { .. })
    }
}

/// A handle to one request. Dropping it ends the stream.
pub struct HttpStream {
    pub(crate) vm: Vm,
    pub(crate) link: Rc<RefCell<Link>>,
    pub(crate) filter_state: Rc<RefCell<FilterState>>,
    pub(crate) generation: u32,
    pub(crate) context: Option<u32>,
    pub(crate) outcome: HttpOutcome,
    /// How the plugin ended the request outside of its callbacks.
    pub(crate) ended: Rc<RefCell<Option<HttpOutcome>>>,
    pub(crate) reply_to: ReplyTo,
    pub(crate) logged: bool,
}

impl HttpStream {
    pub(crate) fn open(vm: Vm, link: Rc<RefCell<Link>>, request: Request) -> Self {
        link.borrow_mut().handshake_done = true;
        let generation = vm.machine.borrow().generation;
        let mut stream = Self {
            generation,
            filter_state: Rc::default(),
            context: None,
            outcome: HttpOutcome::Paused,
            ended: Rc::default(),
            reply_to: ReplyTo::of(&request.headers),
            logged: false,
            vm,
            link,
        };
        stream.outcome = stream.decode(request);
        stream
    }

    fn decode(&mut self, request: Request) -> HttpOutcome {
        let vm = self.vm.clone();
        let machine = &mut *vm.machine.borrow_mut();
        let root = match (&machine.health, machine.root) {
            (Health::FailsOpen, _) => {
                return HttpOutcome::Continue {
                    headers: request.headers,
                    body: request.body,
                };
            }
            (Health::Alive, Some(root)) => root,
            (Health::Dead(_), _) => return self.refuse(PluginReply::plugin_failed()),
            (Health::Alive, None) => return self.refuse(PluginReply::not_configured()),
        };
        let (body, ends) = (request.body.clone(), request.body.is_empty() && !request.more_to_come);
        let count = u32::try_from(request.headers.len()).unwrap_or(u32::MAX);
        let closes_body = !request.more_to_come;
        let http = self.http(machine.host().clock, request);
        let id = machine.add_context(Some(root), Kind::Http(Box::new(http)));
        self.context = Some(id);
        // SDKs ask for the kind of stream here: the headers are not there yet, the protocol is.
        if let Err(trap) = machine.call(|exports| &exports.context_create, id, (id, root)) {
            return machine.fail_request(id, trap);
        }
        if let Some(http) = machine.host().http(id) {
            http.request_visible = true;
        }
        let answer = machine.call(|exports| &exports.request_headers, id, (id, count, u32::from(ends)));
        let outcome = Self::settle_request(machine, id, answer);
        if body.is_empty() || !outcome.is_continue() {
            return outcome;
        }
        Self::decode_body(machine, id, &body, closes_body)
    }

    fn refuse(&self, reply: PluginReply) -> HttpOutcome {
        HttpOutcome::LocalReply(reply.send(self.reply_to))
    }

    fn http(&self, started: u64, request: Request) -> Http {
        Http {
            link: Rc::clone(&self.link),
            filter_state: Rc::clone(&self.filter_state),
            protocol: request.protocol,
            route_name: request.route_name,
            dynamic_metadata: request.dynamic_metadata,
            upstream: request.upstream,
            started,
            request: request.headers,
            request_visible: false,
            request_body: None,
            response: Headers::default(),
            response_visible: false,
            response_body: None,
            response_details: String::new(),
            logging: false,
            ended: Rc::clone(&self.ended),
            reply_to: self.reply_to,
            reply: None,
            reset: false,
            resumed: false,
        }
    }

    pub(crate) fn decode_body(machine: &mut Machine, id: u32, bytes: &[u8], ends: bool) -> HttpOutcome {
        let Some(http) = machine.host().http(id) else {
            return HttpOutcome::Reset;
        };
        let buffer = http.request_body.get_or_insert_default();
        buffer.extend_from_slice(bytes);
        let size = abi_size(buffer);
        let answer = machine.call(|exports| &exports.request_body, id, (id, size, u32::from(ends)));
        Self::settle_request(machine, id, answer)
    }

    /// Delivers a part of the request's body. The outcome carries the part that goes on; a part that
    /// the plugin holds back comes again, with the next one behind it. While the plugin holds back the
    /// headers, it is not called with the body.
    pub fn body(&mut self, bytes: &[u8], end_of_stream: bool) -> &HttpOutcome {
        let vm = self.vm.clone();
        let machine = &mut *vm.machine.borrow_mut();
        let over = self.outcome.status().is_some() || self.outcome == HttpOutcome::Reset;
        let Some(id) = self.live_context(machine).filter(|_| !over) else {
            return &self.outcome;
        };
        match machine.host().http(id) {
            Some(http) if http.request_visible => {
                http.request_body.get_or_insert_default().extend_from_slice(bytes);
            }
            Some(_) | None => self.outcome = Self::decode_body(machine, id, bytes, end_of_stream),
        }
        &self.outcome
    }

    fn settle_request(machine: &mut Machine, id: u32, answer: Result<Option<u32>, Trap>) -> HttpOutcome {
        let http = match Self::settle(machine, id, answer) {
            Ok(http) => http,
            Err(outcome) => return outcome,
        };
        // From here on the headers are on their way: later callbacks do not see them.
        http.request_visible = false;
        let body = http.request_body.take().unwrap_or_default();
        HttpOutcome::Continue {
            headers: http.request.clone(),
            body,
        }
    }

    /// The exchange after a callback that let it go on, or how the callback ended or held it.
    pub(crate) fn settle(
        machine: &mut Machine,
        id: u32,
        answer: Result<Option<u32>, Trap>,
    ) -> Result<&mut Http, HttpOutcome> {
        let answer = answer.map_err(|trap| machine.fail_request(id, trap))?.unwrap_or(0);
        if let Some(end) = Self::settle_end(machine, id) {
            return Err(end);
        }
        let http = machine.host().http(id).ok_or(HttpOutcome::Reset)?;
        if answer != 0 && !std::mem::take(&mut http.resumed) {
            return Err(HttpOutcome::Paused);
        }
        Ok(http)
    }

    /// Carries out a reset or a local reply that the plugin asked for.
    pub(crate) fn settle_end(machine: &mut Machine, id: u32) -> Option<HttpOutcome> {
        machine.settle_connections();
        machine.take_end(id)
    }

    /// The context, if this instance of the plugin still has it.
    pub(crate) fn live_context(&self, machine: &mut Machine) -> Option<u32> {
        let id = self.context.filter(|_| machine.generation == self.generation)?;
        machine.host().http(id).map(|_| id)
    }

    /// What became of the request.
    #[must_use]
    pub fn outcome(&self) -> &HttpOutcome {
        &self.outcome
    }

    /// Filter state of the request, else of its connection. What a plugin sets as `k` is at
    /// `wasm.k`.
    #[must_use]
    pub fn filter_state(&self, key: &str) -> Option<Vec<u8>> {
        let own = self.filter_state.borrow().get(key).map(<[u8]>::to_vec);
        own.or_else(|| self.link.borrow().filter_state.get(key).map(<[u8]>::to_vec))
    }

    /// The plugin's number for this request, for tests of `proxy_set_effective_context`.
    #[must_use]
    pub fn context_id(&self) -> Option<u32> {
        self.context
    }
}

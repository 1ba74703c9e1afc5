//! A connection with the plugin as network filter.

use std::cell::RefCell;
use std::rc::Rc;

use crate::connection::{ConnectMode, Connection};
use crate::delivery::{Action, CloseReason, Delivery, Peer};
use crate::http::HttpStream;
use crate::link::Link;
use crate::machine::{Health, Machine};
use crate::request::Request;
use crate::state::{Held, Kind, Tcp};
use crate::update::abi_size;
use crate::vm::Vm;

/// A handle to one connection. Dropping it closes the connection from the client's side.
pub struct TcpStream {
    vm: Vm,
    link: Rc<RefCell<Link>>,
    context: Option<u32>,
    generation: u32,
}

#[derive(Clone, Copy)]
enum Flow {
    Downstream,
    Upstream,
}

impl Flow {
    fn of(self, tcp: &mut Tcp) -> &mut Held {
        match self {
            Self::Downstream => &mut tcp.downstream,
            Self::Upstream => &mut tcp.upstream,
        }
    }
}

impl TcpStream {
    pub(crate) fn new(vm: Vm, connection: Connection) -> Self {
        let link = Rc::new(RefCell::new(Link::new(connection)));
        let generation = vm.machine.borrow().generation;
        Self {
            vm,
            link,
            context: None,
            generation,
        }
    }

    /// The client connected. Call this once, first.
    pub fn new_connection(&mut self) -> Action {
        let vm = self.vm.clone();
        let machine = &mut *vm.machine.borrow_mut();
        self.generation = machine.generation;
        let root = match (&machine.health, machine.root) {
            (Health::FailsOpen, _) => return Action::Continue,
            (Health::Dead(_), _) => return self.refuse(CloseReason::PluginFailed),
            (Health::Alive, None) => return self.refuse(CloseReason::NotConfigured),
            (Health::Alive, Some(root)) => root,
        };
        let tcp = Tcp {
            link: Rc::clone(&self.link),
            established: false,
            downstream: Held::default(),
            upstream: Held::default(),
            close: None,
            resumed: false,
        };
        let id = machine.add_context(Some(root), Kind::Tcp(Box::new(tcp)));
        self.context = Some(id);
        let answer = machine
            .call(|exports| &exports.context_create, id, (id, root))
            .and_then(|_| machine.call(|exports| &exports.new_connection, id, id));
        let Ok(answer) = answer else {
            machine.close_connection(id, CloseReason::PluginFailed);
            return Action::Pause;
        };
        self.settle_new_connection(machine, id, answer.unwrap_or(0) == 0)
    }

    fn settle_new_connection(&self, machine: &mut Machine, id: u32, goes_on: bool) -> Action {
        let mode = self.link.borrow().facts.connect_mode;
        match mode {
            ConnectMode::Immediate => self.link.borrow_mut().stuck = !goes_on,
            ConnectMode::OnTlsHandshake if !goes_on => {
                if let Some(tcp) = machine.host().tcp(id) {
                    tcp.close.get_or_insert(CloseReason::InitializationFailure);
                }
            }
            ConnectMode::OnDownstreamData | ConnectMode::OnTlsHandshake => {}
        }
        machine.settle_connections();
        let open = self.link.borrow().closed.is_none();
        if goes_on && open {
            Action::Continue
        } else {
            Action::Pause
        }
    }

    fn refuse(&self, reason: CloseReason) -> Action {
        self.link.borrow_mut().closed = Some(reason);
        Action::Pause
    }

    /// The client sent bytes; with TLS these are the decrypted ones.
    pub fn downstream_data(&mut self, bytes: &[u8], end_of_stream: bool) -> Delivery {
        self.deliver(Flow::Downstream, bytes, end_of_stream)
    }

    /// The upstream sent bytes. At the end of them the plugin is told that the upstream closed, **also if it closed the
    /// connection in this very callback** and its context is deleted: Envoy does not look.
    pub fn upstream_data(&mut self, bytes: &[u8], end_of_stream: bool) -> Delivery {
        let was_open = self.closed().is_none();
        let delivery = self.deliver(Flow::Upstream, bytes, end_of_stream);
        if let (true, Some(id)) = (end_of_stream && was_open, self.context) {
            let machine = &mut *self.vm.machine.borrow_mut();
            if machine.call(|exports| &exports.upstream_close, id, (id, 0)).is_err() {
                machine.close_connection(id, CloseReason::PluginFailed);
            }
            machine.settle_connections();
        }
        delivery
    }

    fn deliver(&mut self, flow: Flow, bytes: &[u8], end_of_stream: bool) -> Delivery {
        let vm = self.vm.clone();
        let machine = &mut *vm.machine.borrow_mut();
        if self.closed().is_some() {
            return Delivery::held();
        }
        let Some(id) = self.context else {
            return Delivery {
                action: Action::Continue,
                forwarded: bytes.to_vec(),
            };
        };
        if machine.is_dead() || machine.generation != self.generation {
            machine.close_connection(id, CloseReason::PluginFailed);
            self.refuse(CloseReason::PluginFailed);
            return Delivery::held();
        }
        let limit = self.link.borrow().facts.buffer_limit;
        let Some(tcp) = machine.host().tcp(id) else {
            return Delivery::held();
        };
        let held = flow.of(tcp);
        // A filter that held back all the connection may buffer is not called again.
        let full = held.bytes.len() >= limit;
        held.bytes.extend_from_slice(bytes);
        if full || (self.link.borrow().stuck && matches!(flow, Flow::Downstream)) {
            return Delivery::held();
        }
        held.available = true;
        let size = abi_size(&held.bytes);
        let mut link = self.link.borrow_mut();
        link.handshake_done = true;
        link.client_spoke |= matches!(flow, Flow::Downstream);
        tcp.established |= matches!(flow, Flow::Upstream) || link.facts.connect_mode != ConnectMode::OnDownstreamData;
        drop(link);
        let arguments = (id, size, u32::from(end_of_stream));
        let answer = match flow {
            Flow::Downstream => machine.call(|exports| &exports.downstream_data, id, arguments),
            Flow::Upstream => machine.call(|exports| &exports.upstream_data, id, arguments),
        };
        self.settle_data(machine, id, flow, answer.map(|answer| answer.unwrap_or(0) == 0))
    }

    fn settle_data<E>(&self, machine: &mut Machine, id: u32, flow: Flow, goes_on: Result<bool, E>) -> Delivery {
        let Ok(goes_on) = goes_on else {
            machine.close_connection(id, CloseReason::PluginFailed);
            return Delivery::held();
        };
        if let Some(tcp) = machine.host().tcp(id) {
            flow.of(tcp).available = false;
        }
        machine.settle_connections();
        // Nothing passes a closed connection, whatever the plugin answered.
        let Some(tcp) = machine.host().tcp(id) else {
            return Delivery::held();
        };
        let mut forwarded = match flow {
            Flow::Downstream => std::mem::take(&mut self.link.borrow_mut().released),
            Flow::Upstream => Vec::new(),
        };
        if goes_on {
            tcp.established = true;
            forwarded.append(&mut flow.of(tcp).bytes);
        }
        let action = if goes_on { Action::Continue } else { Action::Pause };
        Delivery { action, forwarded }
    }

    /// Bytes that the plugin let pass outside of a data callback, from a timer for example.
    #[must_use]
    pub fn take_released(&self) -> Vec<u8> {
        std::mem::take(&mut self.link.borrow_mut().released)
    }

    /// Opens an HTTP stream over this connection. It sees the connection's filter state; what the
    /// plugin sets for the request is not visible on the connection.
    #[must_use]
    pub fn http(&self, request: Request) -> HttpStream {
        HttpStream::open(self.vm.clone(), Rc::clone(&self.link), request)
    }

    /// A peer closes the connection.
    pub fn close(&mut self, by: Peer) {
        if self.closed().is_some() {
            return;
        }
        let machine = &mut *self.vm.machine.borrow_mut();
        match self.context.filter(|_| machine.generation == self.generation) {
            Some(id) => machine.close_connection(id, CloseReason::Peer(by)),
            None => self.link.borrow_mut().closed = Some(CloseReason::Peer(by)),
        }
    }

    /// Why the connection is closed; `None` while it is open.
    #[must_use]
    pub fn closed(&self) -> Option<CloseReason> {
        self.link.borrow().closed
    }

    /// Filter state of the connection. What a plugin sets as `k` is at `wasm.k`.
    #[must_use]
    pub fn filter_state(&self, key: &str) -> Option<Vec<u8>> {
        self.link.borrow().filter_state.get(key).map(<[u8]>::to_vec)
    }

    /// The plugin's number for this connection, for tests of `proxy_set_effective_context`.
    #[must_use]
    pub fn context_id(&self) -> Option<u32> {
        self.context
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        // A test that panics inside a call drops its streams while the machine is borrowed.
        if self.vm.machine.try_borrow_mut().is_ok() {
            self.close(Peer::Remote);
        }
    }
}

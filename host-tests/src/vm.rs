//! A virtual machine with one plugin in it: what one worker thread of the proxy has.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;

use crate::config::VmConfig;
use crate::connection::Connection;
use crate::counters::Counters;
use crate::http::HttpStream;
use crate::link::Link;
use crate::machine::{Health, Machine};
use crate::plugin::Plugin;
use crate::process::Process;
use crate::request::Request;
use crate::state::LogLine;
use crate::tcp::TcpStream;
use crate::trap::Trap;
use crate::update::Update;

/// One virtual machine. Clones are handles to the same one. It stays on one thread, and shares
/// nothing with others but what [`VmConfig::process`] says.
#[derive(Clone)]
pub struct Vm {
    pub(crate) machine: Rc<RefCell<Machine>>,
}

impl Vm {
    /// Instantiates the plugin. It is not configured yet: traffic is refused until it is.
    ///
    /// # Errors
    /// If the plugin cannot be instantiated, traps in its start function, or `config.fuel` is set
    /// for a plugin without fuel.
    pub fn new(plugin: &Plugin, config: VmConfig) -> Result<Self> {
        let machine = Machine::start(plugin, config)?;
        Ok(Self {
            machine: Rc::new(RefCell::new(machine)),
        })
    }

    /// Gives this virtual machine a configuration, without a canary: a new root context is created,
    /// started and configured. If the plugin accepts, new streams use it, and the root context from
    /// before goes away with its last stream; if not, the new one is deleted and nothing changes.
    ///
    /// # Errors
    /// If the plugin is dead or traps.
    pub fn configure(&self, configuration: &[u8]) -> Result<bool, Trap> {
        let mut machine = self.machine.borrow_mut();
        let accepted = machine.configure(configuration);
        machine.settle_connections();
        accepted
    }

    /// Pushes a configuration the way Envoy does: to a fresh canary first, and to this virtual
    /// machine only if the canary accepts. See [`Update`] for what that leads to.
    pub fn configure_like_envoy(&self, configuration: &[u8]) -> Update {
        let mut machine = self.machine.borrow_mut();
        let update = machine.update(configuration);
        machine.settle_connections();
        update
    }

    /// Opens a connection with the plugin as network filter. Nothing is called until
    /// [`TcpStream::new_connection`].
    #[must_use]
    pub fn tcp(&self, connection: Connection) -> TcpStream {
        TcpStream::new(self.clone(), connection)
    }

    /// Sends a request over a connection that has the plugin as HTTP filter only. For a connection
    /// with both filters see [`TcpStream::http`].
    #[must_use]
    pub fn http(&self, connection: Connection, request: Request) -> HttpStream {
        HttpStream::open(self.clone(), Rc::new(RefCell::new(Link::new(connection))), request)
    }

    /// Fires the timer of every root context that set one, those included that were replaced but still have streams.
    /// Says how many had. Streams that the plugin ends now are over at once: see [`HttpStream::poll`] for theirs.
    ///
    /// # Errors
    /// If the plugin is dead or traps.
    pub fn tick(&self) -> Result<usize, Trap> {
        let mut machine = self.machine.borrow_mut();
        let roots: Vec<u32> = machine.host().contexts.keys().copied().collect();
        let timed = |id: &u32, machine: &mut Machine| machine.host().root(*id).is_some_and(|root| root.tick_period > 0);
        let roots: Vec<u32> = roots.into_iter().filter(|id| timed(id, &mut machine)).collect();
        for root in &roots {
            machine.call(|exports| &exports.tick, *root, *root)?;
            machine.settle_connections();
            machine.settle_requests();
        }
        Ok(roots.len())
    }

    /// Tells root contexts about shared queues that have items. Says how many calls that took.
    ///
    /// # Errors
    /// If the plugin is dead or traps.
    pub fn deliver_queues(&self) -> Result<usize, Trap> {
        let mut machine = self.machine.borrow_mut();
        let mut delivered = 0;
        for (token, root) in machine.host().queues.clone() {
            if machine.host().config.process.queue_len(token) > 0 {
                machine.call(|exports| &exports.queue_ready, root, (root, token))?;
                delivered += 1;
            }
        }
        Ok(delivered)
    }

    /// Replaces the instance by a new one with the last accepted configuration, as `FAIL_RELOAD`
    /// does after a trap. Streams of the old one are refused from then on. `false` if the new one
    /// does not come up.
    #[must_use]
    pub fn reload(&self) -> bool {
        self.machine.borrow_mut().reload()
    }

    /// Whether the plugin trapped: then every stream is refused.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.machine.borrow().is_dead()
    }

    /// Whether an update failed in the way that makes Envoy pass all traffic unfiltered.
    #[must_use]
    pub fn fails_open(&self) -> bool {
        matches!(self.machine.borrow().health, Health::FailsOpen)
    }

    /// The trap that killed the plugin.
    #[must_use]
    pub fn trap(&self) -> Option<Trap> {
        match &self.machine.borrow().health {
            Health::Dead(trap) => Some(trap.clone()),
            Health::Alive | Health::FailsOpen => None,
        }
    }

    /// All log lines so far, those of canaries and of instances before a reload included.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.machine.borrow_mut().host().logs.clone()
    }

    /// The log lines since the last call.
    #[must_use]
    pub fn take_logs(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.machine.borrow_mut().host().logs)
    }

    /// Costs since the start or the last [`Vm::take_counters`].
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.machine.borrow_mut().host().counters.clone()
    }

    /// Costs since the last call.
    #[must_use]
    pub fn take_counters(&self) -> Counters {
        std::mem::take(&mut self.machine.borrow_mut().host().counters)
    }

    /// The process that this virtual machine belongs to.
    #[must_use]
    pub fn process(&self) -> Process {
        self.machine.borrow_mut().host().config.process.clone()
    }

    /// The value of a counter or gauge of the process.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<u64> {
        self.process().metric(name)
    }

    /// All counters and gauges of the process.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, u64> {
        self.process().metrics()
    }

    /// Moves the clock. Timers fire on [`Vm::tick`] only.
    pub fn advance(&self, by: Duration) {
        let mut machine = self.machine.borrow_mut();
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let host = machine.host();
        host.clock = host.clock.saturating_add(nanos);
    }

    /// How many contexts the plugin has, root contexts included. A plugin in which this grows with
    /// traffic leaks.
    #[must_use]
    pub fn live_contexts(&self) -> usize {
        self.machine.borrow_mut().host().contexts.len()
    }

    /// The size of the plugin's memory. It never shrinks.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let mut machine = self.machine.borrow_mut();
        let memory = machine.host().memory;
        memory.map_or(0, |memory| memory.data_size(&machine.store))
    }

    /// The fuel that the last callback burnt; 0 for a plugin without fuel. It is the same on every
    /// run, and so a better measure of work than time.
    #[must_use]
    pub fn fuel_used(&self) -> u64 {
        self.machine.borrow().fuel_used
    }
}

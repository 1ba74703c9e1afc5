//! One running instance of a plugin: calls into it, its health, and its contexts.

use anyhow::{Result, bail};
use wasmtime::{Instance, Memory, Store, WasmParams, WasmResults};

use crate::config::VmConfig;
use crate::delivery::CloseReason;
use crate::exports::{Exports, Hook, function};
use crate::plugin::Plugin;
use crate::state::{Context, Host, Kind, LogLevel};
use crate::trap::Trap;

/// The exported global in which a plugin says where in its memory it counts its allocations, as a number of 32 bits.
pub const ALLOCATIONS: &str = "portcullis_allocations";

/// Whether a plugin can be called, and what happens to traffic if not.
#[derive(Debug, Clone)]
pub(crate) enum Health {
    Alive,
    /// It trapped. Traffic is refused.
    Dead(Trap),
    /// The proxy failed to configure it outside the canary. Traffic passes unfiltered.
    FailsOpen,
}

pub(crate) struct Machine {
    pub(crate) plugin: Plugin,
    pub(crate) store: Store<Host>,
    exports: Exports,
    pub(crate) health: Health,
    /// Counts reloads: contexts of an earlier generation are gone.
    pub(crate) generation: u32,
    /// The root context that new streams belong to.
    pub(crate) root: Option<u32>,
    /// The last configuration that was accepted.
    pub(crate) configuration: Option<Vec<u8>>,
    pub(crate) fuel_used: u64,
    last_context: u32,
    /// Where the plugin counts its allocations, if it does.
    allocations_at: Option<usize>,
}

impl Machine {
    /// Instantiates the plugin and runs its start function.
    pub(crate) fn start(plugin: &Plugin, config: VmConfig) -> Result<Self> {
        if config.fuel.is_some() && !plugin.metered {
            bail!("fuel needs a plugin that was loaded with `Plugin::load_metered`");
        }
        let mut store = Store::new(plugin.module.engine(), Host::new(config));
        store.limiter(|host| &mut host.limits);
        if plugin.metered {
            store.set_fuel(u64::MAX)?;
        }
        let instance = plugin.linker.instantiate(&mut store, &plugin.module)?;
        let memory = instance.get_memory(&mut store, "memory");
        // SDKs export either name; Envoy asks for them in this order.
        let allocator = match function(instance, &mut store, "malloc")? {
            Some(malloc) => Some(malloc),
            None => function(instance, &mut store, "proxy_on_memory_allocate")?,
        };
        let allocations_at = allocations_at(instance, &mut store);
        store.data_mut().memory = memory;
        store.data_mut().allocator = allocator;
        let exports = Exports::bind(instance, &mut store)?;
        for name in ["_initialize", "_start"] {
            if let Some(start) = function::<(), ()>(instance, &mut store, name)? {
                store.data_mut().callback = name;
                start.call(&mut store, ()).map_err(|error| Trap::new(name, &error))?;
                break;
            }
        }
        Ok(Self {
            plugin: plugin.clone(),
            store,
            exports,
            health: Health::Alive,
            generation: 0,
            root: None,
            configuration: None,
            fuel_used: 0,
            last_context: 0,
            allocations_at,
        })
    }

    pub(crate) fn host(&mut self) -> &mut Host {
        self.store.data_mut()
    }

    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.health, Health::Dead(_))
    }

    /// Creates a context on the host's side. Identifiers are never used twice in one instance.
    pub(crate) fn add_context(&mut self, root: Option<u32>, kind: Kind) -> u32 {
        self.last_context += 1;
        let id = self.last_context;
        self.host().contexts.insert(
            id,
            Context {
                root: root.unwrap_or(id),
                kind,
            },
        );
        id
    }

    /// Calls back into the plugin on behalf of `context`. `None` means that the plugin has no such
    /// callback. A trap kills the instance.
    pub(crate) fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        pick: fn(&Exports) -> &Hook<P, R>,
        context: u32,
        params: P,
    ) -> Result<Option<R>, Trap> {
        match &self.health {
            Health::Alive => {}
            Health::Dead(trap) => return Err(trap.clone()),
            Health::FailsOpen => return Ok(None),
        }
        let Hook { name, func: Some(func) } = pick(&self.exports) else {
            return Ok(None);
        };
        let (name, func) = (*name, func.clone());
        let host = self.store.data_mut();
        (host.current, host.effective, host.callback) = (context, None, name);
        let fuel = host.config.fuel.unwrap_or(u64::MAX);
        let allocations = self.allocations();
        let outcome = match self.plugin.metered {
            true => self
                .store
                .set_fuel(fuel)
                .and_then(|()| func.call(&mut self.store, params)),
            false => func.call(&mut self.store, params),
        };
        if let Ok(left) = self.store.get_fuel() {
            self.fuel_used = fuel.saturating_sub(left);
        }
        let (fuel, allocations) = (self.fuel_used, self.allocations().wrapping_sub(allocations));
        self.host().counters.callback(name, fuel, allocations);
        match outcome {
            Ok(result) => {
                self.delete_released_roots();
                Ok(Some(result))
            }
            Err(error) => {
                let trap = Trap::new(name, &error);
                self.host().log(LogLevel::Critical, trap.to_string().as_bytes());
                self.health = Health::Dead(trap.clone());
                Err(trap)
            }
        }
    }

    /// The plugin's own count of its allocations; 0 if it does not count.
    fn allocations(&mut self) -> u32 {
        let at = self.allocations_at.zip(self.host().memory);
        let read = |(at, memory): (usize, Memory)| {
            let bytes = memory.data(&self.store).get(at..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        at.and_then(read).unwrap_or_default()
    }

    /// Carries out what the plugin asked of connections, its own or another's: the proxy does so
    /// after the callback, never inside it.
    pub(crate) fn settle_connections(&mut self) {
        let asked: Vec<(u32, CloseReason)> = (self.host().contexts.iter_mut())
            .filter_map(|(id, context)| match &mut context.kind {
                Kind::Tcp(tcp) => {
                    if std::mem::take(&mut tcp.resumed) {
                        tcp.link.borrow_mut().release(&mut tcp.downstream.bytes);
                    }
                    tcp.close.take().map(|reason| (*id, reason))
                }
                Kind::Root(_) | Kind::Http(_) => None,
            })
            .collect();
        for (id, reason) in asked {
            self.close_connection(id, reason);
        }
    }

    /// Ends a network stream: the plugin is told, and the context goes away.
    pub(crate) fn close_connection(&mut self, id: u32, reason: CloseReason) {
        let Some(tcp) = self.host().tcp(id) else { return };
        tcp.link.borrow_mut().closed.get_or_insert(reason);
        // A plugin that dies now is dead for the next stream; this connection is closed anyway.
        let told = self.call(|exports| &exports.downstream_close, id, (id, reason.peer_type()));
        let done = told.and_then(|_| self.call(|exports| &exports.done, id, id));
        let logged = done.and_then(|_| self.call(|exports| &exports.log, id, id));
        if logged.is_ok() {
            // A trap here is remembered as the health of the instance.
            let _ = self.call(|exports| &exports.delete, id, id);
        }
        self.forget(id);
    }

    /// Removes a stream's context on the host's side, and its root if that was replaced.
    pub(crate) fn forget(&mut self, id: u32) {
        if let Some(context) = self.host().contexts.remove(&id) {
            self.reap(context.root);
        }
    }

    /// Lets a replaced root context go once its last stream is gone.
    pub(crate) fn reap(&mut self, root: u32) {
        let idle = !self.host().has_streams(root);
        match self.host().root(root) {
            Some(state) if idle && state.retired && !state.awaits_done => {}
            Some(_) | None => return,
        }
        match self.call(|exports| &exports.done, root, root) {
            Ok(Some(0)) => {
                if let Some(state) = self.host().root(root) {
                    state.awaits_done = true;
                }
            }
            Ok(Some(_) | None) => self.delete_root(root),
            Err(_) => {
                self.host().contexts.remove(&root);
            }
        }
    }

    fn delete_root(&mut self, root: u32) {
        // A trap here is remembered as the health of the instance.
        let _ = self.call(|exports| &exports.delete, root, root);
        self.host().contexts.remove(&root);
    }

    fn delete_released_roots(&mut self) {
        for root in std::mem::take(&mut self.host().deletions) {
            self.delete_root(root);
        }
    }
}

fn allocations_at(instance: Instance, store: &mut Store<Host>) -> Option<usize> {
    let global = instance.get_global(&mut *store, ALLOCATIONS)?;
    usize::try_from(global.get(store).i32()?).ok()
}

//! The plugin in one VM: takes configurations, and makes the filters.

use core::{
    cell::{OnceCell, RefCell},
    fmt,
    hint::black_box,
};
use std::rc::Rc;

use crate::{
    config::{Configuration, MAX_SIZE},
    host::{Host, HostError, Level},
    http::HttpFilter,
    policy::{Current, Plugin, PluginId, Policy},
    stream::NetworkFilter,
    vm::Vm,
};

const PLUGIN_NAME: &str = "plugin_name";
const PLUGIN_ROOT_ID: &str = "plugin_root_id";
/// How soon after a policy, and how often until all that is open was asked about.
const TICK_MILLISECONDS: u32 = 50;
/// How much that is open is judged in one go: what is in flight must not wait for long.
const BATCH: usize = 256;

/// A root context: one configuration of one plugin.
pub(crate) struct Root<H: Host> {
    id: u32,
    vm: Rc<Vm<H>>,
    plugin: OnceCell<Rc<Plugin>>,
    current: RefCell<Current>,
}

/// Why a configuration does not come into force.
enum ConfigureError {
    /// Its bytes are wrong. The reason is a function of the bytes alone.
    Invalid(String),
    /// The host did not hand it over.
    Unreadable(HostError),
    /// The host handed over another size than it announced.
    Truncated { announced: usize, received: usize },
    /// There is no memory for it.
    TooLarge { size: usize },
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(reason) => f.write_str(reason),
            Self::Unreadable(error) => write!(f, "the host does not hand it over: {error}"),
            Self::Truncated { announced, received } => write!(f, "{received} of {announced} bytes arrived"),
            Self::TooLarge { size } => write!(f, "no memory for its {size} bytes"),
        }
    }
}

impl<H: Host> Root<H> {
    pub(crate) fn new(vm: Rc<Vm<H>>, id: u32) -> Self {
        Self {
            id,
            vm,
            plugin: OnceCell::new(),
            current: RefCell::default(),
        }
    }

    /// Brings a configuration of this size into force, all or nothing.
    ///
    /// Envoy tries a configuration in a VM of its own before it reaches the workers. `false` there means that it is
    /// refused and the old one stays; `false` *in a worker* means that traffic is no longer filtered. The two calls
    /// look the same, so `false` is the answer only if the very same bytes must have been refused before. Everything
    /// else (no memory beside the old policy, a panic) keeps the last good policy, or else denies everything.
    pub(crate) fn configure(&self, size: usize) -> bool {
        match self.vm.shield(|| self.try_configure(size)) {
            Some(Ok(policy)) => {
                self.vm.shield(|| self.announce(&policy));
                self.revoke_soon();
                true
            }
            Some(Err(ConfigureError::Invalid(reason))) => {
                self.vm
                    .shield(|| self.reject(Level::Error, &format!("configuration refused: {reason}")));
                false
            }
            failed => {
                let consequence = if self.keep_last_good() {
                    "the last good policy stays in force"
                } else {
                    "everything is denied"
                };
                self.vm.shield(|| {
                    let failure = failed
                        .and_then(Result::err)
                        .map_or("internal error".to_owned(), |e| e.to_string());
                    self.reject(
                        Level::Critical,
                        &format!("configuration failed: {failure}; {consequence}"),
                    );
                });
                true
            }
        }
    }

    fn try_configure(&self, size: usize) -> Result<Rc<Policy>, ConfigureError> {
        let plugin = self.plugin.get_or_init(|| self.find_plugin());
        let bytes = self.read(size)?;
        let (settings, packed) = Configuration::parse(bytes).map_err(ConfigureError::Invalid)?;
        let before = plugin.latest();
        let policy = self.vm.store.policy(settings, packed, before.as_deref());
        plugin.set_latest(&policy);
        self.current.replace(Current::Active(Rc::clone(&policy)));
        Ok(policy)
    }

    /// The plugin that this root configures; without a word from the host it is like no other.
    fn find_plugin(&self) -> Rc<Plugin> {
        let told = |property| self.vm.host.property(property).ok().flatten();
        match (told(PLUGIN_ROOT_ID), told(PLUGIN_NAME)) {
            (Some(root_id), Some(name)) => self.vm.store.plugin(PluginId { root_id, name }),
            _ => Rc::default(),
        }
    }

    /// Goes on with the policy that this root has, or else with that of its predecessor; without any, everything is
    /// denied. Returns whether there is one.
    fn keep_last_good(&self) -> bool {
        let mut current = self.current.borrow_mut();
        if !matches!(*current, Current::Active(_)) {
            let latest = self.plugin.get().and_then(|plugin| plugin.latest());
            *current = latest.map_or(Current::Broken, Current::Active);
        }
        matches!(*current, Current::Active(_))
    }

    fn read(&self, size: usize) -> Result<Vec<u8>, ConfigureError> {
        if size == 0 {
            return Ok(Vec::new());
        }
        if size > MAX_SIZE {
            return Err(ConfigureError::Invalid(format!(
                "it has {size} bytes, more than {MAX_SIZE}: compile a bundle for the workloads of this proxy alone"
            )));
        }
        // The host copies the bytes into memory that it asks of this module; if there is none, that is the end of the
        // VM. So ask first, and do not let the compiler find that nobody uses the answer.
        let mut room = Vec::<u8>::new();
        room.try_reserve_exact(size)
            .map_err(|_| ConfigureError::TooLarge { size })?;
        drop(black_box(room));
        let bytes = self.vm.host.configuration(size).map_err(ConfigureError::Unreadable)?;
        let received = bytes.len();
        if received == size {
            Ok(bytes)
        } else {
            Err(ConfigureError::Truncated {
                announced: size,
                received,
            })
        }
    }

    fn announce(&self, policy: &Policy) {
        self.vm.metrics.show_policy(&self.vm.host, policy);
        let (digest, generation) = (policy.engine.digest(), policy.generation);
        self.vm.host.log(
            Level::Info,
            &format!("policy {digest} is in force, generation {generation}"),
        );
        if policy.only_audits() {
            let message = "all policies are in audit mode: nothing is denied";
            self.vm.host.log(Level::Info, message);
        }
        if let Some(found) = policy.engine.contradiction() {
            let (size, rules) = (found.addresses.len(), &found.rules);
            self.vm.host.log(
                Level::Error,
                &format!(
                    "policies of {size} addresses contradict each other, for example {rules}; \
                     each keeps its last good policy, or is denied if it has none"
                ),
            );
        }
    }

    fn reject(&self, level: Level, message: &str) {
        self.vm.metrics.count_rejection(&self.vm.host);
        self.vm.host.log(level, message);
    }

    /// For a new connection. That Envoy takes this root for it means that its policy is the one in force.
    pub(crate) fn network_filter(&self) -> NetworkFilter<H> {
        let current = self.current.borrow().clone();
        if let (Current::Active(policy), Some(plugin)) = (&current, self.plugin.get())
            && plugin.set_latest(policy)
        {
            self.vm.shield(|| self.vm.metrics.show_policy(&self.vm.host, policy));
            self.revoke_soon();
        }
        NetworkFilter::new(Rc::clone(&self.vm), current, self.plugin.get().cloned())
    }

    /// For a new request. It says nothing of what is in force: while a policy arrives, the HTTP filters of Envoy may be
    /// a moment behind its network filters.
    pub(crate) fn http_filter(&self) -> HttpFilter<H> {
        let current = self.current.borrow().clone();
        HttpFilter::new(Rc::clone(&self.vm), current, self.plugin.get().cloned())
    }

    /// Judges again what an earlier policy allowed, some of it, until there is no more.
    pub(crate) fn tick(&self) {
        self.vm.shield(|| {
            let outdated = self.vm.contexts.outdated(BATCH);
            for id in &outdated {
                match self.vm.host.act_for(*id) {
                    Ok(()) => self.vm.contexts.judge_again(*id),
                    // It is over, and the host only forgot to say so.
                    Err(_) => self.vm.contexts.delete(*id),
                }
            }
            let _ = self.vm.host.act_for(self.id);
            if outdated.len() < BATCH {
                let _ = self.vm.host.tick_every(0);
            }
        });
    }

    /// A host that cannot call back leaves connections open until their next byte, and requests until their end.
    fn revoke_soon(&self) {
        self.vm.shield(|| {
            if self.vm.contexts.outdated(1).is_empty() {
                return;
            }
            if self.vm.host.tick_every(TICK_MILLISECONDS).is_err() {
                let message = "the host does not call back: what is open is not closed when policy takes it back";
                self.vm.host.log(Level::Error, message);
            }
        });
    }
}

#[cfg(test)]
impl<H: Host> Root<H> {
    /// The policy that new streams get.
    pub(crate) fn policy(&self) -> Option<Rc<Policy>> {
        self.current.borrow().policy().ok().cloned()
    }
}

#[cfg(test)]
mod tests;

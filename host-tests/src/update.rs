//! Configuration and its updates, the way Envoy runs them.

use crate::config::VmConfig;
use crate::machine::{Health, Machine};
use crate::plugin::Plugin;
use crate::state::{Kind, Root};
use crate::trap::{Trap, TrapKind};

/// What became of a pushed configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// Every virtual machine took it.
    Accepted,
    /// The canary refused it or died of it, or an earlier failure poisoned the plugin. The
    /// configuration from before stays in force.
    Rejected(Option<Trap>),
    /// The canary took it, the live virtual machine did not. **Envoy then lets all traffic through,
    /// unfiltered**, until the process restarts.
    FailsOpen(Option<Trap>),
}

impl Machine {
    /// Creates a root context for `configuration` and, if the plugin accepts it, retires the one
    /// before. A refused root context is deleted.
    pub(crate) fn configure(&mut self, configuration: &[u8]) -> Result<bool, Trap> {
        let root = self.add_context(None, Kind::Root(Root::default()));
        let accepted = self.start_root(root, configuration)?;
        self.expose_configuration(root, None);
        let retired = if accepted { self.root.replace(root) } else { Some(root) };
        if accepted {
            self.configuration = Some(configuration.to_vec());
        }
        if let Some(retired) = retired {
            if let Some(state) = self.host().root(retired) {
                state.retired = true;
            }
            self.reap(retired);
        }
        Ok(accepted)
    }

    fn start_root(&mut self, root: u32, configuration: &[u8]) -> Result<bool, Trap> {
        self.expose_configuration(root, Some(configuration));
        self.call(|exports| &exports.context_create, root, (root, 0))?;
        self.expose_configuration(root, None);
        let size = abi_size(&self.host().config.vm_configuration);
        let started = self.call(|exports| &exports.vm_start, root, (root, size))?;
        if started == Some(0) {
            return Ok(false);
        }
        self.expose_configuration(root, Some(configuration));
        let size = abi_size(configuration);
        let accepted = self.call(|exports| &exports.configure, root, (root, size))?;
        Ok(accepted != Some(0))
    }

    /// Makes the plugin configuration readable, or hides it: most callbacks do not have it.
    fn expose_configuration(&mut self, root: u32, configuration: Option<&[u8]>) {
        if let Some(state) = self.host().root(root) {
            state.configuration = configuration.map(<[u8]>::to_vec);
        }
    }

    /// Configures a fresh canary first, and this instance only if the canary accepts.
    pub(crate) fn update(&mut self, configuration: &[u8]) -> Update {
        if matches!(self.health, Health::FailsOpen) {
            return Update::Rejected(None);
        }
        let config = self.host().config.clone();
        let plugin = self.plugin.clone();
        match self.try_canary(&plugin, config, configuration) {
            Ok(true) => {}
            Ok(false) => return Update::Rejected(None),
            Err(trap) => return Update::Rejected(trap),
        }
        // An update heals a dead plugin: it gets a new instance.
        if self.is_dead() && !self.restart() {
            return Update::Rejected(None);
        }
        match self.configure(configuration) {
            Ok(true) => Update::Accepted,
            Ok(false) => {
                self.health = Health::FailsOpen;
                Update::FailsOpen(None)
            }
            Err(trap) => {
                self.health = Health::FailsOpen;
                Update::FailsOpen(Some(trap))
            }
        }
    }

    fn try_canary(&mut self, plugin: &Plugin, config: VmConfig, configuration: &[u8]) -> Result<bool, Option<Trap>> {
        let mut canary = Self::start(plugin, config).map_err(|_| None)?;
        let accepted = canary.configure(configuration).map_err(Some);
        // The canary writes to the same log.
        let lines = std::mem::take(&mut canary.host().logs);
        self.host().logs.extend(lines);
        accepted
    }

    /// Replaces a dead instance by a new one with the last good configuration. `false` if the new
    /// one does not come up; then nothing changes.
    pub(crate) fn reload(&mut self) -> bool {
        let configuration = self.configuration.clone();
        if !self.restart() {
            return false;
        }
        let Some(configuration) = configuration else {
            return true;
        };
        match self.configure(&configuration) {
            Ok(true) => true,
            Ok(false) => {
                self.health = Health::Dead(Trap {
                    callback: "proxy_on_configure",
                    kind: TrapKind::Other,
                    message: "the plugin refused its own configuration after a reload".to_owned(),
                });
                false
            }
            Err(_) => false,
        }
    }

    fn restart(&mut self) -> bool {
        let config = self.host().config.clone();
        let Ok(mut fresh) = Self::start(&self.plugin, config) else {
            return false;
        };
        let old = self.host();
        let (clock, mut logs) = (old.clock, std::mem::take(&mut old.logs));
        let counters = std::mem::take(&mut old.counters);
        let host = fresh.host();
        logs.append(&mut host.logs);
        (host.clock, host.logs, host.counters) = (clock, logs, counters);
        fresh.generation = self.generation + 1;
        fresh.configuration = self.configuration.take();
        *self = fresh;
        true
    }
}

/// A length as the ABI passes it.
pub(crate) fn abi_size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

//! How a virtual machine is set up: what an operator writes in Envoy's `vm_config` and `node`.

use std::collections::{BTreeMap, BTreeSet};

use crate::metadata::MetadataValue;
use crate::process::Process;
use crate::state::LogLevel;

/// Settings of one virtual machine. Start from [`Default`] and change what the test is about.
#[derive(Debug, Clone)]
pub struct VmConfig {
    /// `root_id`: which root context of the plugin serves this filter.
    pub root_id: String,
    /// The name of the filter's plugin configuration.
    pub plugin_name: String,
    /// Virtual machines with the same `vm_id` share data and queues.
    pub vm_id: String,
    /// What `proxy_on_vm_start` finds in the VM configuration buffer.
    pub vm_configuration: Vec<u8>,
    /// The proxy's node.
    pub node: Node,
    /// The callbacks and host calls that are allowed. `None` or an empty set allows everything.
    pub capabilities: Option<BTreeSet<String>>,
    /// How far the plugin's memory may grow, in bytes. Envoy stops at 1 GiB.
    pub memory_limit: usize,
    /// How much fuel each callback may burn before it traps; needs
    /// [`Plugin::load_metered`](crate::Plugin::load_metered).
    pub fuel: Option<u64>,
    /// Environment variables, readable through WASI only.
    pub environment: BTreeMap<String, String>,
    /// What `proxy_get_log_level` answers. All log lines are kept, whatever their level.
    pub log_level: LogLevel,
    /// The clock at start, in nanoseconds since 1970.
    pub clock: u64,
    /// The process that this virtual machine belongs to.
    pub process: Process,
}

/// Who the proxy says it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// `node.id`.
    pub id: String,
    /// `node.cluster`.
    pub cluster: String,
    /// `node.locality.zone`.
    pub zone: String,
    /// `node.metadata`.
    pub metadata: BTreeMap<String, MetadataValue>,
}

/// 2026-01-01T00:00:00Z.
const START_OF_2026: u64 = 1_767_225_600_000_000_000;

impl Default for VmConfig {
    fn default() -> Self {
        Self {
            root_id: "portcullis".to_owned(),
            plugin_name: "portcullis".to_owned(),
            vm_id: "portcullis".to_owned(),
            vm_configuration: Vec::new(),
            node: Node::default(),
            capabilities: None,
            memory_limit: 1 << 30,
            fuel: None,
            environment: BTreeMap::new(),
            log_level: LogLevel::Info,
            clock: START_OF_2026,
            process: Process::default(),
        }
    }
}

impl VmConfig {
    /// Allows only these callbacks and host calls.
    #[must_use]
    pub fn allow_only<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.capabilities = Some(names.into_iter().map(str::to_owned).collect());
        self
    }

    pub(crate) fn allows(&self, name: &str) -> bool {
        let capabilities = self.capabilities.as_ref();
        capabilities.is_none_or(|allowed| allowed.is_empty() || allowed.contains(name))
    }
}

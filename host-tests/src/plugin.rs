//! A compiled plugin.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use wasmtime::{Collector, Config, Engine, Linker, Module, Store};

use crate::abi;
use crate::config::VmConfig;
use crate::state::Host;

/// A compiled plugin with the host calls it is linked to. Compile once, clone freely: clones share
/// the code, and each [`Vm`](crate::Vm) has its own memory.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) module: Module,
    pub(crate) linker: Linker<Host>,
    pub(crate) metered: bool,
}

/// About V8's default: recursion that Envoy survives must survive here.
const STACK_BYTES: usize = 1 << 20;

impl Plugin {
    /// Compiles the plugin at `path`.
    ///
    /// # Errors
    /// If the file cannot be read, is not a module, or imports what this host does not provide.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        Self::from_bytes(&bytes).with_context(|| format!("load {}", path.display()))
    }

    /// The same, with fuel: callbacks can be bounded and their cost compared, but run slower.
    ///
    /// # Errors
    /// As [`Plugin::load`].
    pub fn load_metered(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        Self::compile(&bytes, true).with_context(|| format!("load {}", path.display()))
    }

    /// Compiles a plugin from the bytes of a wasm module.
    ///
    /// # Errors
    /// If they are not a module, or it imports what this host does not provide.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::compile(bytes, false)
    }

    /// The same, with fuel.
    ///
    /// # Errors
    /// As [`Plugin::from_bytes`].
    pub fn from_bytes_metered(bytes: &[u8]) -> Result<Self> {
        Self::compile(bytes, true)
    }

    fn compile(bytes: &[u8], metered: bool) -> Result<Self> {
        let mut config = Config::new();
        // Exceptions are objects of the collector; without a real one, caught panics would leak.
        config.wasm_exceptions(true);
        config.wasm_function_references(true);
        config.wasm_gc(true);
        config.collector(Collector::DeferredReferenceCounting);
        config.consume_fuel(metered);
        config.max_wasm_stack(STACK_BYTES);
        let engine = Engine::new(&config)?;
        let module = Module::new(&engine, bytes)?;
        let linker = abi::linker(&engine)?;
        refuse_unknown_imports(&module, &linker)?;
        Ok(Self {
            module,
            linker,
            metered,
        })
    }
}

fn refuse_unknown_imports(module: &Module, linker: &Linker<Host>) -> Result<()> {
    // A linker answers for a store only, even about functions that belong to none.
    let mut store = Store::new(module.engine(), Host::new(VmConfig::default()));
    let unknown: Vec<String> = (module.imports())
        .filter(|import| linker.get_by_import(&mut store, import).is_none())
        .map(|import| format!("`{}::{}`", import.module(), import.name()))
        .collect();
    if !unknown.is_empty() {
        bail!(
            "the plugin imports what this host does not provide: {}",
            unknown.join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_on_many_threads_can_share_a_plugin() {
        fn is_shareable<T: Send + Sync + Clone>() {}
        is_shareable::<Plugin>();
    }
}

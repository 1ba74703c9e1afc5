//! The exports of a plugin: one hook for each callback of the ABI.

use anyhow::{Context as _, Result};
use wasmtime::{Instance, Store, TypedFunc, WasmParams, WasmResults};

use crate::config::VmConfig;
use crate::state::Host;

/// One callback. It has no function if the plugin does not export it or may not be called with it;
/// the host then goes on as if the plugin had answered "continue".
pub(crate) struct Hook<P, R> {
    pub(crate) name: &'static str,
    pub(crate) func: Option<TypedFunc<P, R>>,
}

/// Every callback that this host makes.
pub(crate) struct Exports {
    pub(crate) context_create: Hook<(u32, u32), ()>,
    pub(crate) vm_start: Hook<(u32, u32), u32>,
    pub(crate) configure: Hook<(u32, u32), u32>,
    pub(crate) tick: Hook<u32, ()>,
    pub(crate) queue_ready: Hook<(u32, u32), ()>,
    pub(crate) new_connection: Hook<u32, u32>,
    pub(crate) downstream_data: Hook<(u32, u32, u32), u32>,
    pub(crate) upstream_data: Hook<(u32, u32, u32), u32>,
    pub(crate) downstream_close: Hook<(u32, u32), ()>,
    pub(crate) upstream_close: Hook<(u32, u32), ()>,
    pub(crate) request_headers: Hook<(u32, u32, u32), u32>,
    pub(crate) request_body: Hook<(u32, u32, u32), u32>,
    pub(crate) response_headers: Hook<(u32, u32, u32), u32>,
    pub(crate) response_body: Hook<(u32, u32, u32), u32>,
    pub(crate) log: Hook<u32, ()>,
    pub(crate) done: Hook<u32, u32>,
    pub(crate) delete: Hook<u32, ()>,
}

impl Exports {
    pub(crate) fn bind(instance: Instance, store: &mut Store<Host>) -> Result<Self> {
        let config = store.data().config.clone();
        let mut binder = Binder {
            instance,
            store,
            config: &config,
        };
        Ok(Self {
            context_create: binder.hook("proxy_on_context_create")?,
            vm_start: binder.hook("proxy_on_vm_start")?,
            configure: binder.hook("proxy_on_configure")?,
            tick: binder.hook("proxy_on_tick")?,
            queue_ready: binder.hook("proxy_on_queue_ready")?,
            new_connection: binder.hook("proxy_on_new_connection")?,
            downstream_data: binder.hook("proxy_on_downstream_data")?,
            upstream_data: binder.hook("proxy_on_upstream_data")?,
            downstream_close: binder.hook("proxy_on_downstream_connection_close")?,
            upstream_close: binder.hook("proxy_on_upstream_connection_close")?,
            request_headers: binder.hook("proxy_on_request_headers")?,
            request_body: binder.hook("proxy_on_request_body")?,
            response_headers: binder.hook("proxy_on_response_headers")?,
            response_body: binder.hook("proxy_on_response_body")?,
            log: binder.hook("proxy_on_log")?,
            done: binder.hook("proxy_on_done")?,
            delete: binder.hook("proxy_on_delete")?,
        })
    }
}

struct Binder<'a> {
    instance: Instance,
    store: &'a mut Store<Host>,
    config: &'a VmConfig,
}

impl Binder<'_> {
    fn hook<P: WasmParams, R: WasmResults>(&mut self, name: &'static str) -> Result<Hook<P, R>> {
        let func = match self.config.allows(name) {
            true => function(self.instance, self.store, name)?,
            false => None,
        };
        Ok(Hook { name, func })
    }
}

/// The exported function `name`, if there is one.
pub(crate) fn function<P: WasmParams, R: WasmResults>(
    instance: Instance,
    store: &mut Store<Host>,
    name: &str,
) -> Result<Option<TypedFunc<P, R>>> {
    let Some(func) = instance.get_func(&mut *store, name) else {
        return Ok(None);
    };
    let typed = func.typed(&*store).map_err(anyhow::Error::from);
    Ok(Some(typed.with_context(|| {
        format!("the plugin exports {name} with another signature")
    })?))
}

//! Properties and the effective context.

use wasmtime::{Caller, Linker};

use super::{Status, serve};
use crate::properties;
use crate::state::Host;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |caller: Caller<'_, Host>, path: u32, path_len: u32, value_at: u32, len_at: u32| {
            serve(caller, "proxy_get_property", |call| {
                let path = call.read(path, path_len)?;
                let value = properties::get(call.host(), &path)?;
                call.give(&value, value_at, len_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_property",
        |caller: Caller<'_, Host>, path: u32, path_len: u32, value: u32, value_len: u32| {
            serve(caller, "proxy_set_property", |call| {
                let path = call.read(path, path_len)?;
                let value = call.read(value, value_len)?;
                Ok(properties::set(call.host(), &path, value)?)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_effective_context",
        |caller: Caller<'_, Host>, context: u32| {
            serve(caller, "proxy_set_effective_context", |call| {
                let host = call.host();
                if !host.contexts.contains_key(&context) {
                    return Err(Status::BadArgument.into());
                }
                host.effective = Some(context);
                Ok(())
            })
        },
    )?;
    Ok(())
}

//! Shared data and shared queues.

use wasmtime::{Caller, Linker};

use super::{Status, serve};
use crate::state::Host;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    link_data(linker)?;
    link_queues(linker)
}

fn link_data(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |caller: Caller<'_, Host>, key: u32, key_len: u32, value_at: u32, len_at: u32, cas_at: u32| {
            serve(caller, "proxy_get_shared_data", |call| {
                let key = call.read(key, key_len)?;
                let config = &call.host().config;
                let found = config.process.shared_data(&config.vm_id, &key);
                let (value, cas) = found.ok_or(Status::NotFound)?;
                call.give(&value, value_at, len_at)?;
                call.write_u32(cas_at, cas)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |caller: Caller<'_, Host>, key: u32, key_len: u32, value: u32, value_len: u32, cas: u32| {
            serve(caller, "proxy_set_shared_data", |call| {
                let key = call.read(key, key_len)?;
                let value = call.read(value, value_len)?;
                let config = &call.host().config;
                Ok(config.process.set_shared_data(&config.vm_id, key, value, cas)?)
            })
        },
    )?;
    Ok(())
}

fn link_queues(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_register_shared_queue",
        |caller: Caller<'_, Host>, name: u32, name_len: u32, token_at: u32| {
            serve(caller, "proxy_register_shared_queue", |call| {
                let name = call.read(name, name_len)?;
                let token = call.host().register_queue(name);
                call.write_u32(token_at, token)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_resolve_shared_queue",
        |caller: Caller<'_, Host>, vm: u32, vm_len: u32, name: u32, name_len: u32, token_at: u32| {
            serve(caller, "proxy_resolve_shared_queue", |call| {
                let vm_id = call.read(vm, vm_len)?;
                let name = call.read(name, name_len)?;
                let config = &call.host().config;
                let own = config.vm_id.as_bytes().to_vec();
                let vm_id = if vm_id.is_empty() { own } else { vm_id };
                let token = config.process.find_queue(&vm_id, &name).ok_or(Status::NotFound)?;
                call.write_u32(token_at, token)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_enqueue_shared_queue",
        |caller: Caller<'_, Host>, token: u32, value: u32, value_len: u32| {
            serve(caller, "proxy_enqueue_shared_queue", |call| {
                let value = call.read(value, value_len)?;
                Ok(call.host().config.process.enqueue(token, value)?)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_dequeue_shared_queue",
        |caller: Caller<'_, Host>, token: u32, value_at: u32, len_at: u32| {
            serve(caller, "proxy_dequeue_shared_queue", |call| {
                let value = call.host().config.process.dequeue(token)?;
                call.give(&value, value_at, len_at)
            })
        },
    )?;
    Ok(())
}

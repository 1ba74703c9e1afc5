//! The imports of a plugin: one file for each family of host calls.
//!
//! Every host call goes through [`serve`], which counts it, applies the capability set, and turns a
//! [`Fault`] into the ABI's answer. Guest memory is touched through [`Call`] only, so that a bad
//! pointer is a status for the guest and never a panic of the host.

mod buffers;
mod calls;
mod headers;
mod logs;
mod metrics;
mod properties;
mod shared;
mod status;
mod streams;
mod wasi;

pub use status::Status;

use wasmtime::{AsContextMut, Caller, Engine, Linker, Memory};

use crate::state::Host;

/// Why a host call did not return `Ok`.
pub(crate) enum Fault {
    /// The guest is told, and goes on.
    Status(Status),
    /// The guest cannot go on: it trapped, or threw, in its allocator, or it asked to exit.
    Trap(wasmtime::Error),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

impl From<wasmtime::Error> for Fault {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

/// The answer of one host call.
pub(crate) type Answer = Result<(), Fault>;

/// All host calls, ready to be linked.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    logs::link(&mut linker)?;
    properties::link(&mut linker)?;
    headers::link(&mut linker)?;
    buffers::link(&mut linker)?;
    streams::link(&mut linker)?;
    shared::link(&mut linker)?;
    metrics::link(&mut linker)?;
    calls::link(&mut linker)?;
    wasi::link(&mut linker)?;
    Ok(linker)
}

/// Runs the body of the host call `name` and answers with its status.
pub(crate) fn serve(
    mut caller: Caller<'_, Host>,
    name: &'static str,
    body: impl FnOnce(&mut Call<'_>) -> Answer,
) -> wasmtime::Result<u32> {
    let host = caller.data_mut();
    host.counters.host_call(host.callback, name);
    if !host.config.allows(name) {
        host.complain(format!("restricted host call: {name}"));
        return Ok(Status::InternalFailure as u32);
    }
    match Call::new(caller).and_then(|mut call| body(&mut call)) {
        Ok(()) => Ok(Status::Ok as u32),
        Err(Fault::Status(status)) => Ok(status as u32),
        Err(Fault::Trap(error)) => Err(error),
    }
}

/// One host call under way: the host's state and the guest's memory.
pub(crate) struct Call<'a> {
    caller: Caller<'a, Host>,
    memory: Memory,
}

impl<'a> Call<'a> {
    fn new(mut caller: Caller<'a, Host>) -> Result<Self, Fault> {
        // The host knows the memory once the instance exists; a start function calls before that.
        let known = caller.data().memory;
        let memory = match known {
            Some(memory) => Some(memory),
            None => caller.get_export("memory").and_then(wasmtime::Extern::into_memory),
        };
        match memory {
            Some(memory) => Ok(Self { caller, memory }),
            None => Err(Status::InvalidMemoryAccess.into()),
        }
    }

    pub(crate) fn host(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    /// A copy of `len` bytes of guest memory.
    pub(crate) fn read(&self, at: u32, len: u32) -> Result<Vec<u8>, Fault> {
        let (at, len) = (at as usize, len as usize);
        let bytes = self
            .memory
            .data(&self.caller)
            .get(at..)
            .and_then(|tail| tail.get(..len));
        Ok(bytes.ok_or(Status::InvalidMemoryAccess)?.to_vec())
    }

    pub(crate) fn write(&mut self, at: u32, bytes: &[u8]) -> Answer {
        let at = at as usize;
        let target = self.memory.data_mut(&mut self.caller).get_mut(at..);
        let target = target.and_then(|tail| tail.get_mut(..bytes.len()));
        target.ok_or(Status::InvalidMemoryAccess)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn write_u32(&mut self, at: u32, value: u32) -> Answer {
        self.write(at, &value.to_le_bytes())
    }

    pub(crate) fn write_u64(&mut self, at: u32, value: u64) -> Answer {
        self.write(at, &value.to_le_bytes())
    }

    /// Hands `bytes` to the guest: allocates in the guest, and stores pointer and length where the
    /// guest asked for them. Nothing is allocated for an empty value; the pointer is then null.
    pub(crate) fn give(&mut self, bytes: &[u8], pointer_at: u32, length_at: u32) -> Answer {
        let length = u32::try_from(bytes.len()).map_err(|_| Status::InvalidMemoryAccess)?;
        let pointer = if bytes.is_empty() { 0 } else { self.allocate(length)? };
        if pointer != 0 {
            self.write(pointer, bytes)?;
        }
        self.write_u32(pointer_at, pointer)?;
        self.write_u32(length_at, length)
    }

    fn allocate(&mut self, length: u32) -> Result<u32, Fault> {
        let host = self.host();
        host.counters.allocation(length);
        let allocator = host.allocator.clone().ok_or(Status::InvalidMemoryAccess)?;
        match allocator.call(self.caller.as_context_mut(), length)? {
            0 => Err(Status::InvalidMemoryAccess.into()),
            pointer => Ok(pointer),
        }
    }
}

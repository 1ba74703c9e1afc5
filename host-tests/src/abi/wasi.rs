//! The few WASI functions that a plugin may import: environment, standard output, clock, exit.
//! Errors are WASI's numbers, not the ABI's.

use wasmtime::{Caller, Linker};

use super::{Answer, Call, Fault};
use crate::state::{Host, LogLevel};

const SUCCESS: u32 = 0;
const BAD_DESCRIPTOR: u32 = 8;
const FAULT: u32 = 21;
const NOT_SUPPORTED: u32 = 58;

/// Both names under which toolchains import WASI.
const MODULES: [&str; 2] = ["wasi_snapshot_preview1", "wasi_unstable"];

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    for module in MODULES {
        link_environment(linker, module)?;
        linker.func_wrap(
            module,
            "fd_write",
            |caller: Caller<'_, Host>, fd: u32, vectors: u32, count: u32, written_at: u32| {
                let level = match fd {
                    1 => LogLevel::Info,
                    2 => LogLevel::Error,
                    _ => return Ok(BAD_DESCRIPTOR),
                };
                errno(caller, "fd_write", |call| {
                    print(call, level, vectors, count, written_at)
                })
            },
        )?;
        linker.func_wrap(
            module,
            "clock_time_get",
            |caller: Caller<'_, Host>, clock: u32, _precision: u64, at: u32| match clock {
                0 => errno(caller, "clock_time_get", |call| {
                    let now = call.host().clock;
                    call.write_u64(at, now)
                }),
                _ => Ok(NOT_SUPPORTED),
            },
        )?;
        linker.func_wrap(
            module,
            "proc_exit",
            |_: Caller<'_, Host>, code: u32| -> wasmtime::Result<()> {
                Err(wasmtime::Error::msg(format!("the plugin exited with code {code}")))
            },
        )?;
    }
    Ok(())
}

fn link_environment(linker: &mut Linker<Host>, module: &str) -> wasmtime::Result<()> {
    linker.func_wrap(
        module,
        "environ_sizes_get",
        |caller: Caller<'_, Host>, count_at: u32, size_at: u32| {
            errno(caller, "environ_sizes_get", |call| {
                let entries = environment(call.host());
                let size: usize = entries.iter().map(Vec::len).sum();
                call.write_u32(count_at, u32::try_from(entries.len()).unwrap_or(u32::MAX))?;
                call.write_u32(size_at, u32::try_from(size).unwrap_or(u32::MAX))
            })
        },
    )?;
    linker.func_wrap(
        module,
        "environ_get",
        |caller: Caller<'_, Host>, mut pointers_at: u32, mut text_at: u32| {
            errno(caller, "environ_get", |call| {
                for entry in environment(call.host()) {
                    call.write_u32(pointers_at, text_at)?;
                    call.write(text_at, &entry)?;
                    pointers_at = pointers_at.saturating_add(4);
                    text_at = text_at.saturating_add(u32::try_from(entry.len()).unwrap_or(u32::MAX));
                }
                Ok(())
            })
        },
    )?;
    Ok(())
}

fn environment(host: &Host) -> Vec<Vec<u8>> {
    let variables = host.config.environment.iter();
    variables
        .map(|(name, value)| format!("{name}={value}\0").into_bytes())
        .collect()
}

fn print(call: &mut Call<'_>, level: LogLevel, vectors: u32, count: u32, written_at: u32) -> Answer {
    let mut text = Vec::new();
    for index in 0..count {
        let vector = call.read(vectors.saturating_add(index.saturating_mul(8)), 8)?;
        let (at, len) = vector.split_at(4);
        text.extend(call.read(word(at), word(len))?);
    }
    call.write_u32(written_at, u32::try_from(text.len()).unwrap_or(u32::MAX))?;
    if let Some(line) = text.strip_suffix(b"\n").or(Some(&text)).filter(|line| !line.is_empty()) {
        call.host().log(level, line);
    }
    Ok(())
}

fn word(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| (value << 8) | u32::from(*byte))
}

fn errno(
    mut caller: Caller<'_, Host>,
    name: &'static str,
    body: impl FnOnce(&mut Call<'_>) -> Answer,
) -> wasmtime::Result<u32> {
    let host = caller.data_mut();
    host.counters.host_call(host.callback, name);
    if !host.config.allows(name) {
        host.complain(format!("restricted host call: {name}"));
        return Ok(NOT_SUPPORTED);
    }
    match Call::new(caller).and_then(|mut call| body(&mut call)) {
        Ok(()) => Ok(SUCCESS),
        Err(Fault::Status(_)) => Ok(FAULT),
        Err(Fault::Trap(error)) => Err(error),
    }
}

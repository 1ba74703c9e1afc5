//! Log lines, clock and timer.

use wasmtime::{Caller, Linker};

use super::{Status, serve};
use crate::state::{Host, LogLevel};

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_log",
        |caller: Caller<'_, Host>, level: u32, at: u32, len: u32| {
            serve(caller, "proxy_log", |call| {
                let level = LogLevel::from_abi(level).ok_or(Status::BadArgument)?;
                let message = call.read(at, len)?;
                call.host().log(level, &message);
                Ok(())
            })
        },
    )?;
    linker.func_wrap("env", "proxy_get_log_level", |caller: Caller<'_, Host>, at: u32| {
        serve(caller, "proxy_get_log_level", |call| {
            let level = call.host().config.log_level;
            call.write_u32(at, level as u32)
        })
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |caller: Caller<'_, Host>, at: u32| {
            serve(caller, "proxy_get_current_time_nanoseconds", |call| {
                let now = call.host().clock;
                call.write_u64(at, now)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_tick_period_milliseconds",
        |caller: Caller<'_, Host>, period: u32| {
            serve(caller, "proxy_set_tick_period_milliseconds", |call| {
                call.host().set_tick_period(period);
                Ok(())
            })
        },
    )?;
    Ok(())
}

//! Metrics.

use wasmtime::{Caller, Linker};

use super::{Status, serve};
use crate::metrics::MetricKind;
use crate::state::Host;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |caller: Caller<'_, Host>, kind: u32, name: u32, name_len: u32, id_at: u32| {
            serve(caller, "proxy_define_metric", |call| {
                let name = call.read(name, name_len)?;
                let kind = MetricKind::from_abi(kind).ok_or(Status::BadArgument)?;
                let name = String::from_utf8_lossy(&name).into_owned();
                let id = call.host().define_metric(kind, name);
                call.write_u32(id_at, id)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |caller: Caller<'_, Host>, id: u32, offset: i64| {
            serve(caller, "proxy_increment_metric", |call| {
                let host = call.host();
                Ok(host.metric_ids.increment(&host.config.process, id, offset)?)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_record_metric",
        |caller: Caller<'_, Host>, id: u32, value: u64| {
            serve(caller, "proxy_record_metric", |call| {
                let host = call.host();
                Ok(host.metric_ids.record(&host.config.process, id, value)?)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_metric",
        |caller: Caller<'_, Host>, id: u32, value_at: u32| {
            serve(caller, "proxy_get_metric", |call| {
                let host = call.host();
                let value = host.metric_ids.get(&host.config.process, id)?;
                call.write_u64(value_at, value)
            })
        },
    )?;
    Ok(())
}

//! Outbound calls and foreign functions. This host makes no calls: each one fails at once, the way
//! a proxy answers that cannot start it. A foreign function is `NotFound`.

use wasmtime::{Caller, Linker};

use super::{Status, serve};
use crate::state::Host;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |caller: Caller<'_, Host>, name: u32, len: u32, args: u32, args_len: u32, _: u32, _: u32| {
            serve(caller, "proxy_call_foreign_function", |call| {
                call.read(name, len)?;
                call.read(args, args_len)?;
                Err(Status::NotFound.into())
            })
        },
    )?;
    link_http(linker)?;
    link_grpc(linker)
}

fn link_http(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |caller: Caller<'_, Host>,
         upstream: u32,
         upstream_len: u32,
         headers: u32,
         headers_len: u32,
         body: u32,
         body_len: u32,
         trailers: u32,
         trailers_len: u32,
         _timeout: u32,
         _token_at: u32| {
            serve(caller, "proxy_http_call", |call| {
                call.read(upstream, upstream_len)?;
                call.read(headers, headers_len)?;
                call.read(body, body_len)?;
                call.read(trailers, trailers_len)?;
                Err(Status::InternalFailure.into())
            })
        },
    )?;
    Ok(())
}

fn link_grpc(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_grpc_call",
        |caller: Caller<'_, Host>,
         _upstream: u32,
         _upstream_len: u32,
         _service: u32,
         _service_len: u32,
         _method: u32,
         _method_len: u32,
         _metadata: u32,
         _metadata_len: u32,
         _message: u32,
         _message_len: u32,
         _timeout: u32,
         _token_at: u32| { serve(caller, "proxy_grpc_call", |_| Err(Status::InternalFailure.into())) },
    )?;
    linker.func_wrap(
        "env",
        "proxy_grpc_stream",
        |caller: Caller<'_, Host>,
         _upstream: u32,
         _upstream_len: u32,
         _service: u32,
         _service_len: u32,
         _method: u32,
         _method_len: u32,
         _metadata: u32,
         _metadata_len: u32,
         _token_at: u32| { serve(caller, "proxy_grpc_stream", |_| Err(Status::InternalFailure.into())) },
    )?;
    // No call was ever started, so no token is known.
    linker.func_wrap(
        "env",
        "proxy_grpc_send",
        |caller: Caller<'_, Host>, _token: u32, message: u32, len: u32, _end: u32| {
            serve(caller, "proxy_grpc_send", |call| {
                call.read(message, len)?;
                Err(Status::NotFound.into())
            })
        },
    )?;
    linker.func_wrap("env", "proxy_grpc_cancel", |caller: Caller<'_, Host>, _token: u32| {
        serve(caller, "proxy_grpc_cancel", |_| Err(Status::NotFound.into()))
    })?;
    linker.func_wrap("env", "proxy_grpc_close", |caller: Caller<'_, Host>, _token: u32| {
        serve(caller, "proxy_grpc_close", |_| Err(Status::NotFound.into()))
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_status",
        |caller: Caller<'_, Host>, code_at: u32, message_at: u32, len_at: u32| {
            serve(caller, "proxy_get_status", |call| {
                call.write_u32(code_at, 0)?;
                call.give(b"", message_at, len_at)
            })
        },
    )?;
    Ok(())
}

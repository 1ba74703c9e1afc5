//! Control of streams: continue, close, local reply, done.

use wasmtime::{Caller, Linker};

use super::{Status, serve};
use crate::delivery::CloseReason;
use crate::headers::{Headers, decode_pairs};
use crate::reply::PluginReply;
use crate::state::{Host, Kind};

const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;
const DOWNSTREAM: u32 = 2;
const UPSTREAM: u32 = 3;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_continue_stream",
        |caller: Caller<'_, Host>, stream: u32| {
            serve(caller, "proxy_continue_stream", |call| Ok(resume(call.host(), stream)?))
        },
    )?;
    linker.func_wrap("env", "proxy_close_stream", |caller: Caller<'_, Host>, stream: u32| {
        serve(caller, "proxy_close_stream", |call| Ok(close(call.host(), stream)?))
    })?;
    linker.func_wrap("env", "proxy_done", |caller: Caller<'_, Host>| {
        serve(caller, "proxy_done", |call| {
            let host = call.host();
            match host.effective_context().map(|context| &mut context.kind) {
                Some(Kind::Root(root)) if root.awaits_done => {
                    root.awaits_done = false;
                    let id = host.effective_id();
                    host.deletions.push(id);
                    Ok(())
                }
                Some(_) | None => Err(Status::NotFound.into()),
            }
        })
    })?;
    link_local_response(linker)
}

fn link_local_response(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |caller: Caller<'_, Host>,
         status: u32,
         details: u32,
         details_len: u32,
         body: u32,
         body_len: u32,
         headers: u32,
         headers_len: u32,
         grpc_status: i32| {
            serve(caller, "proxy_send_local_response", |call| {
                let details = call.read(details, details_len)?;
                let body = call.read(body, body_len)?;
                let headers = decode_pairs(&call.read(headers, headers_len)?);
                let reply = PluginReply {
                    status,
                    details: String::from_utf8_lossy(&details).replace(' ', "_"),
                    body,
                    headers: Headers::from_pairs(headers),
                    grpc_status,
                };
                // Contexts that are not HTTP streams get `Ok`, and nothing happens. The first reply
                // wins: the stream is over once it is sent.
                let context = call.host().effective_context();
                if let Some(Kind::Http(http)) = context.map(|context| &mut context.kind) {
                    http.reply.get_or_insert(reply);
                }
                Ok(())
            })
        },
    )?;
    Ok(())
}

fn resume(host: &mut Host, stream: u32) -> Result<(), Status> {
    match (stream, host.effective_context().map(|context| &mut context.kind)) {
        (REQUEST | RESPONSE, Some(Kind::Http(http))) => {
            http.resumed = true;
            Ok(())
        }
        (DOWNSTREAM, Some(Kind::Tcp(tcp))) => {
            tcp.resumed = true;
            Ok(())
        }
        (REQUEST | RESPONSE | DOWNSTREAM, _) => Ok(()),
        (UPSTREAM, _) => Err(Status::Unimplemented),
        _ => Err(Status::BadArgument),
    }
}

/// The close takes effect when the callback returns, as in Envoy: a plugin that is called back
/// inside its own call could not survive.
fn close(host: &mut Host, stream: u32) -> Result<(), Status> {
    match (stream, host.effective_context().map(|context| &mut context.kind)) {
        (REQUEST | RESPONSE, Some(Kind::Http(http))) => {
            http.reset = true;
            Ok(())
        }
        (DOWNSTREAM, Some(Kind::Tcp(tcp))) => {
            tcp.close.get_or_insert(CloseReason::PluginDownstream);
            Ok(())
        }
        (UPSTREAM, Some(Kind::Tcp(tcp))) => {
            tcp.close.get_or_insert(CloseReason::PluginUpstream);
            Ok(())
        }
        (REQUEST..=UPSTREAM, _) => Ok(()),
        _ => Err(Status::BadArgument),
    }
}

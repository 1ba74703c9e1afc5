//! Buffers: configuration, bodies and connection data.

use wasmtime::{Caller, Linker};

use super::{Status, serve};
use crate::state::{Host, Kind};

const REQUEST_BODY: u32 = 0;
const RESPONSE_BODY: u32 = 1;
const DOWNSTREAM_DATA: u32 = 2;
const UPSTREAM_DATA: u32 = 3;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;
const LAST: u32 = 8;

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |caller: Caller<'_, Host>, buffer: u32, start: u32, max: u32, value_at: u32, len_at: u32| {
            serve(caller, "proxy_get_buffer_bytes", |call| {
                let bytes = readable(call.host(), buffer)?;
                let end = start.checked_add(max).ok_or(Status::BadArgument)?;
                let (start, end) = (start as usize, (end as usize).min(bytes.len()));
                // Past the end the guest gets `Ok` and its out parameters stay as they were.
                match bytes.get(start..end) {
                    Some(slice) if !slice.is_empty() => {
                        let slice = slice.to_vec();
                        call.give(&slice, value_at, len_at)
                    }
                    Some(_) | None => Ok(()),
                }
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_buffer_status",
        |caller: Caller<'_, Host>, buffer: u32, len_at: u32, flags_at: u32| {
            serve(caller, "proxy_get_buffer_status", |call| {
                let length = readable(call.host(), buffer)?.len();
                call.write_u32(len_at, u32::try_from(length).unwrap_or(u32::MAX))?;
                call.write_u32(flags_at, 0)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |caller: Caller<'_, Host>, buffer: u32, start: u32, len: u32, data: u32, data_len: u32| {
            serve(caller, "proxy_set_buffer_bytes", |call| {
                if buffer > LAST {
                    return Err(Status::BadArgument.into());
                }
                let data = call.read(data, data_len)?;
                let target = stream_buffer(call.host(), buffer).ok_or(Status::BadArgument)?;
                Ok(splice(target, start as usize, len as usize, &data)?)
            })
        },
    )?;
    Ok(())
}

/// The bytes of a buffer. A stream buffer that this callback does not have reads as empty; the
/// plugin configuration exists in `proxy_on_context_create` and `proxy_on_configure` of a root only.
fn readable(host: &mut Host, buffer: u32) -> Result<&[u8], Status> {
    match buffer {
        REQUEST_BODY | RESPONSE_BODY | DOWNSTREAM_DATA | UPSTREAM_DATA => {
            Ok(stream_buffer(host, buffer).map_or(&[], |bytes| bytes.as_slice()))
        }
        VM_CONFIGURATION => Ok(&host.config.vm_configuration),
        PLUGIN_CONFIGURATION => match host.effective_context().map(|context| &context.kind) {
            Some(Kind::Root(root)) => root.configuration.as_deref().ok_or(Status::NotFound),
            Some(Kind::Tcp(_) | Kind::Http(_)) | None => Err(Status::NotFound),
        },
        0..=LAST => Err(Status::NotFound),
        _ => Err(Status::BadArgument),
    }
}

fn stream_buffer(host: &mut Host, buffer: u32) -> Option<&mut Vec<u8>> {
    match (&mut host.effective_context()?.kind, buffer) {
        (Kind::Http(http), REQUEST_BODY) => http.request_body.as_mut(),
        (Kind::Http(http), RESPONSE_BODY) => http.response_body.as_mut(),
        (Kind::Tcp(tcp), DOWNSTREAM_DATA) => tcp.downstream.open(),
        (Kind::Tcp(tcp), UPSTREAM_DATA) => tcp.upstream.open(),
        _ => None,
    }
}

/// Envoy edits at the two ends of a buffer only: at 0 it drops `len` bytes and prepends, at or past
/// the end it appends, and anything between is refused.
fn splice(target: &mut Vec<u8>, start: usize, len: usize, data: &[u8]) -> Result<(), Status> {
    if start == 0 {
        let dropped = len.min(target.len());
        target.splice(..dropped, data.iter().copied());
    } else if start >= target.len() {
        target.extend_from_slice(data);
    } else {
        return Err(Status::BadArgument);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_possible_at_the_ends_only() {
        let rows = [
            ("replaces all", 0, 3, &b"xy"[..], Ok(&b"xy"[..])),
            ("prepends", 0, 0, b"xy", Ok(b"xyabc")),
            ("drops a prefix", 0, 2, b"", Ok(b"c")),
            ("drops no more than there is", 0, 9, b"", Ok(b"")),
            ("appends at the end", 3, 0, b"xy", Ok(b"abcxy")),
            ("appends past the end", 4, 7, b"xy", Ok(b"abcxy")),
            ("refuses the last byte", 2, 1, b"xy", Err(Status::BadArgument)),
            ("refuses the second byte", 1, 0, b"xy", Err(Status::BadArgument)),
        ];
        for (why, start, len, data, expected) in rows {
            let mut target = b"abc".to_vec();
            let got = splice(&mut target, start, len, data).map(|()| target.as_slice());
            assert_eq!(got, expected, "{why}");
        }
    }
}

//! Header maps.

use wasmtime::{Caller, Linker};

use super::{Answer, Call, Status, serve};
use crate::headers::{Headers, decode_pairs, encode_pairs};
use crate::state::{Host, Kind};

/// The header maps that a stream can have here. Trailers, gRPC metadata and the headers of call
/// responses are never present: this host serves no trailers and makes no calls.
#[derive(Clone, Copy)]
enum Map {
    Request,
    Response,
    Absent,
}

impl Map {
    fn from_abi(number: u32) -> Result<Self, Status> {
        match number {
            0 => Ok(Self::Request),
            2 => Ok(Self::Response),
            1 | 3..=7 => Ok(Self::Absent),
            _ => Err(Status::BadArgument),
        }
    }

    /// The map, if the effective context has it in this callback.
    fn of(self, host: &mut Host) -> Option<&mut Headers> {
        let Kind::Http(http) = &mut host.effective_context()?.kind else {
            return None;
        };
        match self {
            Self::Request if http.request_visible => Some(&mut http.request),
            Self::Response if http.response_visible => Some(&mut http.response),
            Self::Request | Self::Response | Self::Absent => None,
        }
    }

    /// The map, if the effective context may write it in this callback.
    fn of_mut(self, host: &mut Host) -> Result<&mut Headers, Status> {
        let writable = match &host.effective_context().ok_or(Status::BadArgument)?.kind {
            Kind::Http(http) => !http.logging,
            Kind::Root(_) | Kind::Tcp(_) => false,
        };
        if writable {
            self.of(host).ok_or(Status::BadArgument)
        } else {
            Err(Status::BadArgument)
        }
    }
}

pub(super) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    link_readers(linker)?;
    link_writers(linker)
}

fn link_readers(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |caller: Caller<'_, Host>, map: u32, value_at: u32, len_at: u32| {
            serve(caller, "proxy_get_header_map_pairs", |call| {
                let pairs = match Map::from_abi(map)?.of(call.host()) {
                    Some(headers) if !headers.is_empty() => encode_pairs(headers.iter()),
                    Some(_) | None => Vec::new(),
                };
                call.give(&pairs, value_at, len_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |caller: Caller<'_, Host>, map: u32, key: u32, key_len: u32, value_at: u32, len_at: u32| {
            serve(caller, "proxy_get_header_map_value", |call| {
                let map = Map::from_abi(map)?;
                let key = call.read(key, key_len)?;
                let headers = map.of(call.host()).ok_or(Status::BadArgument)?;
                // Only the first value of a repeated header, as Envoy does it.
                let value = headers.first(&key).ok_or(Status::NotFound)?.to_vec();
                call.give(&value, value_at, len_at)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_size",
        |caller: Caller<'_, Host>, map: u32, size_at: u32| {
            serve(caller, "proxy_get_header_map_size", |call| {
                let headers = Map::from_abi(map)?.of(call.host()).ok_or(Status::BadArgument)?;
                let size: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
                call.write_u32(size_at, u32::try_from(size).unwrap_or(u32::MAX))
            })
        },
    )?;
    Ok(())
}

fn link_writers(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |caller: Caller<'_, Host>, map: u32, pairs: u32, pairs_len: u32| {
            serve(caller, "proxy_set_header_map_pairs", |call| {
                let map = Map::from_abi(map)?;
                let pairs = decode_pairs(&call.read(pairs, pairs_len)?);
                *map.of_mut(call.host())? = Headers::from_pairs(pairs);
                Ok(())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |caller: Caller<'_, Host>, map: u32, key: u32, key_len: u32, value: u32, value_len: u32| {
            serve(caller, "proxy_add_header_map_value", |call| {
                edit(call, map, (key, key_len), (value, value_len), Headers::add)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |caller: Caller<'_, Host>, map: u32, key: u32, key_len: u32, value: u32, value_len: u32| {
            serve(caller, "proxy_replace_header_map_value", |call| {
                edit(call, map, (key, key_len), (value, value_len), Headers::replace)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |caller: Caller<'_, Host>, map: u32, key: u32, key_len: u32| {
            serve(caller, "proxy_remove_header_map_value", |call| {
                edit(call, map, (key, key_len), (0, 0), |headers, key, _| headers.remove(key))
            })
        },
    )?;
    Ok(())
}

fn edit(
    call: &mut Call<'_>,
    map: u32,
    key: (u32, u32),
    value: (u32, u32),
    change: impl FnOnce(&mut Headers, &[u8], &[u8]),
) -> Answer {
    let map = Map::from_abi(map)?;
    let key = call.read(key.0, key.1)?;
    let value = call.read(value.0, value.1)?;
    change(map.of_mut(call.host())?, &key, &value);
    Ok(())
}

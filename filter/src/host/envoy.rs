//! Envoy as the host, through the functions it exports to the module.

use core::ptr;

use crate::headers;

use super::{Edit, Host, HostError, Level, LocalReply, MetricKind, Stream, memory};

/// The host that called.
#[derive(Clone, Copy)]
pub(crate) struct Envoy;

#[expect(unsafe_code, reason = "the functions that a host of proxy-wasm 0.2.1 exports")]
mod imports {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
        pub(super) fn proxy_get_property(
            path: *const u8,
            path_size: usize,
            value: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, size: usize) -> u32;
        pub(super) fn proxy_get_header_map_pairs(map: u32, value: *mut *mut u8, size: *mut usize) -> u32;
        pub(super) fn proxy_add_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            max_size: usize,
            value: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;
        pub(super) fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub(super) fn proxy_close_stream(stream: u32) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub(super) fn proxy_set_effective_context(context: u32) -> u32;
        pub(super) fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, by: i64) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
    }
}

const NOT_FOUND: u32 = 1;
const REQUEST_HEADERS: u32 = 0;
const PLUGIN_CONFIGURATION: u32 = 7;

fn check(status: u32) -> Result<(), HostError> {
    if status == 0 { Ok(()) } else { Err(HostError(status)) }
}

/// Calls a function that hands over a buffer.
#[expect(unsafe_code, reason = "takes over a buffer that the host filled")]
fn receive(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, HostError> {
    let mut data = ptr::null_mut();
    let mut size = 0;
    check(call(&mut data, &mut size))?;
    // SAFETY: the host asked this module for `size` bytes, filled all of them and keeps no reference.
    Ok(unsafe { memory::take(data, size) })
}

#[expect(unsafe_code, reason = "every pointer comes with the size of the slice it points to")]
impl Host for Envoy {
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        // SAFETY: the path outlives the call; `receive` passes places for the result.
        let get = |value, size| unsafe { imports::proxy_get_property(path.as_ptr(), path.len(), value, size) };
        match receive(get) {
            Ok(value) => Ok(Some(value)),
            Err(HostError(NOT_FOUND)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_state(&self, name: &str, value: &[u8]) -> Result<(), HostError> {
        // SAFETY: name and value outlive the call, which copies them.
        check(unsafe { imports::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
    }

    fn request_headers(&self) -> Result<Vec<u8>, HostError> {
        // SAFETY: `receive` passes places for the result.
        receive(|value, size| unsafe { imports::proxy_get_header_map_pairs(REQUEST_HEADERS, value, size) })
    }

    fn edit_header(&self, name: &[u8], edit: Edit<'_>) -> Result<(), HostError> {
        let (name, name_size) = (name.as_ptr(), name.len());
        // SAFETY: name and value outlive the call, which copies them.
        check(unsafe {
            match edit {
                Edit::Append(value) => {
                    imports::proxy_add_header_map_value(REQUEST_HEADERS, name, name_size, value.as_ptr(), value.len())
                }
                Edit::Set(value) => imports::proxy_replace_header_map_value(
                    REQUEST_HEADERS,
                    name,
                    name_size,
                    value.as_ptr(),
                    value.len(),
                ),
                Edit::Remove => imports::proxy_remove_header_map_value(REQUEST_HEADERS, name, name_size),
            }
        })
    }

    fn configuration(&self, max: usize) -> Result<Vec<u8>, HostError> {
        // SAFETY: `receive` passes places for the result.
        receive(|value, size| unsafe { imports::proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, max, value, size) })
    }

    fn reply(&self, reply: &LocalReply<'_>) -> Result<(), HostError> {
        let LocalReply {
            status,
            details,
            body,
            header,
            grpc_status,
        } = *reply;
        let headers = header.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let headers = headers::encode(headers.as_slice());
        // SAFETY: all slices outlive the call, which copies them.
        check(unsafe {
            imports::proxy_send_local_response(
                status,
                details.as_ptr(),
                details.len(),
                body.as_ptr(),
                body.len(),
                headers.as_ptr(),
                headers.len(),
                grpc_status,
            )
        })
    }

    fn close(&self, stream: Stream) -> Result<(), HostError> {
        // SAFETY: plain numbers.
        check(unsafe { imports::proxy_close_stream(stream as u32) })
    }

    fn now(&self) -> Option<u64> {
        let mut time = 0;
        // SAFETY: `time` is a place for the result.
        check(unsafe { imports::proxy_get_current_time_nanoseconds(&mut time) }).ok()?;
        Some(time)
    }

    fn tick_every(&self, milliseconds: u32) -> Result<(), HostError> {
        // SAFETY: plain numbers.
        check(unsafe { imports::proxy_set_tick_period_milliseconds(milliseconds) })
    }

    fn act_for(&self, context: u32) -> Result<(), HostError> {
        // SAFETY: plain numbers.
        check(unsafe { imports::proxy_set_effective_context(context) })
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<u32, HostError> {
        let mut id = 0;
        // SAFETY: the name outlives the call, and `id` is a place for the result.
        check(unsafe { imports::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) })?;
        Ok(id)
    }

    fn increment_metric(&self, id: u32, by: i64) -> Result<(), HostError> {
        // SAFETY: plain numbers.
        check(unsafe { imports::proxy_increment_metric(id, by) })
    }

    fn record_metric(&self, id: u32, value: u64) -> Result<(), HostError> {
        // SAFETY: plain numbers.
        check(unsafe { imports::proxy_record_metric(id, value) })
    }

    fn log(&self, level: Level, message: &str) {
        // SAFETY: the message outlives the call, which copies it.
        let _ = unsafe { imports::proxy_log(level as u32, message.as_ptr(), message.len()) };
    }
}

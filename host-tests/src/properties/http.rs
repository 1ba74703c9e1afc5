//! Properties of request and response.

use super::{Stream, leaf};
use crate::headers::Headers;
use crate::state::Http;
use crate::value::Value;

/// Properties of the request. Those made of headers exist while the headers are at the filter: not
/// before the header callback, not in response callbacks, again in the access log. A connection
/// without HTTP has `time` and `size` only.
pub(super) fn request(stream: Stream<'_>, rest: &[&[u8]]) -> Option<Value> {
    let Some((name, rest)) = rest.split_first() else {
        return Some(Value::Opaque);
    };
    let Some(http) = stream.http else {
        let value = match *name {
            b"time" | b"size" => Value::Int(0),
            _ => return None,
        };
        return leaf(rest, value);
    };
    let value = match *name {
        b"time" => Value::Int(i64::try_from(http.started).unwrap_or(i64::MAX)),
        b"size" => Value::Int(body_size(http)),
        b"protocol" => Value::text(&http.protocol),
        name if http.request_visible => return of_headers(&http.request, name, rest),
        _ => return None,
    };
    leaf(rest, value)
}

fn body_size(http: &Http) -> i64 {
    http.request_body
        .as_ref()
        .map_or(0, |body| i64::try_from(body.len()).unwrap_or(i64::MAX))
}

fn of_headers(headers: &Headers, name: &[u8], rest: &[&[u8]]) -> Option<Value> {
    let header = |name: &[u8]| headers.first(name).map(|value| Value::Bytes(value.to_vec()));
    let value = match name {
        b"headers" => return joined(headers, rest),
        b"path" => header(b":path")?,
        b"url_path" => Value::Bytes(split_path(headers)?.0.to_vec()),
        b"query" => Value::Bytes(split_path(headers)?.1.to_vec()),
        b"host" => header(b":authority")?,
        b"scheme" => header(b":scheme")?,
        b"method" => header(b":method")?,
        b"referer" => header(b"referer")?,
        b"useragent" => header(b"user-agent")?,
        b"id" => header(b"x-request-id")?,
        _ => return None,
    };
    leaf(rest, value)
}

/// The path without its query, and the query without its question mark.
fn split_path(headers: &Headers) -> Option<(&[u8], &[u8])> {
    let path = headers.first(b":path")?;
    let at = path.iter().position(|byte| *byte == b'?');
    Some(at.map_or((path, &[][..]), |at| (&path[..at], &path[at + 1..])))
}

fn joined(headers: &Headers, rest: &[&[u8]]) -> Option<Value> {
    match rest {
        [] => Some(Value::Opaque),
        [name] => headers.joined(name).map(Value::Bytes),
        _ => None,
    }
}

/// Properties of the response, from its headers on.
pub(super) fn response(stream: Stream<'_>, rest: &[&[u8]]) -> Option<Value> {
    let Some((name, rest)) = rest.split_first() else {
        return Some(Value::Opaque);
    };
    let http = stream.http?;
    let status = std::str::from_utf8(http.response.first(b":status")?).ok()?;
    let grpc_status = || http.response.text("grpc-status")?.parse().ok();
    let value = match *name {
        b"code" => Value::Int(status.parse().ok()?),
        b"code_details" => Value::text(&http.response_details),
        b"flags" => Value::Int(0),
        b"grpc_status" => Value::Int(grpc_status()?),
        b"headers" if http.response_visible => return joined(&http.response, rest),
        _ => return None,
    };
    leaf(rest, value)
}

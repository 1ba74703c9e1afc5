//! Properties: what a plugin can ask about its stream, and what Envoy answers.
//!
//! A path is a list of names with NUL between them. The first name selects a root; see the table in
//! the lookup below. A context without a stream (a root context) has no stream properties at all.

mod connection;
mod http;

use std::cell::RefCell;
use std::rc::Rc;

use crate::abi::Status;
use crate::config::{Node, VmConfig};
use crate::filter_state::FilterState;
use crate::link::Link;
use crate::metadata::descend;
use crate::state::{Host, Http, Kind};
use crate::value::Value;

/// What a plugin's own keys begin with in filter state.
const OWN_PREFIX: &[u8] = b"wasm.";

/// The value at `path`, encoded.
pub(crate) fn get(host: &mut Host, path: &[u8]) -> Result<Vec<u8>, Status> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == 0).collect();
    let Some((name, rest)) = parts.split_first() else {
        return Err(Status::SerializationFailure);
    };
    if path.is_empty() {
        return Err(Status::SerializationFailure);
    }
    lookup(host, name, rest).ok_or(Status::NotFound)?.encode()
}

/// Writes filter state: `path`, as it is, is the key. A key that the connection has already is
/// written there, also from an HTTP stream; a new key belongs to the stream that set it.
pub(crate) fn set(host: &mut Host, path: &[u8], value: Vec<u8>) -> Result<(), Status> {
    let context = host.effective_context().ok_or(Status::NotFound)?;
    let key = [OWN_PREFIX, path].concat();
    match &context.kind {
        Kind::Root(_) => return Err(Status::NotFound),
        Kind::Tcp(tcp) => tcp.link.borrow_mut().filter_state.insert(key, value),
        Kind::Http(http) => {
            let mut link = http.link.borrow_mut();
            let mut own = http.filter_state.borrow_mut();
            let inherited = link.filter_state.contains(&key) && !own.contains(&key);
            let target = if inherited { &mut link.filter_state } else { &mut *own };
            target.insert(key, value);
        }
    }
    Ok(())
}

/// The stream that an asking context belongs to.
#[derive(Clone, Copy)]
struct Stream<'a> {
    link: &'a Rc<RefCell<Link>>,
    http: Option<&'a Http>,
    /// Whether an upstream is chosen: not before the first data of a connection, or only after it (see
    /// [`ConnectMode`](crate::ConnectMode)); not before the response of a request.
    upstream_known: bool,
}

fn lookup(host: &mut Host, name: &[u8], rest: &[&[u8]]) -> Option<Value> {
    let id = host.effective_id();
    let stream = match &host.contexts.get(&id)?.kind {
        Kind::Root(_) => None,
        Kind::Tcp(tcp) => Some(Stream {
            link: &tcp.link,
            http: None,
            upstream_known: tcp.established,
        }),
        Kind::Http(http) => {
            let upstream_known = http.upstream.is_some() || !http.response.is_empty();
            Some(Stream {
                link: &http.link,
                http: Some(http),
                upstream_known,
            })
        }
    };
    match name {
        b"plugin_name" => leaf(rest, Value::text(&host.config.plugin_name)),
        b"plugin_root_id" => leaf(rest, Value::text(&host.config.root_id)),
        b"plugin_vm_id" => leaf(rest, Value::text(&host.config.vm_id)),
        b"xds" => xds(&host.config, stream, rest),
        b"request" => http::request(stream?, rest),
        b"response" => http::response(stream?, rest),
        b"metadata" => metadata(stream?, rest),
        b"filter_state" => filter_state(stream?, rest),
        b"connection_id" => leaf(rest, Value::Uint(stream?.link.borrow().facts.id)),
        b"connection" => connection::connection(stream?, rest),
        b"source" => connection::source(stream?, rest),
        b"destination" => connection::destination(stream?, rest),
        b"upstream" => connection::upstream(stream?, rest),
        // Any other name is a key of the plugin's own filter state.
        own => {
            let key = [OWN_PREFIX, own].concat();
            let path: Vec<&[u8]> = std::iter::once(key.as_slice()).chain(rest.iter().copied()).collect();
            filter_state(stream?, &path)
        }
    }
}

/// A value that nothing is below of.
fn leaf(rest: &[&[u8]], value: Value) -> Option<Value> {
    rest.is_empty().then_some(value)
}

/// The configuration of proxy, listener and route. In 1.40 these have no names but those under `xds`.
fn xds(config: &VmConfig, stream: Option<Stream<'_>>, rest: &[&[u8]]) -> Option<Value> {
    let Some((name, rest)) = rest.split_first() else {
        return Some(Value::Opaque);
    };
    if *name == b"node" {
        return node(&config.node, rest);
    }
    let stream = stream?;
    let facts = &stream.link.borrow().facts;
    match *name {
        b"listener_direction" => leaf(rest, Value::Int(facts.direction as i64)),
        b"listener_metadata" => facts.listener_metadata.get(rest),
        b"filter_chain_name" => leaf(rest, Value::text(&facts.filter_chain_name)),
        b"route_name" => leaf(rest, Value::text(&stream.http?.route_name)),
        b"cluster_name" if stream.http.is_some() || stream.upstream_known => {
            leaf(rest, Value::text(&facts.cluster_name))
        }
        _ => None,
    }
}

fn node(node: &Node, rest: &[&[u8]]) -> Option<Value> {
    match rest {
        [] | [b"locality"] => Some(Value::Opaque),
        [b"id"] => Some(Value::text(&node.id)),
        [b"cluster"] => Some(Value::text(&node.cluster)),
        [b"locality", b"zone"] => Some(Value::text(&node.zone)),
        [b"metadata", rest @ ..] => descend(&node.metadata, rest),
        _ => None,
    }
}

/// Dynamic metadata: of the request for an HTTP filter, of the connection for a network filter, and
/// never of both.
fn metadata(stream: Stream<'_>, rest: &[&[u8]]) -> Option<Value> {
    match stream.http {
        Some(http) => http.dynamic_metadata.get(rest),
        None => {
            let link = stream.link.borrow();
            let of_data = link
                .client_spoke
                .then(|| link.facts.metadata_of_data.get(rest))
                .flatten();
            of_data.or_else(|| link.facts.dynamic_metadata.get(rest))
        }
    }
}

fn filter_state(stream: Stream<'_>, rest: &[&[u8]]) -> Option<Value> {
    let Some((key, rest)) = rest.split_first() else {
        return Some(Value::Opaque);
    };
    let read = |state: &FilterState| state.read(key, rest);
    let own = stream.http.and_then(|http| read(&http.filter_state.borrow()));
    own.or_else(|| read(&stream.link.borrow().filter_state))
}

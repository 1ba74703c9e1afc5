//! Properties of the connection: addresses, TLS, peer.

use std::net::SocketAddr;

use super::{Stream, leaf};
use crate::link::{Link, source_of_request};
use crate::value::Value;

pub(super) fn connection(stream: Stream<'_>, rest: &[&[u8]]) -> Option<Value> {
    let Some((name, rest)) = rest.split_first() else {
        return Some(Value::Opaque);
    };
    let link = &mut *stream.link.borrow_mut();
    let value = match *name {
        b"id" => Value::Uint(link.facts.id),
        b"mtls" => Value::Bool(link.peer().is_some()),
        b"requested_server_name" => Value::text(link.server_name()),
        b"tls_version" => tls_version(link)?,
        name => certificate(link, name)?,
    };
    leaf(rest, value)
}

/// Before the handshake Envoy answers a wrong version, and then keeps to it.
fn tls_version(link: &mut Link) -> Option<Value> {
    let tls = link.facts.tls.as_ref()?;
    link.tls_version_pinned |= !link.handshake_done;
    Some(Value::text(if link.tls_version_pinned {
        "TLSv1.2"
    } else {
        &tls.version
    }))
}

/// Names of certificates are absent when there are none; a subject is then empty. Of several names
/// only the first is readable.
fn certificate(link: &Link, name: &[u8]) -> Option<Value> {
    let local = &link.facts.tls.as_ref()?.local;
    let peer = link.peer();
    let text = match name {
        b"uri_san_peer_certificate" => peer?.uri_sans.first()?,
        b"dns_san_peer_certificate" => peer?.dns_sans.first()?,
        b"subject_peer_certificate" => peer.map_or("", |peer| &peer.subject),
        b"sha256_peer_certificate_digest" => non_empty(&peer?.digest)?,
        b"peer_certificate" => non_empty(&peer?.pem)?,
        b"uri_san_local_certificate" => local.uri_sans.first()?,
        b"dns_san_local_certificate" => local.dns_sans.first()?,
        b"subject_local_certificate" => &local.subject,
        _ => return None,
    };
    Some(Value::text(text))
}

fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

pub(super) fn source(stream: Stream<'_>, rest: &[&[u8]]) -> Option<Value> {
    let facts = &stream.link.borrow().facts;
    let source = match stream.http {
        Some(http) => source_of_request(facts, http.request.joined(b"x-forwarded-for").as_deref()),
        None => facts.source,
    };
    endpoint(source, rest)
}

pub(super) fn destination(stream: Stream<'_>, rest: &[&[u8]]) -> Option<Value> {
    endpoint(stream.link.borrow().facts.destination, rest)
}

pub(super) fn upstream(stream: Stream<'_>, rest: &[&[u8]]) -> Option<Value> {
    if rest.is_empty() {
        return Some(Value::Opaque);
    }
    let chosen = stream.http.and_then(|http| http.upstream);
    let address = chosen
        .or(stream.link.borrow().facts.upstream)
        .filter(|_| stream.upstream_known)?;
    endpoint(address, rest)
}

fn endpoint(address: SocketAddr, rest: &[&[u8]]) -> Option<Value> {
    match rest {
        [] => Some(Value::Opaque),
        [b"address"] => Some(Value::text(&address.to_string())),
        [b"port"] => Some(Value::Int(i64::from(address.port()))),
        _ => None,
    }
}

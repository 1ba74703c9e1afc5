//! A load balancer that passes connections on and tells, in a PROXY protocol header, who made them.

use std::io::{self, Write as _};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::thread;

use crate::world::server::Server;

/// The header in front of a connection.
#[derive(Clone, Debug)]
pub enum Header {
    /// Version 1, a line of text.
    Text,
    /// Version 2, with these extra fields (type, value).
    Binary(Vec<(u8, Vec<u8>)>),
}

/// What every header of version 2 starts with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Passes connections to `listen` on to `upstream`, each behind a header with the client's address.
///
/// # Errors
///
/// The address cannot be bound.
pub fn start(listen: SocketAddr, upstream: SocketAddr, header: Header) -> io::Result<Server> {
    Server::start(listen, move |client| forward(client, upstream, &header))
}

fn forward(client: TcpStream, upstream: SocketAddr, header: &Header) -> io::Result<()> {
    let head = header.bytes(client.peer_addr()?, client.local_addr()?)?;
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(&head)?;
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let upward = thread::spawn(move || pipe(from_client, to_server));
    let downward = pipe(server, client);
    // A panic there is none; an error of one side is that of a client which left.
    drop(upward.join());
    downward
}

/// Copies until the end, and passes the end on.
fn pipe(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let copied = io::copy(&mut from, &mut to);
    // Already gone is as good.
    drop(to.shutdown(Shutdown::Write));
    copied.map(drop)
}

impl Header {
    /// The header for a connection from `source` to `destination`.
    ///
    /// # Errors
    ///
    /// The extra fields are too long, or the addresses are not of one family.
    pub fn bytes(&self, source: SocketAddr, destination: SocketAddr) -> io::Result<Vec<u8>> {
        match self {
            Self::Text => Ok(text(source, destination)),
            Self::Binary(fields) => binary(source, destination, fields),
        }
    }
}

fn text(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    format!(
        "PROXY {family} {from} {to} {} {}\r\n",
        source.port(),
        destination.port()
    )
    .into_bytes()
}

fn binary(source: SocketAddr, destination: SocketAddr, fields: &[(u8, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    let family: u8 = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            body.extend([from.octets(), to.octets()].concat());
            0x11
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            body.extend([from.octets(), to.octets()].concat());
            0x21
        }
        _ => return Err(io::Error::other("addresses of two families")),
    };
    body.extend(source.port().to_be_bytes());
    body.extend(destination.port().to_be_bytes());
    for (kind, value) in fields {
        body.push(*kind);
        body.extend(length(value)?);
        body.extend(value);
    }
    // Version 2, "proxied".
    let head = [SIGNATURE.as_slice(), &[0x21, family], &length(&body)?];
    Ok([head.concat(), body].concat())
}

fn length(bytes: &[u8]) -> io::Result<[u8; 2]> {
    u16::try_from(bytes.len())
        .map(u16::to_be_bytes)
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_as_the_protocol_wants_them() {
        let (from, to) = ("203.0.113.7:4711".parse().unwrap(), "10.200.0.20:80".parse().unwrap());
        let text = Header::Text.bytes(from, to).unwrap();
        assert_eq!(text, b"PROXY TCP4 203.0.113.7 10.200.0.20 4711 80\r\n");
        let binary = Header::Binary(vec![(0xe4, b"x".to_vec())]).bytes(from, to).unwrap();
        let expected =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x10\xcb\x00\x71\x07\x0a\xc8\x00\x14\x12\x67\x00\x50\xe4\x00\x01x";
        assert_eq!(binary, expected);
        let six = "[2001:db8::1]:1".parse().unwrap();
        assert!(Header::Binary(vec![]).bytes(six, to).is_err(), "two families");
        assert!(
            Header::Binary(vec![(1, vec![0; 70_000])]).bytes(from, to).is_err(),
            "too long"
        );
    }
}

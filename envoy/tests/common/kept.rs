//! Connections that are kept while policies change.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use envoy_e2e::world::client::{HttpClient, Request};
use envoy_e2e::world::net;

use super::{GREETING, TIMEOUT, World};

/// The status of `GET path` on a connection that is there already.
pub(crate) fn status(client: &mut HttpClient, path: &str) -> u16 {
    client.send(&Request::new("GET", path, "app")).unwrap().status
}

/// A connection to the TCP service that was greeted.
pub(crate) fn tcp_connection(world: &World) -> TcpStream {
    let mut connection = net::connect(world.client(), world.listener("echo"), TIMEOUT).unwrap();
    let mut greeting = [0; GREETING.len()];
    connection.read_exact(&mut greeting).unwrap();
    connection
}

/// Whether the TCP service still answers on the connection; if not, Envoy closed it.
pub(crate) fn is_answered(connection: &mut TcpStream) -> bool {
    let mut answer = [0; 4];
    match connection
        .write_all(b"ping")
        .and_then(|()| connection.read(&mut answer))
    {
        Ok(0) => false,
        Ok(_) => answer == *b"ping",
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => false,
            _ => panic!("neither answered nor closed: {error}"),
        },
    }
}

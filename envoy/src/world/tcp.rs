//! A plain TCP application, and a probe that tells apart the ways in which a connection can fail.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use super::net;
use super::server::Server;

/// What a TCP connection came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Nobody listens on the address.
    Refused,
    /// Accepted, then closed or reset without a single byte: what a denied connection looks like.
    Closed,
    /// The first bytes that came back.
    Data(Vec<u8>),
    /// Neither a byte nor an end before the time-out.
    Silent,
}

/// An application that greets, if it has a greeting, and then sends back whatever it is sent.
///
/// # Errors
///
/// The address cannot be bound.
pub fn echo(address: SocketAddr, greeting: &[u8]) -> io::Result<Server> {
    let greeting = greeting.to_vec();
    Server::start(address, move |mut connection: TcpStream| {
        connection.write_all(&greeting)?;
        let mut input = connection.try_clone()?;
        io::copy(&mut input, &mut connection)?;
        Ok(())
    })
}

/// Connects from `source`, sends `bytes` (none: waits for the server to speak) and tells what happened.
///
/// # Errors
///
/// The source address cannot be bound, or something other than the [`Probe`]s happened.
pub fn probe(source: IpAddr, to: SocketAddr, bytes: &[u8], timeout: Duration) -> io::Result<Probe> {
    let mut connection = match net::connect(source, to, timeout) {
        Ok(connection) => connection,
        Err(error) => return outcome(error),
    };
    if let Err(error) = connection.write_all(bytes) {
        return outcome(error);
    }
    let mut answer = vec![0; 4096];
    match connection.read(&mut answer) {
        Ok(0) => Ok(Probe::Closed),
        Ok(read) => {
            answer.truncate(read);
            Ok(Probe::Data(answer))
        }
        Err(error) => outcome(error),
    }
}

fn outcome(error: io::Error) -> io::Result<Probe> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Ok(Probe::Refused),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(Probe::Closed),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(Probe::Silent),
        _ => Err(error),
    }
}

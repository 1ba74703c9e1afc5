//! A DNS server over UDP and TCP that answers from a table, and a DNS-over-TCP client.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::net;
use super::server::Server;

/// What a client without extensions can take over UDP.
const UDP_LIMIT: usize = 512;
/// Short, so that a changed table is seen soon.
const TTL: u32 = 1;

/// Names, lower case without the final dot, and their addresses.
pub type Table = BTreeMap<String, Vec<IpAddr>>;

/// A running DNS server. Dropping it ends it.
pub struct DnsServer {
    tcp: Server,
    zone: Arc<Zone>,
    stopping: Arc<AtomicBool>,
    udp: Option<JoinHandle<()>>,
}

struct Zone {
    table: Mutex<Table>,
    asked: Mutex<Vec<String>>,
}

impl DnsServer {
    /// Answers on `address`, UDP and TCP. Names that are not in the table do not exist.
    ///
    /// # Errors
    ///
    /// The address cannot be bound for both.
    pub fn start(address: SocketAddr, table: Table) -> io::Result<Self> {
        let zone = Arc::new(Zone {
            table: Mutex::new(table),
            asked: Mutex::default(),
        });
        let tcp = {
            let zone = Arc::clone(&zone);
            Server::start(address, move |connection| serve_tcp(connection, &zone))?
        };
        let socket = UdpSocket::bind(tcp.address())?;
        // How long a drop has to wait at most.
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        let stopping = Arc::new(AtomicBool::new(false));
        let udp = {
            let (zone, stopping) = (Arc::clone(&zone), Arc::clone(&stopping));
            thread::spawn(move || serve_udp(&socket, &zone, &stopping))
        };
        Ok(Self {
            tcp,
            zone,
            stopping,
            udp: Some(udp),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.tcp.address()
    }

    /// From now on `name` has these addresses.
    pub fn set(&self, name: &str, addresses: Vec<IpAddr>) {
        let mut table = self.zone.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.insert(name.to_owned(), addresses);
    }

    /// The names that were asked for, oldest first, known or not.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.zone.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(udp) = self.udp.take() {
            drop(udp.join());
        }
    }
}

fn serve_udp(socket: &UdpSocket, zone: &Zone, stopping: &AtomicBool) {
    let mut packet = [0; 4096];
    while !stopping.load(Ordering::SeqCst) {
        let Ok((length, client)) = socket.recv_from(&mut packet) else {
            continue;
        };
        let Some(query) = packet.get(..length) else { continue };
        if let Some(answer) = answer(zone, query, UDP_LIMIT) {
            // A client that left before its answer is no concern of the server.
            drop(socket.send_to(&answer, client));
        }
    }
}

fn serve_tcp(mut connection: TcpStream, zone: &Zone) -> io::Result<()> {
    while let Some(query) = read_message(&mut connection)? {
        let Some(answer) = answer(zone, &query, usize::from(u16::MAX)) else {
            return Ok(());
        };
        write_message(&mut connection, &answer)?;
    }
    Ok(())
}

/// The answer to a query; nothing to what is not one.
fn answer(zone: &Zone, query: &[u8], limit: usize) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).ok()?;
    let question = query.queries.first()?;
    let name = question.name().to_lowercase().to_ascii();
    let name = name.trim_end_matches('.');
    zone.asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(name.to_owned());
    let table = zone.table.lock().unwrap_or_else(PoisonError::into_inner);
    let mut response = Message::new(query.metadata.id, MessageType::Response, OpCode::Query);
    response.metadata.recursion_desired = query.metadata.recursion_desired;
    response.metadata.recursion_available = true;
    response.add_query(question.clone());
    match table.get(name) {
        None => response.metadata.response_code = ResponseCode::NXDomain,
        Some(addresses) => {
            let records = addresses.iter().filter_map(|&address| record(question, address));
            response.add_answers(records);
        }
    }
    let bytes = response.to_vec().ok()?;
    if bytes.len() <= limit {
        Some(bytes)
    } else {
        response.truncate().to_vec().ok()
    }
}

/// The record for `address`, if it is of the kind that was asked for.
fn record(question: &Query, address: IpAddr) -> Option<Record> {
    let data = match (question.query_type(), address) {
        (RecordType::A, IpAddr::V4(address)) => RData::A(A(address)),
        (RecordType::AAAA, IpAddr::V6(address)) => RData::AAAA(AAAA(address)),
        _ => return None,
    };
    Some(Record::from_rdata(question.name().clone(), TTL, data))
}

/// What a DNS server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The addresses of the name, possibly none of that kind.
    Addresses(Vec<IpAddr>),
    /// An answer with another response code, such as `Refused` or `NXDomain`.
    Code(ResponseCode),
    /// The connection was closed without an answer.
    Closed,
}

/// Asks `server` over TCP, from `source`, for the IPv4 addresses of `name`.
///
/// # Errors
///
/// `name` is no name, or the connection failed otherwise than by being closed.
pub fn lookup(source: IpAddr, server: SocketAddr, name: &str, timeout: Duration) -> io::Result<Lookup> {
    ask(&mut net::connect(source, server, timeout)?, name)
}

/// The same on a connection that is there already.
///
/// # Errors
///
/// As [`lookup`].
pub fn ask(connection: &mut TcpStream, name: &str) -> io::Result<Lookup> {
    let mut query = Message::query();
    query.metadata.recursion_desired = true;
    let name = Name::from_ascii(name).map_err(io::Error::other)?;
    query.add_query(Query::query(name, RecordType::A));
    let exchanged =
        write_message(connection, &query.to_vec().map_err(io::Error::other)?).and_then(|()| read_message(connection));
    let answer = match exchanged {
        Ok(Some(answer)) => answer,
        Ok(None) => return Ok(Lookup::Closed),
        Err(error) if closed(&error) => return Ok(Lookup::Closed),
        Err(error) => return Err(error),
    };
    let answer = Message::from_vec(&answer).map_err(io::Error::other)?;
    if answer.metadata.id != query.metadata.id {
        return Err(io::Error::other("the answer belongs to another query"));
    }
    Ok(match answer.metadata.response_code {
        ResponseCode::NoError => {
            let addresses = answer.answers.iter().filter_map(|record| record.data.ip_addr());
            Lookup::Addresses(addresses.collect())
        }
        code => Lookup::Code(code),
    })
}

fn closed(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

/// The next message, or nothing when the other side closed between two.
fn read_message(connection: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    match connection.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    connection.read_exact(&mut message)?;
    Ok(Some(message))
}

fn write_message(connection: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    connection.write_all(&[&length.to_be_bytes(), message].concat())
}

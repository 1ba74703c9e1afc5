//! An HTTP/1.1 application: a few fixed answers, and otherwise an echo of what it was asked.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::server::Server;

/// An application on its own address.
pub struct HttpApp {
    server: Server,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A request as it reached an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// Path and query, unchanged.
    pub target: String,
    /// Names as sent, and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; chunks put together.
    pub body: Vec<u8>,
}

/// What an application answers to one kind of request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The method, exactly.
    pub method: String,
    /// The path without query, exactly.
    pub path: String,
    /// The status to answer with.
    pub status: u16,
    /// The body to answer with.
    pub body: String,
}

impl HttpApp {
    /// An application called `name` on `address`. What none of the `answers` fits gets 200 and a JSON echo.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub fn start(address: SocketAddr, name: &str, answers: Vec<Answer>) -> io::Result<Self> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let server = {
            let (seen, name) = (Arc::clone(&seen), name.to_owned());
            Server::start(address, move |connection| {
                serve(connection, |request, peer| {
                    let answer = answer(&answers, &name, request, peer);
                    seen.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(request.clone());
                    answer
                })
            })?
        };
        Ok(Self { server, seen })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// How many connections reached it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.server.accepted()
    }

    /// The requests that reached it, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Seen {
    /// The first value of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(&found.1).ok()
    }
}

fn answer(answers: &[Answer], name: &str, request: &Seen, peer: SocketAddr) -> (u16, Vec<u8>) {
    let path = request.target.split('?').next().unwrap_or_default();
    let fixed = answers.iter().find(|a| a.method == request.method && a.path == path);
    if let Some(answer) = fixed {
        return (answer.status, answer.body.clone().into_bytes());
    }
    let headers: Vec<_> = request
        .headers
        .iter()
        .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]))
        .collect();
    let echo = json!({
        "app": name,
        "method": request.method,
        "target": request.target,
        "peer": peer.to_string(),
        "headers": headers,
        "body": String::from_utf8_lossy(&request.body),
    });
    (200, format!("{echo}\n").into_bytes())
}

/// Answers requests until the client leaves.
fn serve(mut connection: TcpStream, answer: impl Fn(&Seen, SocketAddr) -> (u16, Vec<u8>)) -> io::Result<()> {
    let peer = connection.peer_addr()?;
    let mut buffer = Vec::new();
    while let Some(request) = next_request(&mut connection, &mut buffer)? {
        let (status, body) = answer(&request, peer);
        let reason = if status < 400 { "OK" } else { "Error" };
        let mut response = format!("HTTP/1.1 {status} {reason}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        if request.method != "HEAD" {
            response.extend_from_slice(&body);
        }
        connection.write_all(&response)?;
    }
    Ok(())
}

/// The next request, or nothing when the client closed between two.
fn next_request(connection: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<Seen>> {
    loop {
        if let Some((mut request, head)) = parse_head(buffer)? {
            buffer.drain(..head);
            request.body = read_body(connection, buffer, &request)?;
            return Ok(Some(request));
        }
        if read_more(connection, buffer)? == 0 {
            return Ok(None);
        }
    }
}

/// The head of a request without its body, and its length; nothing if it is not complete yet.
fn parse_head(buffer: &[u8]) -> io::Result<Option<(Seen, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = request.parse(buffer).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let seen = Seen {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        headers: request
            .headers
            .iter()
            .map(|h| (h.name.to_owned(), h.value.to_vec()))
            .collect(),
        body: Vec::new(),
    };
    Ok(Some((seen, length)))
}

fn read_body(connection: &mut impl Read, buffer: &mut Vec<u8>, head: &Seen) -> io::Result<Vec<u8>> {
    let chunked = head
        .header("transfer-encoding")
        .is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
    if chunked {
        return read_chunks(connection, buffer);
    }
    let length = head
        .header("content-length")
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    take(connection, buffer, length)
}

/// The chunks of a body put together; a client may send the same way, so clients read with it too.
pub(super) fn read_chunks(connection: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match httparse::parse_chunk_size(buffer) {
            Ok(httparse::Status::Complete((start, size))) => {
                buffer.drain(..start);
                let size = usize::try_from(size).map_err(io::Error::other)?;
                body.append(&mut take(connection, buffer, size)?);
                // The line break that ends every chunk; the last one has no trailers here.
                take(connection, buffer, 2)?;
                if size == 0 {
                    return Ok(body);
                }
            }
            Ok(httparse::Status::Partial) => {
                if read_more(connection, buffer)? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(_) => return Err(io::Error::other("malformed chunk size")),
        }
    }
}

/// The next `length` bytes.
pub(super) fn take(connection: &mut impl Read, buffer: &mut Vec<u8>, length: usize) -> io::Result<Vec<u8>> {
    while buffer.len() < length {
        if read_more(connection, buffer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buffer.drain(..length).collect())
}

/// Appends what arrives next; 0 when the other side is done.
pub(super) fn read_more(connection: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 16 * 1024];
    let read = connection.read(&mut chunk)?;
    buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
    Ok(read)
}

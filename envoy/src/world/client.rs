//! An HTTP/1.1 client that chooses its source address and sends any bytes it is told to.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use super::http::{read_chunks, read_more, take};
use super::net;

/// A connection that is kept for several requests: plain, or a [`TlsStream`](super::tls::TlsStream).
pub struct HttpClient<S = TcpStream> {
    connection: S,
    buffer: Vec<u8>,
}

/// A request, byte for byte.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names as sent, and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; chunks put together.
    pub body: Vec<u8>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Nobody listens.
    #[error("connection refused")]
    Refused,
    /// The server closed, or reset, before it sent anything: a denied connection looks like this.
    #[error("closed before any byte")]
    Closed,
    /// What came back is no HTTP/1 response.
    #[error("malformed response")]
    Malformed(#[from] httparse::Error),
    /// Anything else, a time-out or a response cut short among it.
    #[error("no response")]
    Io(#[source] io::Error),
}

impl Request {
    /// A request for `target` with `Host: host` and no other header.
    #[must_use]
    pub fn new(method: &str, target: impl AsRef<[u8]>, host: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.as_ref().to_vec(),
            headers: vec![(b"Host".to_vec(), host.as_bytes().to_vec())],
            body: Vec::new(),
        }
    }

    /// The same with one more header, unchecked.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// The same with a body and its `Content-Length`.
    #[must_use]
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        let request = self.header("Content-Length", body.len().to_string());
        Self { body, ..request }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} ", self.method).into_bytes();
        bytes.extend_from_slice(&self.target);
        bytes.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

impl Response {
    /// The body, with anything that is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

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

impl HttpClient {
    /// Connects from `source`; each request may take as long as `timeout` between two bytes.
    ///
    /// # Errors
    ///
    /// [`RequestError::Refused`] or [`RequestError::Io`].
    pub fn connect(source: IpAddr, to: SocketAddr, timeout: Duration) -> Result<Self, RequestError> {
        let connection = net::connect(source, to, timeout).map_err(RequestError::from_io)?;
        Ok(Self::over(connection))
    }
}

impl<S: Read + Write> HttpClient<S> {
    /// Speaks HTTP on a connection that is there already.
    #[must_use]
    pub fn over(connection: S) -> Self {
        Self {
            connection,
            buffer: Vec::new(),
        }
    }

    /// Sends `request` and reads its response. After an error the connection is of no further use.
    ///
    /// # Errors
    ///
    /// [`RequestError::Closed`] when nothing at all came back, and the others.
    pub fn send(&mut self, request: &Request) -> Result<Response, RequestError> {
        // A server that closes without reading makes the write fail; what it said before that is still there.
        let written = self.connection.write_all(&request.to_bytes());
        match self.read_response(request.method == "HEAD") {
            Err(RequestError::Closed) => {
                written.map_err(RequestError::from_io)?;
                Err(RequestError::Closed)
            }
            other => other,
        }
    }

    fn read_response(&mut self, no_body: bool) -> Result<Response, RequestError> {
        loop {
            if let Some((mut response, head)) = parse_head(&self.buffer)? {
                self.buffer.drain(..head);
                // Informational responses come before the one that was asked for.
                if response.status >= 200 {
                    if !(no_body || matches!(response.status, 204 | 304)) {
                        response.body = self.read_body(&response).map_err(RequestError::Io)?;
                    }
                    return Ok(response);
                }
            } else {
                let read = read_more(&mut self.connection, &mut self.buffer);
                match read.map_err(RequestError::from_io)? {
                    0 if self.buffer.is_empty() => return Err(RequestError::Closed),
                    0 => return Err(RequestError::Io(io::ErrorKind::UnexpectedEof.into())),
                    _ => {}
                }
            }
        }
    }

    fn read_body(&mut self, head: &Response) -> io::Result<Vec<u8>> {
        let (connection, buffer) = (&mut self.connection, &mut self.buffer);
        if head
            .header("transfer-encoding")
            .is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
        {
            return read_chunks(connection, buffer);
        }
        if let Some(length) = head.header("content-length").and_then(|value| value.parse().ok()) {
            return take(connection, buffer, length);
        }
        while read_more(connection, buffer)? > 0 {}
        Ok(std::mem::take(buffer))
    }
}

impl RequestError {
    fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// One request on a connection of its own.
///
/// # Errors
///
/// As [`HttpClient::connect`] and [`HttpClient::send`].
pub fn request(source: IpAddr, to: SocketAddr, request: &Request, timeout: Duration) -> Result<Response, RequestError> {
    HttpClient::connect(source, to, timeout)?.send(request)
}

/// The head of a response and its length; nothing if it is not complete yet.
fn parse_head(buffer: &[u8]) -> Result<Option<(Response, usize)>, RequestError> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(buffer)? else {
        return Ok(None);
    };
    let headers = response
        .headers
        .iter()
        .map(|h| (h.name.to_owned(), h.value.to_vec()))
        .collect();
    let status = response.code.unwrap_or_default();
    Ok(Some((
        Response {
            status,
            headers,
            body: Vec::new(),
        },
        length,
    )))
}

//! HTTP/2 written by hand: what no client library would send.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use envoy_e2e::world::net;

use super::{TIMEOUT, World};

/// A header or pseudo-header, byte for byte.
pub(crate) type Field<'a> = (&'a [u8], &'a [u8]);

/// How an exchange ended, as the client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Response headers with this status.
    Status(u16),
    /// The stream was reset with this error code.
    Reset(u32),
    /// The connection was ended with this error code, or none.
    Gone(Option<u32>),
    /// Nothing for a while.
    Silence,
}

/// A frame to send, on stream 1 unless it is one of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    kind: u8,
    flags: u8,
    payload: Vec<u8>,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

impl Frame {
    /// A whole request without a body.
    pub(crate) fn request(fields: &[Field]) -> Self {
        Self::new(HEADERS, END_STREAM | END_HEADERS, block(fields))
    }

    /// The head of a request whose body follows.
    pub(crate) fn head(fields: &[Field]) -> Self {
        Self::new(HEADERS, END_HEADERS, block(fields))
    }

    /// The head of a request that goes on in continuations.
    pub(crate) fn open_head(fields: &[Field]) -> Self {
        Self::new(HEADERS, END_STREAM, block(fields))
    }

    /// More of a head, which does not end here.
    pub(crate) fn open_continuation(fields: &[Field]) -> Self {
        Self::new(CONTINUATION, 0, block(fields))
    }

    /// The client does not want the stream any more.
    pub(crate) fn cancel() -> Self {
        Self::new(RST_STREAM, 0, 8_u32.to_be_bytes().to_vec())
    }

    /// The end of a body.
    pub(crate) fn last_data(bytes: &[u8]) -> Self {
        Self::new(DATA, END_STREAM, bytes.to_vec())
    }

    fn new(kind: u8, flags: u8, payload: Vec<u8>) -> Self {
        Self { kind, flags, payload }
    }

    fn to_bytes(&self, stream: u32) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend_from_slice(&[self.kind, self.flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// A connection to the application on which these frames were sent on stream 1.
pub(crate) struct Exchange(TcpStream);

impl Exchange {
    /// Sends the frames on stream 1 of a new connection.
    pub(crate) fn start(world: &World, frames: &[Frame]) -> Self {
        Self::start_on(world, frames.iter().map(|frame| (1, frame)))
    }

    /// Sends the frames on these streams of a new connection.
    pub(crate) fn start_on<'a>(world: &World, frames: impl IntoIterator<Item = (u32, &'a Frame)>) -> Self {
        let mut connection = net::connect(world.client(), world.listener("app"), TIMEOUT).unwrap();
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(Frame::new(SETTINGS, 0, Vec::new()).to_bytes(0));
        frames
            .into_iter()
            .for_each(|(stream, frame)| bytes.extend(frame.to_bytes(stream)));
        // Envoy may end the connection before it has read everything, and why is still there.
        drop(connection.write_all(&bytes));
        Self(connection)
    }

    /// Whether Envoy ends the connection within the time-out, whatever comes before.
    pub(crate) fn ends(mut self) -> bool {
        let mut chunk = [0; 4096];
        loop {
            match self.0.read(&mut chunk) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == io::ErrorKind::ConnectionReset,
            }
        }
    }

    /// What the stream came to. Envoy lets a client wait a second for the end of a connection.
    pub(crate) fn outcome(mut self) -> Outcome {
        outcome(&mut self.0).unwrap()
    }
}

fn outcome(connection: &mut TcpStream) -> io::Result<Outcome> {
    loop {
        let mut head = [0; 9];
        if let Err(error) = connection.read_exact(&mut head) {
            return match error.kind() {
                io::ErrorKind::WouldBlock => Ok(Outcome::Silence),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Ok(Outcome::Gone(None)),
                _ => Err(error),
            };
        }
        let [a, b, c, kind, ..] = head;
        let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap()];
        connection.read_exact(&mut payload)?;
        match kind {
            HEADERS => return Ok(Outcome::Status(status(&payload))),
            RST_STREAM => return Ok(Outcome::Reset(number(&payload))),
            GOAWAY => return Ok(Outcome::Gone(Some(number(&payload[4..])))),
            _ => {}
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

/// Fields as literals that nobody needs to remember, and without compression.
fn block(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            length(text.len(), &mut bytes);
            bytes.extend_from_slice(text);
        }
    }
    bytes
}

/// An integer with a prefix of seven bits.
fn length(mut length: usize, bytes: &mut Vec<u8>) {
    if length < 127 {
        bytes.push(u8::try_from(length).unwrap());
        return;
    }
    bytes.push(127);
    length -= 127;
    while length >= 128 {
        bytes.push(u8::try_from(length % 128).unwrap() | 128);
        length /= 128;
    }
    bytes.push(u8::try_from(length).unwrap());
}

/// `:status`, the first field of a response: one of the known ones, or a literal under its known name.
fn status(block: &[u8]) -> u16 {
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block {
        [field @ 0x88..=0x8e, ..] => KNOWN[usize::from(field - 0x88)],
        [0x48 | 0x08, length, rest @ ..] if length & 0x80 != 0 => huffman_digits(&rest[..usize::from(length & 0x7f)]),
        [0x48 | 0x08, 3, digits @ ..] => std::str::from_utf8(&digits[..3]).unwrap().parse().unwrap(),
        _ => panic!("no status: {block:x?}"),
    }
}

/// Three digits in HPACK's code: 0 to 2 have five bits, the others six.
fn huffman_digits(bytes: &[u8]) -> u16 {
    let mut bits = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut take = |count: usize| bits.by_ref().take(count).fold(0, |code, bit| code << 1 | bit);
    (0..3).fold(0, |number, _| {
        let code = take(5);
        let digit = if code < 3 { code } else { (code << 1 | take(1)) - 22 };
        number * 10 + digit
    })
}

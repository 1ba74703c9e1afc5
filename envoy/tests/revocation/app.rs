//! An application whose answers do not end: a websocket that echoes, a response of ever more chunks, a gRPC call of
//! ever more messages.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use bytes::Bytes;
use envoy_e2e::world::server::Server;
use h2::server::SendResponse;
use tokio::runtime::Builder;

/// Between two parts of an answer.
const PACE: Duration = Duration::from_millis(50);

/// Listens on `address`.
pub(crate) fn start(address: SocketAddr) -> Server {
    Server::start(address, serve).unwrap()
}

fn serve(mut connection: TcpStream) -> io::Result<()> {
    if starts_with(&connection, b"PRI")? {
        return serve_http_2(connection);
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        head.extend(byte);
    }
    if head.windows(3).any(|part| part == b"/ws") {
        connection
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")?;
        io::copy(&mut connection.try_clone()?, &mut connection)?;
        return Ok(());
    }
    connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    loop {
        connection.write_all(b"4\r\nmore\r\n")?;
        sleep(PACE);
    }
}

fn starts_with(connection: &TcpStream, expected: &[u8; 3]) -> io::Result<bool> {
    let mut start = [0; 3];
    while connection.peek(&mut start)? < start.len() {
        sleep(Duration::from_millis(1));
    }
    Ok(start == *expected)
}

fn serve_http_2(connection: TcpStream) -> io::Result<()> {
    connection.set_nonblocking(true)?;
    let serve = async {
        let connection = tokio::net::TcpStream::from_std(connection)?;
        let mut connection = h2::server::handshake(connection).await.map_err(io::Error::other)?;
        while let Some(Ok((_, respond))) = connection.accept().await {
            tokio::spawn(send_messages(respond));
        }
        Ok(())
    };
    Builder::new_current_thread().enable_all().build()?.block_on(serve)
}

/// Until the caller leaves.
async fn send_messages(mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let head = http::Response::builder().header("content-type", "application/grpc");
    let mut body = respond.send_response(head.body(()).unwrap(), false)?;
    loop {
        // An empty message: not compressed, no bytes.
        body.send_data(Bytes::from_static(&[0; 5]), false)?;
        tokio::time::sleep(PACE).await;
    }
}

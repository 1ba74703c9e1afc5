//! The least that an external authorizer can be: a gRPC service that reads nothing and says yes.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response};
use tokio::net::{TcpListener, TcpStream};

/// A gRPC message of two bytes, not compressed: `CheckResponse` with the `status` that means OK.
const YES: &[u8] = &[0, 0, 0, 0, 2, 0x0a, 0];

/// Serves until the process is ended, and prints its port first.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", listener.local_addr()?.port())?;
        out.flush()?;
        loop {
            let (connection, _) = listener.accept().await?;
            // How a connection ends is Envoy's affair.
            tokio::spawn(async move { drop(answer_all(connection).await) });
        }
    })
}

async fn answer_all(connection: TcpStream) -> Result<()> {
    connection.set_nodelay(true)?;
    let mut connection = h2::server::handshake(connection).await?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        let mut body = request.into_body();
        // Envoy counts on its window being given back.
        tokio::spawn(async move {
            while let Some(Ok(chunk)) = body.data().await {
                drop(body.flow_control().release_capacity(chunk.len()));
            }
            drop(answer(respond));
        });
    }
    Ok(())
}

fn answer(mut respond: SendResponse<Bytes>) -> Result<()> {
    let head = Response::builder().header("content-type", "application/grpc").body(());
    let mut stream = respond.send_response(head.context("a response without a body")?, false)?;
    stream.send_data(Bytes::from_static(YES), false)?;
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    stream.send_trailers(trailers)?;
    Ok(())
}

//! Streams that stay open, as their clients see them.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use bytes::Bytes;
use envoy_e2e::world::net;
use tokio::runtime::Builder;

use crate::common::{TIMEOUT, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody says anything on it.
    Tcp,
    /// The same, after the handshake.
    Websocket,
    /// An HTTP/1 response.
    Chunks,
    /// A call over HTTP/2 in which the caller has not finished either.
    Grpc,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Tcp, Self::Websocket, Self::Chunks, Self::Grpc];
}

/// A stream on a connection of its own.
pub(crate) struct Stream {
    pub(crate) kind: Kind,
    /// Whether the next policy allows it, too.
    pub(crate) stays: bool,
    progress: Arc<Progress>,
    /// What to speak on, where the service does not speak by itself.
    connection: Option<TcpStream>,
}

#[derive(Default)]
struct Progress {
    bytes: AtomicUsize,
    ended: OnceLock<Instant>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind, stays, progress, ..
        } = self;
        let bytes = progress.bytes.load(Ordering::SeqCst);
        write!(
            f,
            "{kind:?} that {}, after {bytes} bytes",
            if *stays { "stays" } else { "goes" }
        )
    }
}

impl Stream {
    /// Opens a stream, and waits until the service has answered something.
    pub(crate) fn open(world: &World, listener: &str, kind: Kind, stays: bool) -> Self {
        let connection = net::connect(world.client(), world.listener(listener), TIMEOUT).unwrap();
        let path = format!(
            "/{}/{}",
            if stays { "stay" } else { "go" },
            if kind == Kind::Websocket { "ws" } else { "x" }
        );
        let progress = Arc::<Progress>::default();
        let follow = Arc::clone(&progress);
        let spoken_on = match kind {
            Kind::Tcp | Kind::Websocket => Some(connection.try_clone().unwrap()),
            Kind::Chunks | Kind::Grpc => None,
        };
        thread::spawn(move || {
            if kind == Kind::Grpc {
                follow_call(connection, &path, &follow);
            } else {
                follow_bytes(connection, kind, &path, &follow);
            }
            follow.ended.get_or_init(Instant::now);
        });
        let stream = Self {
            kind,
            stays,
            progress,
            connection: spoken_on,
        };
        assert!(stream.goes_beyond(0), "{stream:?}: was not opened");
        stream
    }

    /// When the client saw the end, if it did.
    pub(crate) fn ended(&self) -> Option<Instant> {
        self.progress.ended.get().copied()
    }

    /// Whether something still comes from the service: by itself, or as an answer.
    pub(crate) fn is_answered(&self) -> bool {
        let before = self.progress.bytes.load(Ordering::SeqCst);
        if let Some(mut connection) = self.connection.as_ref() {
            connection.write_all(b"ping").unwrap();
        }
        self.goes_beyond(before)
    }

    fn goes_beyond(&self, bytes: usize) -> bool {
        let deadline = Instant::now() + TIMEOUT;
        while self.progress.bytes.load(Ordering::SeqCst) <= bytes {
            if self.ended().is_some() || Instant::now() >= deadline {
                return false;
            }
            sleep(Duration::from_millis(2));
        }
        true
    }
}

fn follow_bytes(mut connection: TcpStream, kind: Kind, path: &str, progress: &Progress) {
    // Silence is no end.
    connection.set_read_timeout(None).unwrap();
    let upgrade = match kind {
        Kind::Websocket => "connection: upgrade\r\nupgrade: websocket\r\n",
        Kind::Tcp | Kind::Chunks | Kind::Grpc => "",
    };
    if kind != Kind::Tcp {
        let head = format!("GET {path} HTTP/1.1\r\nhost: app\r\n{upgrade}\r\n");
        connection.write_all(head.as_bytes()).unwrap();
    }
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = connection.read(&mut chunk) {
        progress.bytes.fetch_add(read, Ordering::SeqCst);
    }
}

fn follow_call(connection: TcpStream, path: &str, progress: &Progress) {
    connection.set_nonblocking(true).unwrap();
    let request = http::Request::post(format!("http://app{path}")).header("content-type", "application/grpc");
    let request = request.header("te", "trailers").body(()).unwrap();
    let call = async {
        let connection = tokio::net::TcpStream::from_std(connection).unwrap();
        let (sender, connection) = h2::client::handshake(connection).await?;
        tokio::spawn(connection);
        let (response, mut messages) = sender.ready().await?.send_request(request, false)?;
        messages.send_data(Bytes::from_static(&[0; 5]), false)?;
        let mut body = response.await?.into_body();
        while let Some(message) = body.data().await {
            let length = message?.len();
            body.flow_control().release_capacity(length)?;
            progress.bytes.fetch_add(length, Ordering::SeqCst);
        }
        Ok::<_, h2::Error>(())
    };
    // A reset is one of the ends that there are.
    drop(
        Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(call),
    );
}

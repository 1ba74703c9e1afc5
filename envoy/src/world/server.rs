//! A TCP server with a thread for each connection, which counts what reached it and ends when it is dropped.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// A running server. Dropping it closes its address and its connections.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    accepted: AtomicUsize,
    /// Connections that are being served, by number.
    open: Mutex<BTreeMap<usize, TcpStream>>,
}

impl Server {
    /// Listens on `address` and gives every connection to `serve`, in a thread of its own.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub fn start(
        address: SocketAddr,
        serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let accepting = {
            let (shared, serve) = (Arc::clone(&shared), Arc::new(serve));
            thread::spawn(move || accept_all(&listener, &shared, &serve))
        };
        Ok(Self {
            address,
            shared,
            accepting: Some(accepting),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it was given so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

fn accept_all<F>(listener: &TcpListener, shared: &Arc<Shared>, serve: &Arc<F>)
where
    F: Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
{
    for connection in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        // An error here belongs to one client that left early, not to the server.
        let Ok(connection) = connection else { continue };
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        let Ok(handle) = connection.try_clone() else { continue };
        shared.open().insert(number, handle);
        let (shared, serve) = (Arc::clone(shared), Arc::clone(serve));
        thread::spawn(move || {
            // How a connection ends is seen, and judged, by the client.
            drop(serve(connection));
            shared.close(number);
        });
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, BTreeMap<usize, TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes a connection, if the server's end has not done so already.
    fn close(&self, number: usize) {
        if let Some(connection) = self.open().remove(&number) {
            // Already closed by the other side is as good.
            drop(connection.shutdown(Shutdown::Both));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the accepting thread; if that fails the thread ended already.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
        let numbers: Vec<_> = self.shared.open().keys().copied().collect();
        numbers.into_iter().for_each(|number| self.shared.close(number));
    }
}

//! Loopback networks, free ports, and connections from a chosen source address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// A little network of its own, 127.a.b.0/24, so that tests which run side by side do not meet.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    prefix: [u8; 2],
}

impl Network {
    /// A network that nobody else in this process has; other processes most likely have another one.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        // Knuth's multiplicative hash spreads neighbouring process ids far apart.
        let mixed = std::process::id().wrapping_mul(2_654_435_761).wrapping_add(count << 16);
        let [a, b, ..] = mixed.to_be_bytes();
        // 127.0 and 127.255 hold addresses that people use.
        Self {
            prefix: [a.clamp(1, 254), b],
        }
    }

    /// Host `n` of the network.
    #[must_use]
    pub fn host(self, n: u8) -> IpAddr {
        let [a, b] = self.prefix;
        IpAddr::V4(Ipv4Addr::new(127, a, b, n))
    }

    /// Host `n` with a port that nobody listens on, for a process that must be told its port.
    ///
    /// The ports are below those that the kernel gives to outgoing connections, so that none of these takes the port
    /// before the process does.
    ///
    /// # Errors
    ///
    /// The address cannot be bound, whatever the port.
    pub fn free(self, n: u8) -> io::Result<SocketAddr> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let mut last = io::ErrorKind::AddrInUse.into();
        for _ in 0..100 {
            let port = 20_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000;
            match TcpListener::bind((self.host(n), port)) {
                Ok(listener) => return listener.local_addr(),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Host `n` with port 0: the kernel chooses when a server of ours binds it.
    #[must_use]
    pub fn any(self, n: u8) -> SocketAddr {
        SocketAddr::new(self.host(n), 0)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// Connects from `source`, on any port, to `to`. Reads and writes on the connection have the same `timeout`.
///
/// # Errors
///
/// What the system says, `ConnectionRefused` and `TimedOut` among it.
pub fn connect(source: IpAddr, to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect_timeout(&to.into(), timeout)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

//! A TLS client that shows any certificate it is told to, or none.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::certs::Leaf;
use super::net;
use super::tcp::Probe;

/// What a client does in every handshake.
#[derive(Clone)]
pub struct TlsClient(Arc<ClientConfig>);

/// A connection after its handshake.
pub struct TlsStream(StreamOwned<ClientConnection, TcpStream>);

impl TlsClient {
    /// A client that believes servers whose certificate `authority`, a PEM text, has issued, and that shows `own`.
    ///
    /// # Errors
    ///
    /// One of the certificates cannot be read.
    pub fn new(authority: &str, own: Option<&Leaf>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match own {
            None => config.with_no_client_auth(),
            Some(leaf) => {
                let chain = CertificateDer::pem_slice_iter(leaf.certificate.as_bytes()).collect::<Result<_, _>>()?;
                let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes())?;
                config.with_client_auth_cert(chain, key)?
            }
        };
        // Every connection shows its certificate: a resumed one would not.
        config.resumption = Resumption::disabled();
        Ok(Self(Arc::new(config)))
    }

    /// The same without the server name in its greeting.
    #[must_use]
    pub fn without_server_name(&self) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.enable_sni = false;
        Self(Arc::new(config))
    }

    /// The same, and later connections resume the session of an earlier one if the server lets them.
    #[must_use]
    pub fn resuming(&self) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.resumption = Resumption::default();
        Self(Arc::new(config))
    }

    /// Connects from `source` and finishes the handshake with the server `name`.
    ///
    /// A server that refuses the client's certificate may say so only after that, on the first read.
    ///
    /// # Errors
    ///
    /// There is no connection, or no handshake.
    pub fn connect(&self, source: IpAddr, to: SocketAddr, name: &str, timeout: Duration) -> Result<TlsStream> {
        let connection = net::connect(source, to, timeout).context("no connection")?;
        self.over(connection, name)
    }

    /// The handshake with the server `name` on a connection that is there already.
    ///
    /// # Errors
    ///
    /// There is no handshake.
    pub fn over(&self, connection: TcpStream, name: &str) -> Result<TlsStream> {
        let name = ServerName::try_from(name.to_owned())?;
        let mut stream = StreamOwned::new(ClientConnection::new(Arc::clone(&self.0), name)?, connection);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).context("no handshake")?;
        }
        Ok(TlsStream(stream))
    }

    /// As [`tcp::probe`](super::tcp::probe), inside TLS. A handshake that fails is [`Probe::Closed`].
    ///
    /// # Errors
    ///
    /// Something other than the [`Probe`]s happened.
    pub fn probe(
        &self,
        source: IpAddr,
        to: SocketAddr,
        name: &str,
        bytes: &[u8],
        timeout: Duration,
    ) -> io::Result<Probe> {
        let Ok(mut stream) = self.connect(source, to, name, timeout) else {
            return Ok(Probe::Closed);
        };
        let mut answer = vec![0; 4096];
        match stream.write_all(bytes).and_then(|()| stream.read(&mut answer)) {
            Ok(0) => Ok(Probe::Closed),
            Ok(read) => {
                answer.truncate(read);
                Ok(Probe::Data(answer))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Ok(Probe::Closed),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(Probe::Silent),
                _ => Err(error),
            },
        }
    }
}

impl Read for TlsStream {
    /// A connection that ends without the goodbye of TLS ends all the same, and one that ends with an alert was reset.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            Err(error) if is_alert(&error) => Err(io::ErrorKind::ConnectionReset.into()),
            other => other,
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn is_alert(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::AlertReceived(_)))
}

//! An HTTP request as the filter chain gets it.

use std::net::SocketAddr;

use crate::headers::Headers;
use crate::metadata::{Metadata, MetadataValue};

/// A request. Built with methods that each add one fact; starts as `GET / HTTP/1.1`.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) more_to_come: bool,
    pub(crate) protocol: String,
    pub(crate) route_name: String,
    pub(crate) dynamic_metadata: Metadata,
    pub(crate) upstream: Option<SocketAddr>,
}

impl Request {
    /// A request without a body. The method `CONNECT` has no path, and HTTP/1.0 needs no authority: give empty ones.
    #[must_use]
    pub fn new(method: &str, authority: &str, path: &str) -> Self {
        let mut headers = Headers::default();
        if !authority.is_empty() {
            headers.add(b":authority", authority.as_bytes());
        }
        if !path.is_empty() {
            headers.add(b":path", path.as_bytes());
        }
        headers.add(b":method", method.as_bytes());
        headers.add(b":scheme", b"http");
        Self {
            headers,
            body: Vec::new(),
            more_to_come: false,
            protocol: "HTTP/1.1".to_owned(),
            route_name: String::new(),
            dynamic_metadata: Metadata::default(),
            upstream: None,
        }
    }

    /// A `GET` request.
    #[must_use]
    pub fn get(authority: &str, path: &str) -> Self {
        Self::new("GET", authority, path)
    }

    /// A gRPC request for `path`, `/package.Service/Method`.
    #[must_use]
    pub fn grpc(authority: &str, path: &str) -> Self {
        let request = Self::new("POST", authority, path).protocol("HTTP/2");
        request
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .more_to_come()
    }

    /// Adds a header. Repeat it for several values; a value may be any bytes.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name.as_bytes(), value.as_ref());
        self
    }

    /// Sets a complete body.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// A body follows that the test delivers itself: see
    /// [`HttpStream::body`](crate::HttpStream::body).
    #[must_use]
    pub fn more_to_come(mut self) -> Self {
        self.more_to_come = true;
        self
    }

    /// Sets the protocol, `HTTP/2` for example.
    #[must_use]
    pub fn protocol(mut self, protocol: &str) -> Self {
        protocol.clone_into(&mut self.protocol);
        self
    }

    /// Names the matched route.
    #[must_use]
    pub fn route_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.route_name);
        self
    }

    /// Adds dynamic metadata of the request.
    #[must_use]
    pub fn dynamic_metadata(mut self, namespace: &str, key: &str, value: impl Into<MetadataValue>) -> Self {
        self.dynamic_metadata.set(namespace, key, value);
        self
    }

    /// The plugin runs as upstream filter: the endpoint is chosen already.
    #[must_use]
    pub fn at_upstream(mut self, endpoint: SocketAddr) -> Self {
        self.upstream = Some(endpoint);
        self
    }
}

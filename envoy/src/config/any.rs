//! Envoy's way to put a message of any type into a field: the message and its type URL side by side.

use serde::Serialize;

/// A message with its type. The prefix of every URL is the same; only the message's name matters.
#[derive(Serialize)]
pub(crate) struct Any<T> {
    #[serde(rename = "@type")]
    url: String,
    #[serde(flatten)]
    message: T,
}

impl<T> Any<T> {
    /// `message`, a protobuf message of the type with that full name.
    pub(crate) fn new(message_type: &str, message: T) -> Self {
        Self {
            url: type_url(message_type),
            message,
        }
    }
}

/// A named extension with its configuration, as in filter lists.
#[derive(Serialize)]
pub(crate) struct Extension<T> {
    name: String,
    typed_config: Any<T>,
}

impl<T> Extension<T> {
    pub(crate) fn new(name: &str, message_type: &str, message: T) -> Self {
        Self {
            name: name.to_owned(),
            typed_config: Any::new(message_type, message),
        }
    }
}

/// A message without any field set.
#[derive(Serialize)]
pub(crate) struct Empty {}

/// The type URL of a message.
pub(crate) fn type_url(message_type: &str) -> String {
    format!("type.googleapis.com/{message_type}")
}

/// An IP address and port, for TCP unless said otherwise.
#[derive(Serialize)]
pub(crate) struct Address {
    socket_address: SocketAddress,
}

#[derive(Serialize)]
struct SocketAddress {
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<&'static str>,
    address: String,
    port_value: u16,
}

impl Address {
    pub(crate) fn tcp(address: std::net::SocketAddr) -> Self {
        Self::new(None, address)
    }

    pub(crate) fn udp(address: std::net::SocketAddr) -> Self {
        Self::new(Some("UDP"), address)
    }

    fn new(protocol: Option<&'static str>, address: std::net::SocketAddr) -> Self {
        let (ip, port) = (address.ip().to_string(), address.port());
        Self {
            socket_address: SocketAddress {
                protocol,
                address: ip,
                port_value: port,
            },
        }
    }
}

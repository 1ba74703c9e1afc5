//! What a connection shows beyond its addresses: its TLS handshake, and a message on it.

use policy_core::{Carried, HttpRequest, KafkaRequest};

/// The first message of a TLS connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Handshake {
    /// The server name that the client asks for, if it asks for one.
    pub(crate) server_name: Option<String>,
}

/// A message on a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    Http(HttpRequest),
    /// A query for this name.
    Dns(Vec<u8>),
    Kafka(KafkaMessage),
}

/// A Kafka request, as far as rules look at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KafkaMessage {
    pub(crate) api_key: i16,
    pub(crate) api_version: i16,
    pub(crate) client_id: Vec<u8>,
    pub(crate) topics: Vec<Vec<u8>>,
}

/// What is known of a connection besides its addresses; by default nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Content {
    /// Without it the question is not about TLS, and a message is in cleartext.
    pub(crate) handshake: Option<Handshake>,
    /// Without it the question is about the connection as such.
    pub(crate) message: Option<Message>,
}

impl Content {
    /// The server name in the words of the engine: `None` if TLS is not asked about, `Some(None)` if the client asks
    /// for no name.
    pub(crate) fn server_name(&self) -> Option<Option<&[u8]>> {
        let handshake = self.handshake.as_ref()?;
        Some(handshake.server_name.as_deref().map(str::as_bytes))
    }

    /// The request, if the message is one of HTTP.
    pub(crate) fn http(&self) -> Option<&HttpRequest> {
        match &self.message {
            Some(Message::Http(request)) => Some(request),
            Some(Message::Dns(_) | Message::Kafka(_)) | None => None,
        }
    }

    /// Hands the message to the engine.
    pub(crate) fn with_carried<R>(&self, ask: impl FnOnce(Option<Carried<'_>>) -> R) -> R {
        match &self.message {
            None => ask(None),
            Some(Message::Http(request)) => ask(Some(Carried::Http(request))),
            Some(Message::Dns(name)) => ask(Some(Carried::Dns(name))),
            Some(Message::Kafka(message)) => ask(Some(Carried::Kafka(&message.request()))),
        }
    }
}

impl KafkaMessage {
    /// The version of a request that does not tell it: no rule names this one.
    pub(crate) const UNKNOWN_VERSION: i16 = -1;

    fn request(&self) -> KafkaRequest<'_> {
        KafkaRequest {
            api_key: self.api_key,
            api_version: self.api_version,
            client_id: &self.client_id,
            topics: self.topics.iter().map(Vec::as_slice).collect(),
        }
    }
}

//! Local replies: what the client gets when a filter answers instead of the upstream.

use crate::headers::Headers;

/// A reply as a plugin asked for it.
#[derive(Debug, Clone)]
pub(crate) struct PluginReply {
    pub(crate) status: u32,
    pub(crate) details: String,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Headers,
    pub(crate) grpc_status: i32,
}

/// A reply as the client gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReply {
    /// The HTTP status on the wire: 200 for gRPC, whatever the plugin asked for.
    pub status: u32,
    /// The response headers, `:status` included.
    pub headers: Headers,
    /// The body; empty for gRPC and for `HEAD`.
    pub body: Vec<u8>,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: String,
    /// The gRPC status, for a gRPC request.
    pub grpc_status: Option<u32>,
}

/// What the reply must know of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplyTo {
    grpc: bool,
    head: bool,
}

impl ReplyTo {
    /// gRPC is the content type `application/grpc`, alone or with a `+suffix`, on a request with a
    /// path; `application/grpc-web` is not.
    pub(crate) fn of(request: &Headers) -> Self {
        let content_type = request.first(b"content-type").unwrap_or_default();
        let suffix = content_type.strip_prefix(b"application/grpc");
        let grpc = suffix.is_some_and(|suffix| suffix.is_empty() || suffix.starts_with(b"+"));
        Self {
            grpc: grpc && request.first(b":path").is_some(),
            head: request.first(b":method") == Some(b"HEAD"),
        }
    }
}

const GRPC_UNAVAILABLE: i32 = 14;
const LAST_GRPC_STATUS: i32 = 16;

impl PluginReply {
    /// What Envoy answers while the plugin's virtual machine is dead.
    pub(crate) fn plugin_failed() -> Self {
        Self {
            status: 503,
            details: "wasm_fail_stream".to_owned(),
            body: Vec::new(),
            headers: Headers::default(),
            grpc_status: GRPC_UNAVAILABLE,
        }
    }

    /// What Envoy answers for a filter that has no configuration yet.
    pub(crate) fn not_configured() -> Self {
        let details = String::new();
        Self {
            status: 500,
            details,
            grpc_status: -1,
            ..Self::plugin_failed()
        }
    }

    /// The reply in the form that the request calls for.
    pub(crate) fn send(self, to: ReplyTo) -> LocalReply {
        if to.grpc {
            self.send_grpc(to)
        } else {
            self.send_http(to)
        }
    }

    fn send_http(self, to: ReplyTo) -> LocalReply {
        let mut headers = Headers::default();
        headers.add(b":status", self.status.to_string().as_bytes());
        for (name, value) in self.headers.iter() {
            headers.add(name, value);
        }
        if !self.body.is_empty() {
            headers.replace(b"content-length", self.body.len().to_string().as_bytes());
            if headers.first(b"content-type").is_none() {
                headers.add(b"content-type", b"text/plain");
            }
        }
        let body = if to.head { Vec::new() } else { self.body };
        LocalReply {
            status: self.status,
            headers,
            body,
            details: self.details,
            grpc_status: None,
        }
    }

    fn send_grpc(self, to: ReplyTo) -> LocalReply {
        let grpc_status = match self.grpc_status {
            known @ 0..=LAST_GRPC_STATUS => known.unsigned_abs(),
            _ => grpc_status_of(self.status),
        };
        let mut headers = Headers::default();
        headers.add(b":status", b"200");
        headers.add(b"content-type", b"application/grpc");
        headers.add(b"grpc-status", grpc_status.to_string().as_bytes());
        if !self.body.is_empty() && !to.head {
            headers.add(b"grpc-message", percent_encode(&self.body).as_bytes());
        }
        for (name, value) in self.headers.iter() {
            headers.add(name, value);
        }
        let (details, body) = (self.details, Vec::new());
        LocalReply {
            status: 200,
            headers,
            body,
            details,
            grpc_status: Some(grpc_status),
        }
    }
}

/// The gRPC status of an HTTP status, as gRPC defines the mapping.
fn grpc_status_of(http: u32) -> u32 {
    match http {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

fn percent_encode(bytes: &[u8]) -> String {
    let encode = |byte: &u8| match byte {
        b'%' | ..b' ' | 0x7f.. => format!("%{byte:02X}"),
        _ => char::from(*byte).to_string(),
    };
    bytes.iter().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(grpc_status: i32) -> PluginReply {
        PluginReply {
            status: 403,
            details: String::new(),
            body: b"Access denied\r\n".to_vec(),
            headers: Headers::default(),
            grpc_status,
        }
    }

    fn request(method: &str, content_type: &str) -> ReplyTo {
        let mut headers = Headers::default();
        headers.add(b":method", method.as_bytes());
        headers.add(b":path", b"/");
        headers.add(b"content-type", content_type.as_bytes());
        ReplyTo::of(&headers)
    }

    #[test]
    fn the_form_of_a_reply_follows_the_request() {
        let rows = [
            ("plain HTTP", "POST", "application/json", -1, 403, None),
            ("HTTP ignores a gRPC status", "POST", "text/plain", 7, 403, None),
            ("gRPC maps 403", "POST", "application/grpc", -1, 200, Some(7)),
            ("gRPC with a suffix", "POST", "application/grpc+proto", -1, 200, Some(7)),
            ("an explicit status wins", "POST", "application/grpc", 16, 200, Some(16)),
            (
                "an unknown status does not",
                "POST",
                "application/grpc",
                17,
                200,
                Some(7),
            ),
            (
                "gRPC-Web gets the plain reply",
                "POST",
                "application/grpc-web",
                -1,
                403,
                None,
            ),
        ];
        for (why, method, content_type, grpc_status, status, expected) in rows {
            let reply = denial(grpc_status).send(request(method, content_type));
            assert_eq!((reply.status, reply.grpc_status), (status, expected), "{why}");
            let encoded = reply.headers.text("grpc-message");
            assert_eq!(encoded.is_some(), expected.is_some(), "{why}");
            assert!(
                encoded.is_none_or(|text| text == "Access denied%0D%0A"),
                "{why}: {encoded:?}"
            );
        }
    }

    #[test]
    fn a_body_brings_its_headers_and_head_gets_them_only() {
        let reply = denial(-1).send(request("HEAD", ""));
        assert!(reply.body.is_empty());
        assert_eq!(reply.headers.text("content-length"), Some("15"));
        assert_eq!(reply.headers.text("content-type"), Some("text/plain"));
        let reply = denial(-1).send(request("GET", ""));
        assert_eq!(reply.body, b"Access denied\r\n");
    }

    #[test]
    fn a_dead_plugin_is_unavailable() {
        let reply = PluginReply::plugin_failed().send(request("POST", "application/grpc"));
        assert_eq!((reply.status, reply.grpc_status), (200, Some(14)));
        let reply = PluginReply::plugin_failed().send(request("GET", ""));
        assert_eq!((reply.status, reply.body.len()), (503, 0));
    }
}

//! A flow as a log recorded it, whatever the form of the log: what is the same in all lines of one flow.
//!
//! Source ports, times and sizes are left out, so that equal records have equal answers.

use std::{cell::Cell, net::IpAddr};

use policy_core::{HttpFacts, Protocol, Reason, Scope};

use super::skip::{Skip, Why};

/// A flow, and what became of it then.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Record {
    pub(super) source: End,
    pub(super) destination: To,
    pub(super) protocol: Protocol,
    /// The destination port; the message type for ICMP.
    pub(super) port: u16,
    /// Whose policy decided, if the line says it.
    pub(super) asked: Option<Asked>,
    /// Beside its address, who the source had proven to be.
    pub(super) claim: Option<ClaimWords>,
    /// DNS names of the destination's address.
    pub(super) names: Vec<String>,
    pub(super) is_authenticated: bool,
    pub(super) server_name: ServerName,
    pub(super) message: Option<Message>,
    /// Whether further lines tell what the connection carried.
    pub(super) has_lines_for_messages: bool,
    pub(super) then: Then,
}

/// What was decided when the line was written.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Then {
    pub(super) allowed: bool,
    /// In the words of the log.
    pub(super) reason: Option<String>,
    pub(super) rule: Option<String>,
}

impl Then {
    /// Logs do not tell who had proven to be somebody, unless the want of it was the reason for a denial.
    pub(super) fn is_authenticated(&self) -> bool {
        self.reason.as_deref() != Some(Reason::NotAuthenticated.as_str())
    }
}

/// One end of a flow. Nothing need be known.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct End {
    /// `namespace/pod`.
    pub(super) pod: Option<String>,
    /// As Cilium writes them, sorted: `k8s:app=web`, `reserved:world`.
    pub(super) labels: Vec<String>,
    pub(super) address: Option<IpAddr>,
}

impl End {
    /// Known by its address alone.
    pub(super) fn at(address: IpAddr) -> Self {
        Self {
            address: Some(address.to_canonical()),
            ..Self::default()
        }
    }
}

/// Where a flow went.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum To {
    End(End),
    /// To whatever this name resolved to.
    Name(String),
}

/// Whose policy was asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Asked {
    Ingress,
    Egress,
}

impl From<Asked> for Scope {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Ingress => Self::Ingress,
            Asked::Egress => Self::Egress,
        }
    }
}

/// What a client asked for in its TLS handshake.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum ServerName {
    /// The line does not say.
    NotRecorded,
    /// It asked for no name, or spoke no TLS.
    Absent,
    Name(String),
}

/// Who a source had proven to be: the words of the filter state `portcullis_peer`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct ClaimWords {
    /// All of it, as it was written.
    pub(super) text: String,
    pub(super) address: Option<IpAddr>,
    pub(super) namespace: Option<String>,
    pub(super) pod: Option<String>,
    pub(super) service_account: Option<String>,
    pub(super) labels: Vec<(String, String)>,
}

impl ClaimWords {
    /// Reads `ns=empire sa=tie pod=tie-7 address=10.0.0.1 app=x`. If it was cut off, nobody can say who that was.
    pub(super) fn parse(words: &str) -> Result<Self, Skip> {
        let unreadable = || Skip::new(Why::UnknownPeer, format!("peer: `{words}` is not understood"));
        if words.ends_with("...") {
            return Err(unreadable());
        }
        let mut claim = Self {
            text: words.to_owned(),
            ..Self::default()
        };
        for word in words.split(' ') {
            let (key, value) = word.split_once('=').ok_or_else(unreadable)?;
            let value = value.to_owned();
            match key {
                "ns" => claim.namespace = Some(value),
                "sa" => claim.service_account = Some(value),
                "pod" => claim.pod = Some(value),
                "address" => claim.address = Some(value.parse().map_err(|_| unreadable())?),
                _ => claim.labels.push((key.to_owned(), value)),
            }
        }
        Ok(claim)
    }
}

/// What a connection carried.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Message {
    Http(Request),
    /// A query for this name.
    Dns(String),
    /// Logs tell one topic at most, and no client.
    Kafka {
        kind: String,
        api_key: i16,
        api_version: Option<i16>,
        topic: Option<String>,
    },
}

/// An HTTP request, as far as it was recorded.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) authority: Option<String>,
    /// All of them, or `None` if the line has none at all. A value of `None` was redacted.
    pub(super) headers: Option<Vec<(String, Option<String>)>>,
}

impl Request {
    /// Method and path, which tell most rules apart: without query, and with `*` for numbers and other ids.
    pub(super) fn class(&self) -> String {
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        let segments: Vec<&str> = path
            .split('/')
            .map(|segment| if is_id(segment) { "*" } else { segment })
            .collect();
        format!("{} {}", self.method, segments.join("/"))
    }
}

/// Whether a part of a path is a number, or long enough and of the letters of a UUID or a hash.
fn is_id(segment: &str) -> bool {
    const SHORTEST_HASH: usize = 16;
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let is_hash = || segment.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    digits > 0 && (digits == segment.len() || segment.len() >= SHORTEST_HASH && is_hash())
}

/// A request for the engine, which notices when it is asked for something that was not recorded.
pub(super) struct Facts<'a> {
    request: &'a Request,
    lacking: Cell<bool>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(request: &'a Request) -> Self {
        Self {
            request,
            lacking: Cell::new(false),
        }
    }

    /// Whether something was asked for that the line does not tell. An allow stands all the same: rules only ever add
    /// permissions to requests. A denial may be wrong.
    pub(super) fn lacked(&self) -> bool {
        self.lacking.get()
    }
}

impl HttpFacts for Facts<'_> {
    fn method(&self) -> Option<&[u8]> {
        Some(self.request.method.as_bytes())
    }

    fn path(&self) -> Option<&[u8]> {
        Some(self.request.path.as_bytes())
    }

    fn authority(&self) -> Option<&[u8]> {
        let authority = self.request.authority.as_deref();
        if authority.is_none() {
            self.lacking.set(true);
        }
        authority.map(str::as_bytes)
    }

    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        let Some(headers) = &self.request.headers else {
            self.lacking.set(true);
            return;
        };
        for (_, value) in headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)) {
            match value {
                Some(value) => each(value.as_bytes()),
                None => self.lacking.set(true),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> Request {
        Request {
            method: "GET".into(),
            path: path.into(),
            authority: None,
            headers: None,
        }
    }

    #[test]
    fn requests_for_different_things_are_one_class() {
        for (path, class, why) in [
            ("/v1/ships", "GET /v1/ships", "a name with a digit is no id"),
            ("/ships/1138?view=all", "GET /ships/*", "a number, and a query"),
            (
                "/ships/6ba7b810-9dad-11d1-80b4-00c04fd430c8/crew",
                "GET /ships/*/crew",
                "a UUID",
            ),
            ("/by/deadbeefdeadbee1", "GET /by/*", "a hash"),
            ("/by/deadbeef1", "GET /by/deadbeef1", "too short to be one"),
            (
                "/by/deadbeefdeadbeef",
                "GET /by/deadbeefdeadbeef",
                "a word, as far as anybody knows",
            ),
            ("/", "GET /", "nothing"),
            ("*", "GET *", "no path"),
        ] {
            assert_eq!(request(path).class(), class, "{why}");
        }
    }

    #[test]
    fn what_was_not_recorded_is_noticed() {
        let headers = |headers: &[(&str, Option<&str>)]| {
            let owned = headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)));
            Some(owned.collect())
        };
        for (headers, values, lacked, why) in [
            (None, 0, true, "no headers at all"),
            (headers(&[]), 0, false, "the request had none"),
            (headers(&[("X-Team", Some("red"))]), 1, false, "its spelling may differ"),
            (headers(&[("x-team", None)]), 0, true, "its value is not told"),
            (headers(&[("x-other", None)]), 0, false, "nor asked for"),
        ] {
            let request = Request {
                headers,
                ..request("/")
            };
            let facts = Facts::new(&request);
            let mut count = 0;
            facts.header_values("x-team", &mut |_| count += 1);
            assert_eq!((count, facts.lacked()), (values, lacked), "{why}");
        }
        let nameless = request("/");
        let facts = Facts::new(&nameless);
        assert_eq!((facts.method(), facts.lacked()), (Some(b"GET".as_slice()), false));
        assert_eq!(
            (facts.authority(), facts.lacked()),
            (None, true),
            "the host was not recorded"
        );
    }
}

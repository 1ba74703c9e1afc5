//! §7.2, steps 4 to 7: which proxy takes a connection, and what it lets pass.

use policy_core::{
    HttpRequest,
    bundle::{ExpectedHeader, HeaderMatch, HeaderRule, HttpRule},
};

use super::{
    KafkaFact, Message, Question, kafka,
    merge::{self, Allow, Kind},
    names, patterns,
};

/// The allows that match a connection.
pub(super) struct Carriage<'a> {
    matching: Vec<(&'a Allow, u32)>,
    winner: Option<&'a Allow>,
    /// Whether there is one more allow without conditions: no default deny, or the host.
    implied: bool,
}

impl<'a> Carriage<'a> {
    pub(super) fn new(matching: &[(&'a Allow, u32)], implied: bool) -> Self {
        let proxied = matching.iter().filter(|(allow, _)| allow.kind != Kind::Plain);
        let winner = proxied.min_by_key(|(allow, width)| (precedence(allow), *width, allow.peer.is_any(), name(allow)));
        Self {
            matching: matching.to_vec(),
            winner: winner.map(|(allow, _)| *allow),
            implied,
        }
    }

    pub(super) fn is_proxied(&self) -> bool {
        self.winner.is_some()
    }

    pub(super) fn allows(&self, question: &Question) -> bool {
        let Some(winner) = self.winner else { return true };
        match &question.message {
            None => question.sni.is_none_or(|sni| self.connects(sni)),
            Some(message) => self.connects(question.sni.flatten()) && self.admits(winner.kind, message),
        }
    }

    /// The entries that count on the listener of the winner.
    fn applicable(&self) -> impl Iterator<Item = &'a Allow> {
        let here = self.winner.and_then(name);
        let entries = self.matching.iter().map(|(allow, _)| *allow);
        entries.filter(move |allow| name(allow).is_none() || name(allow) == here)
    }

    /// Step 6, the connection check.
    fn connects(&self, sni: Option<&str>) -> bool {
        let asked_for = |allow: &Allow| {
            let patterns = &allow.server_names;
            patterns.is_empty() || sni.is_some_and(|sni| patterns.iter().any(|p| names::is_server_name(p, sni)))
        };
        self.implied || self.applicable().any(asked_for)
    }

    /// Step 7 for each protocol that a parser knows. Another one than the winner's does not get through.
    fn admits(&self, kind: Kind, message: &Message) -> bool {
        match (kind, message) {
            (Kind::Plain | Kind::Tls | Kind::Listener, _) => true,
            (Kind::Http, Message::Http(request)) => self.admits_http(request),
            (Kind::Kafka, Message::Kafka(request)) => self.admits_kafka(request),
            (Kind::Dns, Message::Dns(name)) => self.admits_query(name),
            (Kind::Http | Kind::Kafka | Kind::Dns, _) => false,
        }
    }

    fn admits_http(&self, request: &HttpRequest) -> bool {
        let unrestricted = |allow: &Allow| allow.http.is_empty() || allow.everything;
        self.implied
            || self
                .applicable()
                .any(|allow| unrestricted(allow) || allow.http.iter().any(|rule| http_matches(rule, request)))
    }

    fn admits_kafka(&self, request: &KafkaFact) -> bool {
        let unrestricted = |allow: &Allow| allow.kafka.is_empty() || allow.everything;
        let rules: Vec<_> = self.applicable().flat_map(|allow| &allow.kafka).collect();
        self.implied || self.applicable().any(unrestricted) || kafka::allows(&rules, request)
    }

    /// §6.4.3: only entries for exactly this port count.
    fn admits_query(&self, query: &str) -> bool {
        let exact = self
            .matching
            .iter()
            .filter(|(_, width)| *width == 0)
            .map(|(allow, _)| *allow);
        let mut exact = exact.filter(|allow| allow.listener.is_none());
        self.implied
            || exact.any(|allow| {
                allow.dns.is_empty() || allow.everything || allow.dns.iter().any(|rule| names::is_query_of(rule, query))
            })
    }
}

fn name(allow: &Allow) -> Option<&str> {
    allow.listener.as_ref().map(|listener| &*listener.name)
}

/// Smaller wins: listeners with a priority, then HTTP, Kafka, TLS, DNS, and listeners without.
fn precedence(allow: &Allow) -> (u8, u16) {
    let priority = allow.listener.as_ref().map(merge::rank);
    match allow.kind {
        Kind::Listener if priority < Some(u16::MAX) => (0, priority.unwrap_or(u16::MAX)),
        Kind::Http => (1, 0),
        Kind::Kafka => (2, 0),
        Kind::Tls => (3, 0),
        Kind::Dns => (4, 0),
        Kind::Listener | Kind::Plain => (5, 0),
    }
}

/// §6.2.
fn http_matches(rule: &HttpRule, request: &HttpRequest) -> bool {
    let HttpRule {
        method,
        path,
        host,
        headers,
        header_matches,
    } = rule;
    let fields = [
        (method, &request.method),
        (path, &request.path),
        (host, &request.authority),
    ];
    let whole = |(pattern, value): (&Option<Box<str>>, &Option<Vec<u8>>)| match pattern.as_deref() {
        None | Some("") => true,
        Some(pattern) => value.as_deref().is_some_and(|value| patterns::is_whole(pattern, value)),
    };
    fields.into_iter().all(whole)
        && headers.iter().all(|header| header_holds(header, request))
        && header_matches.iter().all(|header| expectation_holds(header, request))
}

fn header_holds(HeaderRule { name, value }: &HeaderRule, request: &HttpRequest) -> bool {
    match (joined(name, request), value) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(found), Some(wanted)) => found == wanted.as_bytes(),
    }
}

/// Whoever has something to do about a mismatch does not fail on it.
fn expectation_holds(header: &HeaderMatch, request: &HttpRequest) -> bool {
    let found = joined(&header.name, request);
    match &header.expected {
        ExpectedHeader::Unobtainable => false,
        _ if header.mismatch.is_some() => true,
        ExpectedHeader::Present => found.is_some(),
        ExpectedHeader::Value(wanted) => found.is_some_and(|found| found == wanted.as_bytes()),
    }
}

/// All values of a header, with commas between them.
fn joined(name: &str, request: &HttpRequest) -> Option<Vec<u8>> {
    let same = |other: &[u8]| other.to_ascii_lowercase() == name.as_bytes();
    let values: Vec<&[u8]> = request
        .headers
        .iter()
        .filter(|(other, _)| same(other))
        .map(|(_, value)| value.as_slice())
        .collect();
    (!values.is_empty()).then(|| values.join(&b','))
}

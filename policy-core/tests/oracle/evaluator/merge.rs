//! §7.1: entries with the same peer selector and the same port become one, or contradict each other.

use policy_core::bundle::{Authentication, DnsRule, HttpRule, KafkaRule, L7Rules, Listener};

use super::{
    entries::{Entry, PortKey, Settings},
    peers::PeerKey,
};

/// What parses a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Plain,
    Tls,
    Http,
    Kafka,
    Dns,
    Listener,
}

/// An allow, after merging.
#[derive(Clone, Debug)]
pub(super) struct Allow {
    pub(super) peer: PeerKey,
    pub(super) port: PortKey,
    pub(super) kind: Kind,
    pub(super) authentication: Option<Authentication>,
    pub(super) listener: Option<Listener>,
    pub(super) server_names: Vec<Box<str>>,
    pub(super) http: Vec<HttpRule>,
    pub(super) kafka: Vec<KafkaRule>,
    pub(super) dns: Vec<DnsRule>,
    /// Whether, besides what the rules say, everything may pass: one of the entries has no rules.
    pub(super) everything: bool,
}

/// Merges allow entries; `None` if some contradict each other. A deny of the same selector and port removes them first.
pub(super) fn merge(entries: Vec<Entry>, denies: &[Entry]) -> Option<Vec<Allow>> {
    let same = |a: &Entry, b: &Entry| a.peer == b.peer && a.port == b.port;
    let mut rest: Vec<Entry> = entries;
    rest.retain(|entry| !denies.iter().any(|deny| same(deny, entry)));
    let mut merged = Vec::new();
    while let Some(first) = rest.first().cloned() {
        let (group, others) = rest.into_iter().partition(|entry| same(entry, &first));
        merged.push(merge_group(group)?);
        rest = others;
    }
    Some(merged)
}

fn merge_group(group: Vec<Entry>) -> Option<Allow> {
    let settings: Vec<&Settings> = group.iter().filter_map(|entry| entry.settings.as_ref()).collect();
    let authentication = only(settings.iter().filter_map(|s| s.authentication))?;
    let terminating = only(settings.iter().filter_map(|s| s.terminating_tls.clone()))?;
    only(settings.iter().filter_map(|s| s.originating_tls.clone()))?;
    let server_names: Vec<_> = settings.iter().flat_map(|s| s.server_names.clone()).collect();
    let has_rules = settings.iter().any(|s| s.rules.is_some());
    if has_rules && !server_names.is_empty() && terminating.is_none() {
        return None;
    }
    let mut allow = Allow {
        peer: group[0].peer.clone(),
        port: group[0].port.clone(),
        kind: common_kind(settings.iter().map(|s| kind(s)))?,
        authentication,
        listener: common_listener(settings.iter().filter_map(|s| s.listener.clone()))?,
        server_names,
        http: Vec::new(),
        kafka: Vec::new(),
        dns: Vec::new(),
        everything: settings.iter().any(|s| s.rules.is_none()),
    };
    for rules in settings.iter().filter_map(|s| s.rules.clone()) {
        match rules {
            L7Rules::Http(rules) => allow.http.extend(rules),
            L7Rules::Kafka(rules) => allow.kafka.extend(rules),
            L7Rules::Dns(rules) => allow.dns.extend(rules),
        }
    }
    Some(allow)
}

/// The one value that all have who have one; `None` if there are two.
fn only<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Option<Option<T>> {
    let mut values = values.into_iter();
    let first = values.next();
    values.all(|value| first.as_ref() == Some(&value)).then_some(first)
}

fn kind(settings: &Settings) -> Kind {
    let has_tls =
        !settings.server_names.is_empty() || settings.terminating_tls.is_some() || settings.originating_tls.is_some();
    match (&settings.listener, &settings.rules) {
        (Some(_), _) => Kind::Listener,
        (None, Some(L7Rules::Http(_))) => Kind::Http,
        (None, Some(L7Rules::Kafka(_))) => Kind::Kafka,
        (None, Some(L7Rules::Dns(_))) => Kind::Dns,
        (None, None) if has_tls => Kind::Tls,
        (None, None) => Kind::Plain,
    }
}

/// Nothing goes with everything, and TLS with what may be inside; no other two go together.
fn common_kind(kinds: impl Iterator<Item = Kind>) -> Option<Kind> {
    let mut common = Kind::Plain;
    for kind in kinds {
        common = match (common, kind) {
            (a, b) if a == b => a,
            (Kind::Plain, other) | (other, Kind::Plain) => other,
            (Kind::Tls, inside @ (Kind::Http | Kind::Kafka)) | (inside @ (Kind::Http | Kind::Kafka), Kind::Tls) => {
                inside
            }
            _ => return None,
        };
    }
    Some(common)
}

/// The smallest priority wins; without one it loses against all that have one.
pub(super) fn rank(listener: &Listener) -> u16 {
    listener.priority.map_or(u16::MAX, u16::from)
}

fn common_listener(listeners: impl Iterator<Item = Listener>) -> Option<Option<Listener>> {
    let listeners: Vec<Listener> = listeners.collect();
    let best = listeners.iter().map(rank).min();
    only(listeners.into_iter().filter(|listener| Some(rank(listener)) == best))
}

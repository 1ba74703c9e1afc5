//! Kafka: the names of its requests, and rules on them.

use alloc::{boxed::Box, vec::Vec};

use crate::{bundle::KafkaRule, verdict::RuleRef};

/// The facts of one Kafka request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KafkaRequest<'a> {
    /// The API key.
    pub api_key: i16,
    /// The API version.
    pub api_version: i16,
    /// The client's name for itself; empty if it does not say.
    pub client_id: &'a [u8],
    /// The topics that the request is about, as far as it names them.
    pub topics: Vec<&'a [u8]>,
}

/// The names of the API keys that rules can name, in the order of the keys, from 0.
const API_KEYS: [&str; 34] = [
    "produce",
    "fetch",
    "offsets",
    "metadata",
    "leaderandisr",
    "stopreplica",
    "updatemetadata",
    "controlledshutdown",
    "offsetcommit",
    "offsetfetch",
    "findcoordinator",
    "joingroup",
    "heartbeat",
    "leavegroup",
    "syncgroup",
    "describegroups",
    "listgroups",
    "saslhandshake",
    "apiversions",
    "createtopics",
    "deletetopics",
    "deleterecords",
    "initproducerid",
    "offsetforleaderepoch",
    "addpartitionstotxn",
    "addoffsetstotxn",
    "endtxn",
    "writetxnmarkers",
    "txnoffsetcommit",
    "describeacls",
    "createacls",
    "deleteacls",
    "describeconfigs",
    "alterconfigs",
];

/// Kinds of requests that are about topics.
const WITH_TOPICS: [i16; 19] = [0, 1, 2, 3, 4, 5, 6, 8, 9, 19, 20, 21, 23, 24, 27, 28, 34, 35, 37];

/// The API key of this name, in any case.
pub fn api_key(name: &str) -> Option<i16> {
    let position = API_KEYS.iter().position(|known| known.eq_ignore_ascii_case(name))?;
    i16::try_from(position).ok()
}

/// The API keys that a role stands for.
pub fn role(name: &str) -> Option<&'static [i16]> {
    match name {
        "produce" => Some(&[0, 3, 18]),
        "consume" => Some(&[1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18]),
        _ => None,
    }
}

/// A [`KafkaRule`] and its place.
#[derive(Debug)]
pub(crate) struct KafkaPattern {
    pub(crate) rule: RuleRef,
    wire: KafkaRule,
}

/// The first condition of a Kafka rule that a request does not meet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KafkaMiss<'a> {
    ApiKey(&'a [i16]),
    ApiVersion(i16),
    ClientId(&'a str),
    Topic(&'a str),
}

impl KafkaPattern {
    pub(crate) fn new(wire: KafkaRule, rule: RuleRef) -> Self {
        Self { rule, wire }
    }

    /// `None` if every condition but the topic holds.
    fn first_miss_but_topic(&self, request: &KafkaRequest<'_>) -> Option<KafkaMiss<'_>> {
        let KafkaRule {
            api_keys,
            api_version,
            client_id,
            topic: _,
        } = &self.wire;
        if !api_keys.is_empty() && !api_keys.contains(&request.api_key) {
            return Some(KafkaMiss::ApiKey(api_keys));
        }
        if let Some(version) = api_version.filter(|version| *version != request.api_version) {
            return Some(KafkaMiss::ApiVersion(version));
        }
        // A request of version 0 has no place for a client's name.
        let found = if request.api_version == 0 {
            b""
        } else {
            request.client_id
        };
        let wanted = client_id.as_deref().filter(|wanted| wanted.as_bytes() != found);
        wanted.map(KafkaMiss::ClientId)
    }

    /// The topic that the rule is about, if that matters for this request.
    fn topic_for(&self, request: &KafkaRequest<'_>) -> Option<&str> {
        let has_topics = WITH_TOPICS.contains(&request.api_key);
        self.wire.topic.as_deref().filter(|_| has_topics)
    }

    /// Whether the rule allows the request, or at least one of its topics.
    pub(crate) fn allows_a_part(&self, request: &KafkaRequest<'_>) -> bool {
        let of_topic = |topic: &str| request.topics.contains(&topic.as_bytes());
        self.first_miss_but_topic(request).is_none() && self.topic_for(request).is_none_or(of_topic)
    }

    pub(crate) fn first_miss(&self, request: &KafkaRequest<'_>) -> Option<KafkaMiss<'_>> {
        self.first_miss_but_topic(request).or_else(|| {
            let topic = self.topic_for(request)?;
            let covers_all =
                !request.topics.is_empty() && request.topics.iter().all(|found| *found == topic.as_bytes());
            (!covers_all).then_some(KafkaMiss::Topic(topic))
        })
    }
}

/// The rule that allows the request, if any. A request about several topics is allowed if some rule allows each of
/// them; the rule for its first topic then speaks for all.
pub(crate) fn allowed_by<'p>(
    patterns: impl Iterator<Item = &'p KafkaPattern> + Clone,
    request: &KafkaRequest<'_>,
) -> Option<&'p RuleRef> {
    let matching = patterns.filter(|pattern| pattern.first_miss_but_topic(request).is_none());
    if let Some(any_topic) = matching.clone().find(|pattern| pattern.topic_for(request).is_none()) {
        return Some(&any_topic.rule);
    }
    let covering = |topic: &[u8]| {
        let covers = |pattern: &&KafkaPattern| pattern.topic_for(request).is_some_and(|own| own.as_bytes() == topic);
        matching.clone().find(covers).map(|pattern| &pattern.rule)
    };
    let mut rules = request.topics.iter().map(|topic| covering(topic));
    let first = rules.next()??;
    rules.all(|rule| rule.is_some()).then_some(first)
}

/// The name of an API key, for people; the number if rules have no name for it.
pub(crate) fn name_of(api_key: i16) -> Box<str> {
    let known = usize::try_from(api_key).ok().and_then(|index| API_KEYS.get(index));
    known.map_or_else(|| alloc::format!("{api_key}").into(), |name| (*name).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(api_keys: &[i16], version: Option<i16>, client: Option<&str>, topic: Option<&str>) -> KafkaPattern {
        let wire = KafkaRule {
            api_keys: api_keys.to_vec(),
            api_version: version,
            client_id: client.map(Into::into),
            topic: topic.map(Into::into),
        };
        KafkaPattern::new(wire, RuleRef::new("test"))
    }

    #[test]
    fn requests_match_rules() {
        let request = |api_key, api_version, client_id, topics: &[&'static str]| KafkaRequest {
            api_key,
            api_version,
            client_id,
            topics: topics.iter().map(|topic| topic.as_bytes()).collect(),
        };
        let topics = [rule(&[], None, None, Some("a")), rule(&[], None, None, Some("b"))];
        let version = [rule(&[0], Some(3), None, None)];
        let client = [rule(&[], None, Some("me"), None)];
        let empty = [rule(&[], None, None, None)];
        for (rules, request, want, why) in [
            (
                &topics[..],
                request(0, 3, b"", &["a", "b"]),
                true,
                "each topic by a rule",
            ),
            (&topics[..], request(0, 3, b"", &["a", "c"]), false, "one topic by none"),
            (&topics[..], request(3, 3, b"", &[]), false, "about all topics"),
            (&topics[..], request(18, 3, b"", &[]), true, "a request without topics"),
            (&version[..], request(0, 3, b"x", &["z"]), true, "key and version"),
            (&version[..], request(0, 4, b"x", &["z"]), false, "another version"),
            (&version[..], request(1, 3, b"x", &["z"]), false, "another key"),
            (&client[..], request(0, 1, b"me", &[]), true, "the client"),
            (&client[..], request(0, 0, b"me", &[]), false, "version 0 has no client"),
            (&empty[..], request(77, 9, b"", &[]), true, "no condition"),
            (&[][..], request(0, 1, b"", &[]), false, "no rule"),
        ] {
            assert_eq!(allowed_by(rules.iter(), &request).is_some(), want, "{why}");
        }
        assert_eq!(api_key("Produce"), Some(0));
        assert_eq!(api_key("alterconfigs"), Some(33));
        assert_eq!(api_key("nosuch"), None);
    }
}

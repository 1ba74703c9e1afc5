//! §6.3: Kafka requests.

use policy_core::bundle::KafkaRule;

use super::KafkaFact;

/// The kinds of request that name topics.
const WITH_TOPICS: [i16; 19] = [0, 1, 2, 3, 4, 5, 6, 8, 9, 19, 20, 21, 23, 24, 27, 28, 34, 35, 37];

/// Whether the rules together allow a request: one of them all of it, or each topic some of them.
pub(super) fn allows(rules: &[&KafkaRule], request: &KafkaFact) -> bool {
    let about_this: Vec<_> = rules.iter().filter(|rule| fields_hold(rule, request)).collect();
    let whole = |topic: Option<&str>| topic.is_none() || !WITH_TOPICS.contains(&request.api_key);
    let covered = |topic: &&str| about_this.iter().any(|rule| rule.topic.as_deref() == Some(*topic));
    about_this.iter().any(|rule| whole(rule.topic.as_deref()))
        || (!request.topics.is_empty() && request.topics.iter().all(covered))
}

/// Every field but the topic. Requests of version 0 count as coming from a client without a name.
fn fields_hold(rule: &KafkaRule, request: &KafkaFact) -> bool {
    let client = if request.api_version == 0 {
        ""
    } else {
        request.client_id
    };
    (rule.api_keys.is_empty() || rule.api_keys.contains(&request.api_key))
        && rule.api_version.is_none_or(|version| version == request.api_version)
        && rule.client_id.as_deref().is_none_or(|wanted| wanted == client)
}

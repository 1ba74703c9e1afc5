//! What a connection carries.

use std::rc::Rc;

use policy_core::{Bundle, HttpRequest, Missed, RuleRef, bundle::ExpectedHeader, re2::Pattern};

use super::{super::scenario::Scenario, in_rule, sample};
use crate::judge::{KafkaMessage, Message};

/// Changes the message, or the expression of the rule, so that the condition holds.
pub(super) fn meet(scenario: &mut Scenario, rule: &RuleRef, missed: &Missed) {
    let bundle = &mut scenario.bundle;
    match (&mut scenario.content.message, missed) {
        (Some(Message::Http(request)), missed) => meet_http(bundle, request, rule, missed),
        (Some(Message::Kafka(request)), missed) => meet_kafka(bundle, request, rule, missed),
        (Some(Message::Dns(name)), Missed::Query { wanted, .. }) => *name = sample::name(wanted).into_bytes(),
        (message, missed) => panic!("{missed} is not about {message:?}"),
    }
}

fn meet_http(bundle: &mut Rc<Bundle>, request: &mut HttpRequest, rule: &RuleRef, missed: &Missed) {
    match missed {
        Missed::Method { wanted, found } => {
            let changed = field(&mut request.method, wanted, found.as_deref(), "GET");
            if let Some(expression) = changed {
                in_rule::http(Rc::make_mut(bundle), rule).method = Some(expression);
            }
        }
        Missed::Path { wanted, found } => {
            if let Some(expression) = field(&mut request.path, wanted, found.as_deref(), "/") {
                in_rule::http(Rc::make_mut(bundle), rule).path = Some(expression);
            }
        }
        Missed::Host { wanted, found } => {
            if let Some(expression) = field(&mut request.authority, wanted, found.as_deref(), "a.example") {
                in_rule::http(Rc::make_mut(bundle), rule).host = Some(expression);
            }
        }
        Missed::Header {
            name, wanted, secret, ..
        } => {
            let value = match (wanted, secret) {
                (Some(value), _) => value.clone(),
                (None, false) => "any".into(),
                (None, true) => secret_of(bundle, rule, name),
            };
            request
                .headers
                .retain(|(other, _)| !other.eq_ignore_ascii_case(name.as_bytes()));
            request
                .headers
                .push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
        Missed::Secret { .. } => {
            let rule = in_rule::http(Rc::make_mut(bundle), rule);
            rule.header_matches
                .retain(|header| header.expected != ExpectedHeader::Unobtainable);
        }
        _ => panic!("not about a request: {missed}"),
    }
}

/// Sets a field to what is wanted, if that is a plain text. Else the result is the expression that matches the field.
fn field(value: &mut Option<Vec<u8>>, wanted: &str, found: Option<&str>, natural: &str) -> Option<Box<str>> {
    let matches = |text: &str| Pattern::parse(wanted).is_ok_and(|pattern| pattern.is_match(text.as_bytes()));
    let texts = [wanted, natural, "POST", "/other"];
    if let Some(text) = texts.into_iter().find(|text| matches(text)) {
        *value = Some(text.as_bytes().to_vec());
        return None;
    }
    let found = found.unwrap_or(natural);
    *value = Some(found.as_bytes().to_vec());
    Some(sample::exactly(found).into())
}

/// The value of a header that no explanation shows.
fn secret_of(bundle: &mut Rc<Bundle>, rule: &RuleRef, name: &str) -> Box<str> {
    let mut headers = in_rule::http(Rc::make_mut(bundle), rule).header_matches.iter();
    let header = headers.find(|header| &*header.name == name && header.secret);
    match &header.expect("the secret header").expected {
        ExpectedHeader::Value(value) => value.clone(),
        ExpectedHeader::Present | ExpectedHeader::Unobtainable => "any".into(),
    }
}

fn meet_kafka(bundle: &mut Rc<Bundle>, request: &mut KafkaMessage, rule: &RuleRef, missed: &Missed) {
    match missed {
        Missed::ApiKey { wanted, .. } => request.api_key = *wanted.first().expect("a key"),
        Missed::ApiVersion { wanted, .. } => request.api_version = *wanted,
        // Version 0 has no place for the name of a client.
        Missed::ClientId { .. } if request.api_version == 0 => {
            in_rule::kafka(Rc::make_mut(bundle), rule).client_id = None;
        }
        Missed::ClientId { wanted, .. } => request.client_id = wanted.as_bytes().to_vec(),
        Missed::Topic { wanted, .. } => request.topics = vec![wanted.as_bytes().to_vec()],
        _ => panic!("not about a Kafka request: {missed}"),
    }
}

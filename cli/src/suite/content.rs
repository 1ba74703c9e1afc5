//! The keys of a case that say what a connection shows: a TLS server name, and one message.

use policy_compiler::Code;
use policy_core::HttpRequest;

use super::read::{Place, Reader};
use crate::{
    args::{Header, KafkaLine, RequestLine},
    judge::{Content, Handshake, KafkaMessage, Message},
};

/// What a connection shows, and the same in words, each with a blank before it.
pub(super) fn read_content(reader: &mut Reader, place: &Place<'_>) -> (Content, String) {
    let mut shown = String::new();
    let mut show = |what: &str, value: &str| {
        for word in [what, value].into_iter().filter(|word| !word.is_empty()) {
            shown.push(' ');
            shown.push_str(word);
        }
    };
    let sni = place.get("sni").and_then(|sni| reader.text(&sni));
    if let Some(name) = sni {
        show("TLS", name);
    }
    let http = read_request(reader, place, &mut show);
    let dns = place.get("dns").and_then(|dns| reader.text(&dns));
    if let Some(name) = dns {
        show("DNS", name);
    }
    let kafka = place
        .get("kafka")
        .and_then(|kafka| Some((reader.text(&kafka)?, reader.parse(&kafka)?)));
    let kafka = kafka.map(|(text, line)| {
        show("Kafka", text);
        Message::Kafka(kafka_message(line))
    });
    if [http.is_some(), dns.is_some(), kafka.is_some()]
        .into_iter()
        .filter(|there| *there)
        .count()
        > 1
    {
        reader.error(place, Code::VALUE, "a message is one of `http`, `dns` and `kafka`");
    }
    let handshake = sni.map(|name| Handshake {
        server_name: Some(name.to_owned()).filter(|name| !name.is_empty()),
    });
    let dns = dns.map(|name| Message::Dns(name.as_bytes().to_vec()));
    let message = http.map(Message::Http).or(dns).or(kafka);
    (Content { handshake, message }, shown)
}

fn read_request(reader: &mut Reader, place: &Place<'_>, show: &mut impl FnMut(&str, &str)) -> Option<HttpRequest> {
    let host = place.get("host").and_then(|host| reader.text(&host));
    let headers = place.get("headers").map(|headers| read_headers(reader, &headers));
    let Some(line) = place.get("http") else {
        for key in ["host", "headers"] {
            if let Some(alone) = place.get(key) {
                reader.error(
                    &alone,
                    Code::VALUE,
                    format!("`{key}` is part of a request, but there is no `http`"),
                );
            }
        }
        return None;
    };
    let line: RequestLine = reader.parse(&line)?;
    show(&line.method, &line.path);
    if let Some(host) = host {
        show("host", host);
    }
    let headers = headers.unwrap_or_default();
    for Header { name, value } in &headers {
        show(&format!("{name}:"), value);
    }
    let bytes = |header: Header| (header.name.into_bytes(), header.value.into_bytes());
    Some(HttpRequest {
        method: Some(line.method.into_bytes()),
        path: Some(line.path.into_bytes()),
        authority: host.map(|host| host.as_bytes().to_vec()),
        headers: headers.into_iter().map(bytes).collect(),
    })
}

/// A map of names to a value, or to a list of values.
fn read_headers(reader: &mut Reader, place: &Place<'_>) -> Vec<Header> {
    let mut headers = Vec::new();
    for (name, values) in reader.entries(place) {
        for value in reader.one_or_many(&values) {
            let Some(text) = reader.text(&value) else { continue };
            match format!("{name}: {text}").parse::<Header>() {
                Ok(header) => headers.push(header),
                Err(error) => {
                    reader.error(&value, Code::VALUE, error);
                }
            }
        }
    }
    headers
}

fn kafka_message(line: KafkaLine) -> KafkaMessage {
    KafkaMessage {
        api_key: line.api_key,
        api_version: KafkaMessage::UNKNOWN_VERSION,
        client_id: line.client_id.into_bytes(),
        topics: line.topics.into_iter().map(String::into_bytes).collect(),
    }
}

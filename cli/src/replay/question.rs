//! A recorded flow as a question to `portcullis trace`.

use super::{
    record::{Message, Record, ServerName, To},
    world::World,
};

/// The options that ask about the flow, without those that name files. `None` if `trace` cannot be asked: it knows no
/// proofs of identity and no redacted headers.
pub(super) fn trace(world: &World, record: &Record) -> Option<Vec<String>> {
    let To::End(to) = &record.destination else { return None };
    if record.claim.is_some() {
        return None;
    }
    let place = format!("{}/{}", record.port, record.protocol);
    let (from, to) = (world.peer_of(&record.source)?, world.peer_of(to)?);
    let mut options: Vec<String> = ["--from", &from, "--to", &to, "--port", &place]
        .map(str::to_owned)
        .to_vec();
    if !record.is_authenticated {
        options.push("--unauthenticated".to_owned());
    }
    let mut add = |option: &str, value: String| options.extend([option.to_owned(), value]);
    if let ServerName::Name(name) = &record.server_name {
        add("--sni", name.clone());
    }
    match &record.message {
        None => {}
        Some(Message::Http(request)) => {
            add("--http", format!("{} {}", request.method, request.path));
            if let Some(host) = &request.authority {
                add("--host", host.clone());
            }
            for (name, value) in request.headers.iter().flatten() {
                add("--header", format!("{name}: {}", value.as_ref()?));
            }
        }
        Some(Message::Dns(name)) => add("--dns", name.clone()),
        Some(Message::Kafka { kind, topic, .. }) => {
            let words = format!("{kind} {}", topic.as_deref().unwrap_or_default());
            add("--kafka", words.trim_end().to_owned());
        }
    }
    Some(options)
}

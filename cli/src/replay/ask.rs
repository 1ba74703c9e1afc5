//! What the policies say to a recorded flow now, and why.

use std::net::IpAddr;

use policy_core::{
    AddressFacts, Admission, Carried, Claim, Destination, Direction, Explanation, Flow, HttpRequest, IdentityId,
    KafkaRequest, Peer, Reason, Scope, Verdict,
};

use super::{
    record::{ClaimWords, Facts, Message, Record, ServerName, To},
    skip::{Skip, Why},
    world::World,
};
use crate::judge::KafkaMessage;

/// The verdict, or why there would be no sense in one. `scope` is for records that do not say whom to ask.
pub(super) fn judge(world: &World, record: &Record, scope: Scope) -> Result<Verdict, Skip> {
    let source = world.address_of(&record.source)?;
    let claim = record.claim.as_ref().map(ClaimWords::borrowed);
    let (destination, scope) = match &record.destination {
        To::End(end) => (Destination::Address(world.address_of(end)?), record.scope(scope)),
        To::Name(name) => (Destination::Name(name.as_bytes()), Scope::Egress),
    };
    let facts = AddressFacts {
        claim,
        destination,
        authenticated: record.is_authenticated,
        ..AddressFacts::new(Some(source), None, record.protocol, record.port)
    };
    let admission = world.engine.admit(&facts, scope);
    let verdict = match &record.message {
        None => of_connection(&admission, record)?,
        Some(message) => of_message(&admission, record, message)?,
    };
    if verdict.reason == Reason::UnknownSubject {
        return Err(Why::NobodyToAsk.into());
    }
    Ok(verdict)
}

fn of_connection(admission: &Admission, record: &Record) -> Result<Verdict, Skip> {
    let server_name = record.server_name();
    let verdict = admission.judge(server_name, None);
    if !verdict.allows() {
        return Ok(verdict);
    }
    if server_name.is_none() && admission.inspects_tls() {
        return Err(Why::ServerNameNotRecorded.into());
    }
    // What a policy looks into does not let a request through that has nothing.
    let nothing = HttpRequest::default();
    let looks_inside = || admission.inspects_http() || !admission.request(server_name.flatten(), &nothing).allows();
    // What is opened for some requests is opened.
    if record.then.allowed && verdict.proxied && !record.has_lines_for_messages && looks_inside() {
        return Err(Why::RequestsNotRecorded.into());
    }
    Ok(verdict)
}

fn of_message(admission: &Admission, record: &Record, message: &Message) -> Result<Verdict, Skip> {
    let server_name = record.server_name();
    let verdict = match message {
        Message::Http(request) => {
            let facts = Facts::new(request);
            let verdict = admission.judge(server_name, Some(Carried::Http(&facts)));
            if !verdict.allows() && facts.lacked() {
                return Err(Why::HeadersNotRecorded.into());
            }
            verdict
        }
        Message::Dns(_) | Message::Kafka { .. } => {
            message.with_carried(|carried| admission.judge(server_name, Some(carried)))
        }
    };
    if server_name.is_none() && verdict.reason == Reason::ServerNameNotAllowed {
        return Err(Why::ServerNameNotRecorded.into());
    }
    Ok(verdict)
}

/// Why the side denies that does, if the engine can be asked about it: the first flow that it denies.
pub(super) fn explain(world: &World, record: &Record, direction: Direction) -> Option<Explanation> {
    // Whoever has proven to be somebody may be one of several: none of them speaks for all.
    if record.claim.is_some() {
        return None;
    }
    let source = world.engine.identity_of(world.address_of(&record.source).ok()?);
    let ends = match &record.destination {
        To::Name(name) => vec![(Peer::Name(name.as_bytes()), record.port)],
        To::End(end) => destinations(world, world.address_of(end).ok()?, record)
            .into_iter()
            .map(|(identity, port)| (Peer::Identity(identity), port))
            .collect(),
    };
    ends.into_iter().find_map(|(destination, port)| {
        let (subject, peer) = match (direction, destination) {
            (Direction::Egress, peer) => (source, peer),
            (Direction::Ingress, Peer::Identity(subject)) => (subject, Peer::Identity(source)),
            (Direction::Ingress, Peer::Name(_) | Peer::Unknown) => return None,
        };
        let flow = Flow {
            direction,
            subject,
            peer,
            protocol: record.protocol,
            port,
            authenticated: record.is_authenticated,
        };
        let ask = |carried: Option<Carried<'_>>| world.engine.explain(&flow, record.server_name(), carried);
        let explanation = match &record.message {
            None => ask(None),
            Some(message) => message.with_carried(|carried| ask(Some(carried))),
        };
        (!explanation.verdict.allows()).then_some(explanation)
    })
}

/// An address, or the endpoints behind it.
fn destinations(world: &World, address: IpAddr, record: &Record) -> Vec<(IdentityId, u16)> {
    let bundle = world.bundle();
    let mut services = bundle
        .services
        .iter()
        .filter(|service| service.address == address)
        .peekable();
    if services.peek().is_none() {
        return vec![(world.engine.identity_of(address), record.port)];
    }
    let service = services.find(|service| service.port == record.port && service.protocol == record.protocol);
    let backends = service.map(|service| service.backends.as_slice()).unwrap_or_default();
    let behind = backends.iter().filter_map(|backend| {
        let mut same = bundle
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.identity == backend.identity);
        let identity = same.find_map(|endpoint| world.engine.endpoint(&endpoint.name))?;
        Some((identity, backend.port))
    });
    behind.collect()
}

impl Record {
    fn scope(&self, otherwise: Scope) -> Scope {
        self.asked.map_or(otherwise, Scope::from)
    }

    /// The server name in the words of the engine.
    fn server_name(&self) -> Option<Option<&[u8]>> {
        match &self.server_name {
            ServerName::NotRecorded => None,
            ServerName::Absent => Some(None),
            ServerName::Name(name) => Some(Some(name.as_bytes())),
        }
    }
}

impl ClaimWords {
    fn borrowed(&self) -> Claim<'_> {
        Claim {
            address: self.address,
            namespace: self.namespace.as_deref(),
            pod: self.pod.as_deref(),
            service_account: self.service_account.as_deref(),
            labels: &self.labels,
        }
    }
}

impl Message {
    fn with_carried<R>(&self, ask: impl FnOnce(Carried<'_>) -> R) -> R {
        match self {
            Self::Http(request) => ask(Carried::Http(&Facts::new(request))),
            Self::Dns(name) => ask(Carried::Dns(name.as_bytes())),
            Self::Kafka {
                kind: _,
                api_key,
                api_version,
                topic,
            } => ask(Carried::Kafka(&KafkaRequest {
                api_key: *api_key,
                api_version: api_version.unwrap_or(KafkaMessage::UNKNOWN_VERSION),
                client_id: b"",
                topics: topic.iter().map(|topic| topic.as_bytes()).collect(),
            })),
        }
    }
}

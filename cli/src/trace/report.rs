//! The answer of a trace, as it goes out as JSON and is printed as text.

mod party;
mod places;
mod side;

use anyhow::{Result, bail};
use policy_compiler::Compiled;
use policy_core::{Direction, Flow, Peer, Protocol};
use serde::Serialize;

use super::scene::Scene;
use crate::{
    args::{KafkaLine, TraceArgs},
    judge::{Answer, Content},
};

pub(super) use party::Described;
pub(super) use places::{Places, file_and_line};
pub(super) use side::{ChangedHeader, Effect, Nearest, Row, Said, Side};

/// The answer to one flow.
#[derive(Serialize)]
pub(super) struct Trace {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    /// The service that `to` is the address of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<String>,
    /// `GET /path`, if a request was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) http: Option<String>,
    /// The server name, if a handshake was asked about; empty if the client asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sni: Option<String>,
    /// `produce orders`, if a Kafka request was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kafka: Option<String>,
    /// The name, if a DNS query was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dns: Option<String>,
    /// Whether the peers count as authenticated.
    pub(super) authenticated: bool,
    /// The verdict on the flow as a whole.
    #[serde(flatten)]
    pub(super) answer: Answer,
    /// Why, in words.
    pub(super) explanation: String,
    /// Every policy that was asked, the source's before the destinations'.
    pub(super) sides: Vec<Side>,
    /// Where every rule stands that is mentioned above.
    #[serde(skip_serializing_if = "Places::is_empty")]
    pub(super) places: Places,
}

impl Trace {
    /// Explains an answer. That an explanation contradicts it would be a fault of ours, and is an error.
    pub(super) fn new(
        args: &TraceArgs,
        compiled: &Compiled,
        scene: &Scene,
        answer: Answer,
        content: &Content,
    ) -> Result<Self> {
        let sides = sides(args, compiled, scene, content);
        let mut places = Places::default();
        let rules = sides.iter().flat_map(|side| &side.rules);
        rules.for_each(|rule| places.add(compiled, rule));
        Ok(Self {
            from: args.from.to_string(),
            to: args.to.to_string(),
            protocol: args.port.protocol,
            port: args.port.number,
            service: scene.service.clone(),
            http: args.http.as_ref().map(|line| format!("{} {}", line.method, line.path)),
            sni: args.sni.clone(),
            kafka: args.kafka.as_ref().map(kafka),
            dns: args.dns.clone(),
            authenticated: !args.unauthenticated,
            explanation: explanation(scene, &sides, &answer)?,
            answer,
            sides,
            places,
        })
    }
}

/// Why, in the words of the side that decides.
fn explanation(scene: &Scene, sides: &[Side], answer: &Answer) -> Result<String> {
    let decides = |side: &&Side| {
        let Answer {
            verdict, reason, rule, ..
        } = &side.said.answer;
        (verdict, reason, rule) == (&answer.verdict, &answer.reason, &answer.rule)
    };
    Ok(match sides.iter().find(decides) {
        Some(side) => side.said.explanation.clone(),
        None if sides.is_empty() && scene.destinations.is_empty() => {
            "the address is a service's, and no endpoint of it is known for this port".into()
        }
        None if sides.is_empty() => "neither side is an endpoint of the cluster, so no policy applies".into(),
        None => bail!(
            "the verdict is {}, but no side explains it: please report this",
            answer.reason
        ),
    })
}

fn kafka(line: &KafkaLine) -> String {
    [&line.kind, &line.topics.join(","), &line.client_id]
        .into_iter()
        .filter(|word| !word.is_empty())
        .cloned()
        .collect::<Vec<String>>()
        .join(" ")
}

fn sides(args: &TraceArgs, compiled: &Compiled, scene: &Scene, content: &Content) -> Vec<Side> {
    let engine = &scene.engine;
    let describe = |party| Described::new(party, engine, &compiled.bundle, compiled);
    let mut sides = Vec::new();
    for direction in [Direction::Egress, Direction::Ingress] {
        for destination in &scene.destinations {
            let (subject, peer) = match direction {
                Direction::Egress => (&scene.source, &destination.party),
                Direction::Ingress => (&destination.party, &scene.source),
            };
            if engine.is_endpoint(subject.identity) {
                let flow = Flow {
                    direction,
                    subject: subject.identity,
                    peer: Peer::Identity(peer.identity),
                    protocol: args.port.protocol,
                    port: destination.port,
                    authenticated: !args.unauthenticated,
                };
                sides.push(Side::new(
                    engine,
                    &flow,
                    content,
                    describe(subject),
                    (describe(peer), peer),
                ));
            }
        }
    }
    sides
}

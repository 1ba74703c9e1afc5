//! The answer of a trace, as it goes out as JSON and is printed as text.

use anyhow::{Result, bail};
use policy_core::{
    Change, Direction, Engine, Explanation, Flow, HeaderChange, NearMiss, Peer, Protocol, RuleRef, View,
};
use serde::{Serialize, Serializer};

use super::scene::{Party, Scene};
use crate::{
    args::{KafkaLine, TraceArgs},
    judge::{Answer, Content},
};

/// The answer to one flow.
#[derive(Serialize)]
pub(super) struct Trace {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
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
}

/// What the policies of one endpoint say.
#[derive(Serialize)]
pub(super) struct Side {
    /// Seen from the subject.
    #[serde(serialize_with = "direction")]
    pub(super) direction: Direction,
    /// The endpoint whose policies were asked.
    pub(super) subject: Described,
    pub(super) peer: Described,
    /// The destination port after translation.
    pub(super) port: u16,
    #[serde(flatten)]
    pub(super) answer: Answer,
    /// Why, in words.
    pub(super) explanation: String,
    /// The rules that isolate the subject in this direction.
    pub(super) isolated_by: Vec<String>,
    /// For a denial that no deny rule made: the allow rule that came closest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nearest: Option<Nearest>,
    /// What all policies say as if audit were off, if one is in audit mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) would: Option<Would>,
    /// What happens to the headers of a request that passes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) header_changes: Vec<ChangedHeader>,
    /// Whether an HTTP request would be decided on its own; only set when no message was asked about.
    pub(super) inspects_requests: bool,
    /// Whether the TLS server name would count; only set when nothing but addresses was asked about.
    pub(super) inspects_server_name: bool,
}

/// What the policies of one endpoint would say.
#[derive(Serialize)]
pub(super) struct Would {
    #[serde(flatten)]
    pub(super) answer: Answer,
    /// Why, in words.
    pub(super) explanation: String,
    /// The rules that would isolate the subject in this direction.
    pub(super) isolated_by: Vec<String>,
    /// For a denial that no deny rule would make: the allow rule that came closest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nearest: Option<Nearest>,
}

/// An endpoint or a peer.
#[derive(Serialize)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) labels: Vec<String>,
}

/// An allow rule that did not match, and why.
#[derive(Serialize)]
pub(super) struct Nearest {
    pub(super) rule: String,
    pub(super) missed: String,
}

/// What happens to one header.
#[derive(Serialize)]
pub(super) struct ChangedHeader {
    pub(super) header: String,
    /// `log`, `append`, `remove` or `set`.
    pub(super) change: &'static str,
    /// Absent if there is none, or it is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
}

impl Trace {
    /// Explains an answer. That an explanation contradicts it would be a fault of ours, and is an error.
    pub(super) fn new(args: &TraceArgs, scene: &Scene, answer: Answer, content: &Content) -> Result<Self> {
        let sides = sides(args, scene, content);
        let decides = |side: &&Side| {
            let Answer {
                verdict, reason, rule, ..
            } = &side.answer;
            (verdict, reason, rule) == (&answer.verdict, &answer.reason, &answer.rule)
        };
        let explanation = match sides.iter().find(decides) {
            Some(side) => side.explanation.clone(),
            None if sides.is_empty() && scene.destinations.is_empty() => {
                "the address is a service's, and no endpoint of it is known for this port".into()
            }
            None if sides.is_empty() => "neither side is an endpoint of the cluster, so no policy applies".into(),
            None => bail!(
                "the verdict is {}, but no side explains it: please report this",
                answer.reason
            ),
        };
        Ok(Self {
            from: args.from.to_string(),
            to: args.to.to_string(),
            protocol: args.port.protocol,
            port: args.port.number,
            http: args.http.as_ref().map(|line| format!("{} {}", line.method, line.path)),
            sni: args.sni.clone(),
            kafka: args.kafka.as_ref().map(kafka),
            dns: args.dns.clone(),
            authenticated: !args.unauthenticated,
            answer,
            explanation,
            sides,
        })
    }
}

fn kafka(line: &KafkaLine) -> String {
    [&line.kind, &line.topics.join(","), &line.client_id]
        .into_iter()
        .filter(|word| !word.is_empty())
        .cloned()
        .collect::<Vec<String>>()
        .join(" ")
}

fn sides(args: &TraceArgs, scene: &Scene, content: &Content) -> Vec<Side> {
    let engine = &scene.engine;
    let mut sides = Vec::new();
    for direction in [Direction::Egress, Direction::Ingress] {
        for destination in &scene.destinations {
            let (subject, peer) = match direction {
                Direction::Egress => (&scene.source, &destination.party),
                Direction::Ingress => (&destination.party, &scene.source),
            };
            if engine.is_endpoint(subject.identity) {
                let (protocol, port) = (args.port.protocol, destination.port);
                let peer_identity = Peer::Identity(peer.identity);
                let flow = Flow {
                    direction,
                    subject: subject.identity,
                    peer: peer_identity,
                    protocol,
                    port,
                    authenticated: !args.unauthenticated,
                };
                sides.push(Side::new(
                    engine,
                    &flow,
                    content,
                    describe(engine, subject),
                    describe(engine, peer),
                ));
            }
        }
    }
    sides
}

fn describe(engine: &Engine, party: &Party) -> Described {
    let labels = engine.labels(party.identity).iter().map(ToString::to_string).collect();
    Described {
        name: party.name.clone(),
        labels,
    }
}

impl Side {
    fn new(engine: &Engine, flow: &Flow<'_>, content: &Content, subject: Described, peer: Described) -> Self {
        let explain =
            |view| content.with_carried(|carried| engine.explain_as(view, flow, content.server_name(), carried));
        let explanation = explain(View::Enforced);
        let would = engine.has_audit().then(|| Would::from(explain(View::Would)));
        let connection = engine.connection(flow);
        let changes = content
            .http()
            .filter(|_| explanation.verdict.allows())
            .map(|request| connection.header_changes(request))
            .unwrap_or_default();
        let Explanation {
            verdict,
            isolated_by,
            nearest,
        } = explanation;
        Self {
            direction: flow.direction,
            subject,
            peer,
            port: flow.port,
            explanation: verdict.reason.to_string(),
            answer: verdict.into(),
            isolated_by: isolated_by.iter().map(text).collect(),
            nearest: nearest.map(Nearest::from),
            would,
            header_changes: changes.into_iter().map(ChangedHeader::from).collect(),
            inspects_requests: content.message.is_none() && connection.inspects_http(),
            inspects_server_name: *content == Content::default() && connection.inspects_tls(),
        }
    }
}

impl From<Explanation> for Would {
    fn from(explanation: Explanation) -> Self {
        let Explanation {
            verdict,
            isolated_by,
            nearest,
        } = explanation;
        Self {
            explanation: verdict.reason.to_string(),
            answer: verdict.into(),
            isolated_by: isolated_by.iter().map(text).collect(),
            nearest: nearest.map(Nearest::from),
        }
    }
}

impl From<NearMiss> for Nearest {
    fn from(near: NearMiss) -> Self {
        Self {
            rule: text(&near.rule),
            missed: near.missed.to_string(),
        }
    }
}

fn text(rule: &RuleRef) -> String {
    rule.as_str().to_owned()
}

impl From<HeaderChange> for ChangedHeader {
    fn from(HeaderChange { name, change, secret }: HeaderChange) -> Self {
        let (change, value) = match change {
            Change::Log => ("log", None),
            Change::Append(value) => ("append", Some(value)),
            Change::Remove => ("remove", None),
            Change::Set(value) => ("set", Some(value)),
        };
        Self {
            header: name.into(),
            change,
            value: value.filter(|_| !secret).map(Into::into),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn direction<S: Serializer>(direction: &Direction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(direction.as_str())
}

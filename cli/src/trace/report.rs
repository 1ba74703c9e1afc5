//! The answer of a trace, as it goes out as JSON and is printed as text.

use anyhow::{Result, bail};
use policy_core::{Direction, Engine, Explanation, Flow, HttpFacts, HttpRequest, Peer, Protocol, RuleRef};
use serde::{Serialize, Serializer};

use super::scene::{Party, Scene};
use crate::{args::TraceArgs, judge::Answer};

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
    /// Whether a request would be decided on its own; only set when none was asked about.
    pub(super) inspects_requests: bool,
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

impl Trace {
    /// Explains an answer. That an explanation contradicts it would be a fault of ours, and is an error.
    pub(super) fn new(args: &TraceArgs, scene: &Scene, answer: Answer, http: Option<&HttpRequest>) -> Result<Self> {
        let sides = sides(args, scene, http);
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
            answer,
            explanation,
            sides,
        })
    }
}

fn sides(args: &TraceArgs, scene: &Scene, http: Option<&HttpRequest>) -> Vec<Side> {
    let engine = &scene.engine;
    let facts = http.map(|request| request as &dyn HttpFacts);
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
                };
                let explanation = engine.explain(&flow, facts);
                let inspects_requests = http.is_none() && engine.connection(&flow).inspects_http();
                sides.push(Side::new(
                    &flow,
                    describe(engine, subject),
                    describe(engine, peer),
                    explanation,
                    inspects_requests,
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
    fn new(
        flow: &Flow<'_>,
        subject: Described,
        peer: Described,
        explanation: Explanation,
        inspects_requests: bool,
    ) -> Self {
        let Explanation {
            verdict,
            isolated_by,
            nearest,
        } = explanation;
        let text = |rule: &RuleRef| rule.as_str().to_owned();
        Self {
            direction: flow.direction,
            subject,
            peer,
            port: flow.port,
            explanation: verdict.reason.to_string(),
            answer: verdict.into(),
            isolated_by: isolated_by.iter().map(text).collect(),
            nearest: nearest.map(|near| Nearest {
                rule: text(&near.rule),
                missed: near.missed.to_string(),
            }),
            inspects_requests,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn direction<S: Serializer>(direction: &Direction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(direction.as_str())
}

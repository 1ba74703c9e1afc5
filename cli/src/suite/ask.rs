//! Asking about cases: what both sides say, why, and which rules that exercises.

use anyhow::{Context as _, Result, bail};
use policy_core::{Bundle, Direction, Engine, Explanation, Flow, IdentityId, Peer, RuleRef, View, bundle::Backend};

use super::{case::Case, world::Ends};
use crate::{
    args::EngineChoice,
    judge::{Answer, BothSides, Judge, Native, Question, judge},
};

/// What came of a case.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) answer: BothSides,
    /// Every policy that was asked.
    pub(super) sides: Vec<Side>,
    /// The same as if audit were off; empty if no policy is in audit mode.
    pub(super) would: Vec<Side>,
    /// Every place of the policies that the case exercises.
    pub(super) matched: Vec<String>,
}

/// What the policies of one endpoint say.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) direction: Direction,
    pub(super) answer: Answer,
    /// Why, in words.
    pub(super) explanation: String,
    /// The rules that isolate the subject in this direction.
    pub(super) isolated_by: Vec<String>,
    /// For a denial that no deny rule made: the allow rule that came closest, and what it missed.
    pub(super) nearest: Option<(String, String)>,
}

/// Asks about cases of one world after the other.
pub(super) struct Asker {
    native: Native,
    /// The engine that decides, if it is not the native one.
    plugin: Option<Box<dyn Judge>>,
}

impl Asker {
    pub(super) fn new(choice: EngineChoice) -> Result<Self> {
        let plugin = match choice {
            EngineChoice::Native => None,
            EngineChoice::Wasm => Some(judge(choice)?),
        };
        let native = Native::default();
        Ok(Self { native, plugin })
    }

    /// Takes the policy for the cases that follow.
    pub(super) fn load(&mut self, bundle: &Bundle) -> Result<()> {
        self.native.load(bundle)?;
        self.plugin.iter_mut().try_for_each(|plugin| plugin.load(bundle))
    }

    /// How many messages the native engine decided on instead of the plugin.
    pub(super) fn asked_natively(&self) -> usize {
        self.plugin.as_ref().map_or(0, |plugin| plugin.asked_natively())
    }

    /// Asks both sides, or the one that the case is about. The bundle is the one that was loaded.
    pub(super) fn ask(&mut self, case: &Case, ends: &Ends, bundle: &Bundle) -> Result<Seen> {
        let answer = ask_sides(&mut self.native, case, ends)?;
        if let Some(plugin) = &mut self.plugin {
            agree(&answer, &ask_sides(&mut **plugin, case, ends)?, case)?;
        }
        let engine = self.native.engine().context("no policy is loaded")?;
        let mut seen = Seen {
            answer,
            sides: Vec::new(),
            would: Vec::new(),
            matched: Vec::new(),
        };
        for flow in flows(engine, bundle, case, ends) {
            let content = &case.flow.content;
            let server_name = content.server_name();
            let explain = |view| content.with_carried(|carried| engine.explain_as(view, &flow, server_name, carried));
            seen.sides.push(Side::new(flow.direction, explain(View::Enforced)));
            if engine.has_audit() {
                seen.would.push(Side::new(flow.direction, explain(View::Would)));
            }
            let matched = content.with_carried(|carried| engine.matching(&flow, server_name, carried));
            seen.matched.extend(matched.iter().map(text));
        }
        Ok(seen)
    }
}

impl Seen {
    /// Every policy that was asked, as if audit were off.
    pub(super) fn as_if_enforced(&self) -> &[Side] {
        if self.would.is_empty() {
            &self.sides
        } else {
            &self.would
        }
    }
}

impl Side {
    fn new(direction: Direction, explanation: Explanation) -> Self {
        let nearest = explanation.nearest;
        Self {
            direction,
            explanation: explanation.verdict.reason.to_string(),
            isolated_by: explanation.isolated_by.iter().map(text).collect(),
            nearest: nearest.map(|near| (text(&near.rule), near.missed.to_string())),
            answer: explanation.verdict.into(),
        }
    }
}

fn text(rule: &RuleRef) -> String {
    rule.as_str().to_owned()
}

/// The directions that a case asks about.
fn directions(case: &Case) -> impl Iterator<Item = Direction> {
    let all = [Direction::Egress, Direction::Ingress];
    all.into_iter()
        .filter(|direction| case.flow.direction.is_none_or(|wanted| wanted == *direction))
}

fn ask_sides(judge: &mut dyn Judge, case: &Case, ends: &Ends) -> Result<BothSides> {
    let (mut egress, mut ingress) = (None, None);
    for direction in directions(case) {
        let answer = judge.ask(&Question {
            direction,
            source: ends.source,
            destination: ends.destination,
            protocol: case.flow.port.protocol,
            port: case.flow.port.number,
            authenticated: case.flow.authenticated,
            content: &case.flow.content,
        })?;
        match direction {
            Direction::Egress => egress = Some(answer),
            Direction::Ingress => ingress = Some(answer),
        }
    }
    Ok(BothSides::combine(egress, ingress))
}

/// That the plugin says the same. Anything else is a fault of ours.
fn agree(native: &BothSides, plugin: &BothSides, case: &Case) -> Result<()> {
    if native != plugin {
        let json = |answer| serde_json::to_string(answer).unwrap_or_default();
        bail!(
            "the engines disagree, please report this\n  case:   {}\n  native: {}\n  wasm:   {}",
            case.question(),
            json(native),
            json(plugin)
        );
    }
    Ok(())
}

/// One flow for each policy that is asked: a service stands for every endpoint behind it.
fn flows(engine: &Engine, bundle: &Bundle, case: &Case, ends: &Ends) -> Vec<Flow<'static>> {
    let source = engine.identity_of(ends.source);
    let mut flows = Vec::new();
    for direction in directions(case) {
        for (destination, port) in destinations(engine, bundle, case, ends) {
            let (subject, peer) = match direction {
                Direction::Egress => (source, destination),
                Direction::Ingress => (destination, source),
            };
            if engine.is_endpoint(subject) {
                flows.push(Flow {
                    direction,
                    subject,
                    peer: Peer::Identity(peer),
                    protocol: case.flow.port.protocol,
                    port,
                    authenticated: case.flow.authenticated,
                });
            }
        }
    }
    flows
}

fn destinations(engine: &Engine, bundle: &Bundle, case: &Case, ends: &Ends) -> Vec<(IdentityId, u16)> {
    let port = case.flow.port;
    let mut services = bundle
        .services
        .iter()
        .filter(|service| service.address == ends.destination)
        .peekable();
    if services.peek().is_none() {
        return vec![(engine.identity_of(ends.destination), port.number)];
    }
    let service = services.find(|service| service.port == port.number && service.protocol == port.protocol);
    let backends = service.map(|service| service.backends.as_slice()).unwrap_or_default();
    backends
        .iter()
        .filter_map(|backend| behind(engine, bundle, backend))
        .collect()
}

/// An endpoint of a backend, with the port there: all of them are the same identity.
fn behind(engine: &Engine, bundle: &Bundle, backend: &Backend) -> Option<(IdentityId, u16)> {
    let mut same = bundle
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.identity == backend.identity);
    let identity = same.find_map(|endpoint| engine.endpoint(&endpoint.name))?;
    Some((identity, backend.port))
}

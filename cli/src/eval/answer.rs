//! From a line to its answer: compile the objects, find both ends of every flow, ask.

use policy_compiler::{Code, Diagnostic, Input};
use policy_core::{Bundle, Direction};
use serde::Serialize;

use super::{
    ends::{self, Ends},
    flow::Flow,
    line::Line,
};
use crate::judge::{Answer, BothSides, Content, Judge, Question};

/// The answer to one line.
#[derive(Debug, Serialize)]
pub(crate) struct LineAnswer {
    pub(crate) name: Option<String>,
    /// The objects that are not part of the policy, in the order of the line.
    pub(crate) rejected: Vec<Rejected>,
    /// One answer for each flow, in the order of the line.
    pub(crate) flows: Vec<BothSides>,
}

/// An object that is not part of the policy.
#[derive(Debug, Serialize)]
pub(crate) struct Rejected {
    /// `Kind/namespace/name`.
    pub(crate) object: String,
    pub(crate) errors: Vec<RejectionError>,
}

/// Why an object is not part of the policy.
#[derive(Debug, Serialize)]
pub(crate) struct RejectionError {
    path: String,
    message: String,
    code: &'static str,
}

impl Rejected {
    /// Whether the object may be valid: something in it is not supported yet, and nothing else is wrong.
    pub(crate) fn only_unsupported(&self) -> bool {
        self.errors.iter().all(RejectionError::is_unsupported)
    }
}

impl From<policy_compiler::Rejected> for Rejected {
    fn from(rejected: policy_compiler::Rejected) -> Self {
        let error = |Diagnostic {
                         path, message, code, ..
                     }| RejectionError {
            path,
            message,
            code: code.as_str(),
        };
        Self {
            object: rejected.object.to_string(),
            errors: rejected.errors.into_iter().map(error).collect(),
        }
    }
}

impl RejectionError {
    fn is_unsupported(&self) -> bool {
        self.code == Code::UNSUPPORTED.as_str()
    }
}

/// Answers lines, one after the other.
pub(crate) struct Evaluator {
    judge: Box<dyn Judge>,
}

impl Evaluator {
    /// An evaluator that asks this engine.
    pub(crate) fn new(judge: Box<dyn Judge>) -> Self {
        Self { judge }
    }

    /// How many messages the engine in this program decided on, instead of the one that was chosen.
    pub(crate) fn asked_natively(&self) -> usize {
        self.judge.asked_natively()
    }

    /// The answer, or why there is none: the line names a pod that it does not describe, or an engine failed.
    pub(crate) fn answer(&mut self, line: Line) -> Result<LineAnswer, String> {
        let compiled = policy_compiler::compile(&input_of(&line), &line.options);
        let mut errors = compiled.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
        if let Some(error) = errors.find(|error| error.object.is_none()) {
            return Err(format!("objects: {error}"));
        }
        let rejected: Vec<Rejected> = compiled.rejected.into_iter().map(Rejected::from).collect();
        let mut errors = rejected.iter().flat_map(|rejected| &rejected.errors);
        let flows = match errors.any(RejectionError::is_unsupported) {
            true => line.flows.iter().map(|_| BothSides::unsupported()).collect(),
            false => self.ask_all(&line, compiled.bundle)?,
        };
        let name = line.name;
        Ok(LineAnswer { name, rejected, flows })
    }

    fn ask_all(&mut self, line: &Line, bundle: Bundle) -> Result<Vec<BothSides>, String> {
        let (bundle, ends) = ends::place(line, bundle)?;
        self.judge.load(&bundle).map_err(|error| format!("{error:#}"))?;
        let nobody = Answer::unknown_subject(&bundle);
        let flows = line.flows.iter().zip(&ends).enumerate();
        let answers = flows.map(|(i, (flow, ends))| match (ends, &flow.content) {
            (Some(ends), Some(content)) => self
                .ask(flow, ends, content, &nobody)
                .map_err(|error| format!("flows[{i}]: {error:#}")),
            (None, _) | (_, None) => Ok(BothSides::unsupported()),
        });
        answers.collect()
    }

    /// `nobody` answers for a side without policy.
    fn ask(&mut self, flow: &Flow, ends: &Ends, content: &Content, nobody: &Answer) -> anyhow::Result<BothSides> {
        let mut side = |direction, has_policy: bool| {
            if flow.direction.is_some_and(|wanted| wanted != direction) {
                return Ok(None);
            }
            if !has_policy {
                return Ok(Some(nobody.clone()));
            }
            let question = Question {
                direction,
                source: ends.source,
                destination: ends.destination,
                protocol: flow.protocol,
                port: flow.port,
                // As in the data plane that the corpora come from: identities are not in doubt.
                authenticated: true,
                content,
            };
            self.judge.ask(&question).map(Some)
        };
        let egress = side(Direction::Egress, ends.asks_egress)?;
        let ingress = side(Direction::Ingress, ends.asks_ingress)?;
        Ok(BothSides::combine(egress, ingress))
    }
}

pub(super) fn input_of(line: &Line) -> Input {
    let mut input = Input::new();
    for object in &line.objects {
        input.add_value(object);
    }
    input.names.clone_from(&line.fqdns);
    input.pod_clusters.clone_from(&line.pod_clusters);
    input.apiserver_addresses = line.apiserver_ips.iter().copied().collect();
    input
}

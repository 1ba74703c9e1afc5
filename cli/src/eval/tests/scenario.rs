//! A policy and a question about it, both to be changed.

use std::{net::IpAddr, rc::Rc};

use policy_core::{
    AddressFacts, Bundle, Direction, Engine, Explanation, Flow, Missed, Peer, Protocol, RuleRef, Scope, Verdict,
};

use super::Question;
use crate::judge::{self, Content};

/// A policy and a question.
#[derive(Clone)]
pub(super) struct Scenario {
    pub(super) bundle: Rc<Bundle>,
    file: Rc<str>,
    name: String,
    pub(super) direction: Direction,
    pub(super) subject: IpAddr,
    pub(super) peer: IpAddr,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
    pub(super) content: Content,
}

impl Scenario {
    pub(super) fn new(bundle: &Rc<Bundle>, question: &Question) -> Self {
        let (subject, peer) = match question.direction {
            Direction::Egress => (question.source, question.destination),
            Direction::Ingress => (question.destination, question.source),
        };
        Self {
            bundle: Rc::clone(bundle),
            file: Rc::clone(&question.file),
            name: question.name.clone(),
            direction: question.direction,
            subject,
            peer,
            protocol: question.protocol,
            port: question.port,
            content: question.content.clone(),
        }
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The verdicts as they are decided, and as they are explained, for every side that the question is about.
    pub(super) fn verdicts(&self, engine: &Engine) -> Vec<(Verdict, Verdict)> {
        let (source, destination, scope) = match self.direction {
            Direction::Egress => (self.subject, self.peer, Scope::Egress),
            Direction::Ingress => (self.peer, self.subject, Scope::Ingress),
        };
        let facts = AddressFacts {
            authenticated: true,
            ..AddressFacts::new(Some(source), Some(destination), self.protocol, self.port)
        };
        let decided = engine.admit(&facts, scope);
        let server_name = self.content.server_name();
        let flows = self.flows(engine);
        assert!(
            decided.sides().is_empty() || decided.sides().len() == flows.len(),
            "{}: as many sides as flows",
            self.name
        );
        let sides = decided.sides().iter().zip(&flows);
        sides
            .map(|(side, flow)| {
                self.content.with_carried(|carried| {
                    let explained = engine.explain(flow, server_name, carried).verdict;
                    (side.judge(server_name, carried), explained)
                })
            })
            .collect()
    }

    /// The flows that the engine is asked about: one, or one for each endpoint behind a service.
    fn flows(&self, engine: &Engine) -> Vec<Flow<'static>> {
        let destination = match self.direction {
            Direction::Egress => self.peer,
            Direction::Ingress => self.subject,
        };
        let mut services = self.bundle.services.iter();
        let service = services.find(|service| {
            (service.address, service.protocol, service.port) == (destination, self.protocol, self.port)
        });
        let direct = || vec![(engine.identity_of(destination), self.port)];
        let destinations = service.map_or_else(direct, |service| {
            let behind = service.backends.iter().filter_map(|backend| {
                let mut endpoints = self.bundle.endpoints.iter();
                let endpoint = endpoints.find(|endpoint| endpoint.identity == backend.identity)?;
                Some((engine.endpoint(&endpoint.name)?, backend.port))
            });
            behind.collect()
        });
        let flow = |(destination, port)| {
            let (subject, peer) = match self.direction {
                Direction::Egress => (engine.identity_of(self.subject), destination),
                Direction::Ingress => (destination, engine.identity_of(self.peer)),
            };
            Flow {
                direction: self.direction,
                subject,
                peer: Peer::Identity(peer),
                protocol: self.protocol,
                port,
                authenticated: true,
            }
        };
        destinations.into_iter().map(flow).collect()
    }

    fn engine(&self) -> Engine {
        engine_of(&self.bundle)
    }

    /// The explanation for the addresses as they are, whatever services there are.
    pub(super) fn explain(&self) -> Explanation {
        self.explain_by(&self.engine())
    }

    /// The same by an engine that has the policy already.
    pub(super) fn explain_by(&self, engine: &Engine) -> Explanation {
        let server_name = self.content.server_name();
        self.content
            .with_carried(|carried| engine.explain(&self.flow(engine), server_name, carried))
    }

    /// What the rule has against the question now; `None` if it matches.
    pub(super) fn missed_by(&self, rule: &RuleRef) -> Option<Missed> {
        let engine = self.engine();
        let server_name = self.content.server_name();
        let considered = self
            .content
            .with_carried(|carried| engine.considered(&self.flow(&engine), server_name, carried));
        let rows: Vec<_> = considered.into_iter().filter(|row| row.rule == *rule).collect();
        assert!(!rows.is_empty(), "{}: {rule} is no longer considered", self.name);
        let matches = rows.iter().any(|row| row.missed.is_none());
        rows.into_iter().find_map(|row| row.missed).filter(|_| !matches)
    }

    /// The rules for this peer and port.
    pub(super) fn matching(&self) -> Vec<RuleRef> {
        let engine = self.engine();
        engine.matching(&self.flow(&engine), None, None)
    }

    fn flow(&self, engine: &Engine) -> Flow<'static> {
        Flow {
            direction: self.direction,
            subject: engine.identity_of(self.subject),
            peer: Peer::Identity(engine.identity_of(self.peer)),
            protocol: self.protocol,
            port: self.port,
            authenticated: true,
        }
    }
}

/// The engine for a bundle of the compiler.
pub(super) fn engine_of(bundle: &Bundle) -> Engine {
    judge::engine(bundle.clone()).expect("a good bundle")
}

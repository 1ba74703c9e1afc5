//! The network filter: decides on connections, and tells the HTTP filter who is on the other side.

use core::mem;
use std::rc::Rc;

use policy_core::{Destination, HttpRequest, Reason, Scope, Verdict};

use crate::{
    facts::{Chain, ConnectionDestination, ConnectionFacts},
    host::{Action, Host, Stream},
    metrics::Layer,
    policy::{Asked, Current, Plugin, Policy},
    report::{L4_GUARD, Outcome, Refusal, tell_guard},
    sni::server_name,
    vm::Vm,
};

/// One connection.
pub(crate) struct NetworkFilter<H> {
    vm: Rc<Vm<H>>,
    /// What was in force when the connection was opened; given back once it was asked, or every idle connection would
    /// keep its policy in memory. To ask it twice is to find none, which is a denial.
    current: Current,
    /// What tells of newer policies; `None` if it was never configured.
    plugin: Option<Rc<Plugin>>,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    New,
    /// The requests on it are decided one by one.
    LeftToHttp(ConnectionFacts),
    /// By the policy of this generation.
    Admitted {
        facts: ConnectionFacts,
        generation: u64,
    },
    Refused,
}

/// What the policy says to a connection.
enum Ruling {
    Decided(Outcome),
    /// Nothing speaks against the connection; what counts is each of its requests.
    LeftToHttp,
}

impl<H: Host> NetworkFilter<H> {
    pub(crate) fn new(vm: Rc<Vm<H>>, current: Current, plugin: Option<Rc<Plugin>>) -> Self {
        Self {
            vm,
            current,
            plugin,
            state: State::New,
        }
    }

    /// Decides at once: addresses suffice, with the server name if the listener looks for it, and no upstream has been
    /// contacted yet.
    pub(crate) fn new_connection(&mut self) -> Action {
        self.shielded(Self::decide)
    }

    /// Data passes if the connection was admitted, and still is if the policy has changed since.
    pub(crate) fn data(&mut self) -> Action {
        match self.state {
            State::Refused => Action::Pause,
            State::LeftToHttp(facts) => self.shielded(|filter| filter.look_after(facts)),
            // A host that skips the first callback does not get around the policy.
            State::New => self.shielded(Self::decide),
            State::Admitted { facts, generation } => self.shielded(|filter| filter.decide_again(facts, generation)),
        }
    }

    fn shielded(&mut self, body: impl FnOnce(&mut Self) -> Action) -> Action {
        let vm = Rc::clone(&self.vm);
        vm.shield(|| body(self)).unwrap_or_else(|| {
            self.state = State::Refused;
            vm.shield(|| self.refuse(None, &Refusal::InternalError.into()));
            Action::Pause
        })
    }

    fn decide(&mut self) -> Action {
        match self.facts_and_ruling() {
            Err(refusal) => self.refuse(None, &refusal.into()),
            Ok((facts, _, Ruling::Decided(outcome))) if !outcome.allows() => self.refuse(Some(facts.scope), &outcome),
            Ok((facts, generation, ruling)) => self.admit(facts, generation, &ruling),
        }
    }

    fn facts_and_ruling(&mut self) -> Result<(ConnectionFacts, u64, Ruling), Refusal> {
        let current = mem::take(&mut self.current);
        let policy = current.policy()?;
        let facts = ConnectionFacts::gather(&self.vm.host, policy.settings)?;
        let chain = Chain::of_listener(&self.vm.host)?;
        Ok((facts, policy.generation, rule_on(&self.vm.host, policy, &facts, chain)))
    }

    fn decide_again(&mut self, facts: ConnectionFacts, generation: u64) -> Action {
        let Some(policy) = self.latest().filter(|policy| policy.generation != generation) else {
            return Action::Continue;
        };
        if policy.settings != facts.settings {
            return self.refuse(Some(facts.scope), &Refusal::OutdatedConnectionFacts.into());
        }
        match rule_on(&self.vm.host, &policy, &facts, Chain::Tcp) {
            Ruling::Decided(outcome) if outcome.allows() => {
                // Counted when it was opened; a connection has one verdict, unless it loses it.
                outcome.show(&self.vm.host);
                self.state = State::Admitted {
                    facts,
                    generation: policy.generation,
                };
                Action::Continue
            }
            Ruling::Decided(outcome) => self.refuse(Some(facts.scope), &outcome),
            Ruling::LeftToHttp => self.refuse(Some(facts.scope), &Refusal::HttpRequired.into()),
        }
    }

    /// A new policy is for the requests to ask. But if the facts of this connection are not for it, every request
    /// would be denied for as long as the client keeps the connection, so it must open another one.
    fn look_after(&mut self, facts: ConnectionFacts) -> Action {
        match self.latest() {
            Some(policy) if policy.settings != facts.settings => {
                self.refuse(Some(facts.scope), &Refusal::OutdatedConnectionFacts.into())
            }
            _ => Action::Continue,
        }
    }

    fn latest(&self) -> Option<Rc<Policy>> {
        self.plugin.as_ref().and_then(|plugin| plugin.latest())
    }

    fn admit(&mut self, facts: ConnectionFacts, generation: u64, ruling: &Ruling) -> Action {
        let host = &self.vm.host;
        self.state = match ruling {
            Ruling::LeftToHttp => {
                facts.hand_over(host);
                State::LeftToHttp(facts)
            }
            Ruling::Decided(outcome) => {
                outcome.show(host);
                State::Admitted { facts, generation }
            }
        };
        tell_guard(host, L4_GUARD, true);
        self.vm.metrics.count_verdict(host, Some(facts.scope), Layer::L4, true);
        Action::Continue
    }

    fn refuse(&mut self, scope: Option<Scope>, outcome: &Outcome) -> Action {
        let host = &self.vm.host;
        self.state = State::Refused;
        tell_guard(host, L4_GUARD, false);
        outcome.show(host);
        // If it cannot be closed, nothing passes: every callback answers `Pause` from now on.
        let _ = host.close(Stream::Downstream);
        self.vm.metrics.count_verdict(host, scope, Layer::L4, false);
        Action::Pause
    }
}

/// On a chain where nobody looks at requests, whatever depends on a request is denied.
fn rule_on<H: Host>(host: &H, policy: &Policy, facts: &ConnectionFacts, chain: Chain) -> Ruling {
    let address = match (facts.destination, chain) {
        (ConnectionDestination::Address(address), _) => address,
        (ConnectionDestination::Authority, Chain::Tcp) => return Ruling::Decided(Refusal::HttpRequired.into()),
        (ConnectionDestination::Authority, Chain::Http) => {
            let known = |source| policy.engine.is_endpoint(policy.engine.identity_of(source));
            return if facts.source.is_some_and(known) {
                Ruling::LeftToHttp
            } else {
                Ruling::Decided(Verdict::refusal(Reason::UnknownSubject).into())
            };
        }
    };
    let asked = policy.admit(&facts.to(Destination::Address(address), facts.port), facts.scope);
    let verdict = asked.verdict();
    if !verdict.allows() {
        return Ruling::Decided(verdict.into());
    }
    let server_name = server_name(host, &asked);
    let handshake = asked.handshake(server_name.as_deref());
    match chain {
        // Envoy itself may end TLS here, and then nobody knows the name yet; requests are judged with it.
        Chain::Http if handshake.allows() || server_name.is_none() => Ruling::LeftToHttp,
        Chain::Tcp if handshake.allows() => unseen(&asked, server_name.as_deref(), handshake),
        Chain::Http | Chain::Tcp => Ruling::Decided(handshake.into()),
    }
}

/// A connection that may be opened, but whose contents nobody looks at.
fn unseen(asked: &Asked, server_name: Option<&[u8]>, handshake: Verdict) -> Ruling {
    if asked.inspects_http() || asked.changes_headers() {
        return Ruling::Decided(Outcome::from(Refusal::HttpRequired).with_rule(handshake.rule));
    }
    // Rules for other protocols refuse every request, also one without anything.
    let verdict = asked.request(server_name, &HttpRequest::default());
    let verdict = if verdict.allows() { handshake } else { verdict };
    Ruling::Decided(verdict.into())
}

#[cfg(test)]
mod tests;

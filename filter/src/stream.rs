//! The network filter: decides on connections, and tells the HTTP filter who is on the other side.

mod ruling;
mod state;

use core::{
    cell::{Cell, RefCell},
    mem,
};
use std::rc::Rc;

use crate::{
    case::Case,
    config::Revocation,
    facts::{Chain, ConnectionFacts, Later, Listener},
    host::{Action, Host, Stream},
    metrics::Layer,
    policy::{Current, Plugin, Policy},
    report::{L4_GUARD, Outcome, Refusal, Word, show_peer, tell_guard},
    vm::Vm,
    who::{show_destination, show_source},
};
pub(crate) use state::Data;

use ruling::{Ruling, rule_on};
use state::{Basis, State};

/// When to close what cannot be closed at once.
const SOON_MILLISECONDS: u32 = 10;

/// One connection.
pub(crate) struct NetworkFilter<H: Host> {
    vm: Rc<Vm<H>>,
    /// What was in force when the connection was opened; given back once it was asked, or every idle connection would
    /// keep its policy in memory. To ask it twice is to find none, which is a denial.
    current: RefCell<Current>,
    /// What tells of newer policies; `None` if it was never configured.
    plugin: Option<Rc<Plugin>>,
    state: RefCell<State>,
    /// Whether the last bytes of the upstream are being told, so that it cannot be closed.
    ends: Cell<bool>,
    /// Whether to close the connection is for the next tick to do.
    closes_later: Cell<bool>,
}

impl<H: Host> NetworkFilter<H> {
    pub(crate) fn new(vm: Rc<Vm<H>>, current: Current, plugin: Option<Rc<Plugin>>) -> Self {
        Self {
            vm,
            current: RefCell::new(current),
            plugin,
            state: RefCell::new(State::New),
            ends: Cell::new(false),
            closes_later: Cell::new(false),
        }
    }

    /// Decides at once if addresses suffice, with the server name if the listener looks for it: no upstream has been
    /// contacted yet.
    pub(crate) fn new_connection(&mut self) -> Action {
        self.shielded(Self::decide)
    }

    /// Data passes if the connection was admitted, and still is if the policy has changed since.
    pub(crate) fn data(&mut self, data: Data) -> Action {
        self.ends.set(data == Data::EndOfUpstream);
        self.go_on()
    }

    /// Whether it was let through and nothing has changed since, as for nearly all bytes.
    pub(crate) fn is_settled(&self) -> bool {
        let unchanged = |same: &dyn Fn(&Policy) -> bool| self.latest().is_none_or(|policy| same(&policy));
        match &*self.state.borrow() {
            State::Admitted { generation, .. } => unchanged(&|policy| policy.generation == *generation),
            State::LeftToHttp(Ok(facts)) => unchanged(&|policy| policy.fact_settings == facts.settings),
            State::New | State::Waiting { .. } | State::LeftToHttp(Err(_)) | State::Refused => false,
        }
    }

    /// Whether there is a newer policy than the one that admitted it.
    pub(crate) fn is_outdated(&self) -> bool {
        if self.closes_later.get() {
            return true;
        }
        match &*self.state.borrow() {
            State::Admitted { generation, .. } => self.latest().is_some_and(|policy| policy.generation != *generation),
            // Requests are judged one by one, and what waits is judged by the newest policy.
            State::New | State::Waiting { .. } | State::LeftToHttp(_) | State::Refused => false,
        }
    }

    /// Asks the newest policy about an open connection.
    pub(crate) fn judge_again(&mut self) -> Action {
        self.ends.set(false);
        if self.closes_later.take() {
            let _ = self.vm.host.close(Stream::Downstream);
            return Action::Pause;
        }
        self.go_on()
    }

    fn go_on(&self) -> Action {
        let state = self.state.borrow().clone();
        match state {
            State::Refused => Action::Pause,
            State::LeftToHttp(basis) => self.shielded(|connection| connection.look_after(&basis)),
            // A host that skips the first callback does not get around the policy.
            State::New => self.shielded(Self::decide),
            State::Waiting { facts, chain, later } => {
                self.shielded(|connection| connection.decide_later((*facts).clone(), chain, later))
            }
            State::Admitted {
                basis,
                generation,
                told_would,
            } => self.shielded(|connection| connection.decide_again(&basis, generation, told_would)),
        }
    }

    fn shielded(&self, body: impl FnOnce(&Self) -> Action) -> Action {
        self.vm.shield(|| body(self)).unwrap_or_else(|| {
            self.state.replace(State::Refused);
            self.vm
                .shield(|| self.refuse(None, None, &Refusal::InternalError.into()));
            Action::Pause
        })
    }

    fn decide(&self) -> Action {
        let current = mem::take(&mut *self.current.borrow_mut());
        let policy = match current.policy() {
            Ok(policy) => policy,
            Err(refusal) => return self.refuse(None, None, &refusal.into()),
        };
        let host = &self.vm.host;
        let listener = match Listener::of_connection(host) {
            Ok(listener) => listener,
            Err(refusal) => return self.turn_away(policy, None, Chain::Tcp, refusal),
        };
        match ConnectionFacts::gather(host, &listener, &policy.settings, policy.fact_settings) {
            Err(refusal) => {
                // What the listener does not say right is as if it did not say it.
                let chain = listener.chain().unwrap_or(Chain::Tcp);
                self.turn_away(policy, None, chain, refusal)
            }
            Ok((facts, chain, later)) if later.matters() => {
                let facts = Rc::new(facts);
                self.state.replace(State::Waiting { facts, chain, later });
                tell_guard(host, L4_GUARD, Word::Pending);
                Action::Continue
            }
            Ok((facts, chain, later)) => self.conclude(policy, &listener, facts, chain, later),
        }
    }

    /// With the first bytes. By the newest policy: the one before may have gone meanwhile.
    fn decide_later(&self, facts: ConnectionFacts, chain: Chain, later: Later) -> Action {
        match self.latest() {
            None => self.refuse(None, Some(&facts), &Refusal::NoPolicy.into()),
            Some(policy) if policy.fact_settings != facts.settings => {
                self.turn_away(&policy, Some(&facts), chain, Refusal::OutdatedConnectionFacts)
            }
            Some(policy) => match Listener::of_connection(&self.vm.host) {
                Ok(listener) => self.conclude(&policy, &listener, facts, chain, later),
                Err(refusal) => self.turn_away(&policy, Some(&facts), chain, refusal),
            },
        }
    }

    fn conclude(
        &self,
        policy: &Policy,
        listener: &Listener,
        mut facts: ConnectionFacts,
        chain: Chain,
        later: Later,
    ) -> Action {
        let host = &self.vm.host;
        if let Err(refusal) = facts.complete(host, listener, &policy.settings, later) {
            return self.turn_away(policy, Some(&facts), chain, refusal);
        }
        show_peer(host, facts.claim.as_ref());
        show_source(host, policy, &facts);
        if let Some((destination, _)) = facts.address_and_port() {
            show_destination(host, policy, &facts, destination);
        }
        match rule_on(host, policy, &facts, chain) {
            Ruling::Decided(outcome) if !outcome.allows() => self.refuse(Some(policy), Some(&facts), &outcome),
            ruling => self.admit(policy, Ok(Rc::new(facts)), &ruling),
        }
    }

    /// Refuses what cannot be judged. A policy that only audits lets it pass, but never as a question to the HTTP filter
    /// with half of the facts: that could find nothing wrong.
    fn turn_away(&self, policy: &Policy, facts: Option<&ConnectionFacts>, chain: Chain, refusal: Refusal) -> Action {
        if policy.only_audits() {
            self.admit(policy, Err(refusal), &Ruling::audited(chain, refusal.into()))
        } else {
            self.refuse(Some(policy), facts, &refusal.into())
        }
    }

    fn decide_again(&self, basis: &Basis, generation: u64, told_would: bool) -> Action {
        let Some(policy) = self.latest().filter(|policy| policy.generation != generation) else {
            return Action::Continue;
        };
        let host = &self.vm.host;
        let ruling = match basis {
            Ok(facts) if policy.fact_settings == facts.settings => rule_on(host, &policy, facts, Chain::Tcp),
            Ok(_) => Ruling::Decided(policy.refusing(Refusal::OutdatedConnectionFacts)),
            Err(refusal) => Ruling::Decided(policy.refusing(*refusal)),
        };
        let facts = basis.as_deref().ok();
        // Only a chain for HTTP leaves connections to requests.
        if let Ruling::Decided(outcome) = ruling {
            let closes = policy.settings.revocation == Revocation::Close;
            if told_would && (outcome.allows() || closes) {
                outcome.show_would(host);
            }
            if outcome.allows() {
                // Counted when it was opened; a connection has one verdict, unless it loses it.
                Case::connection(Some(&policy), facts).show(&self.vm, &outcome);
            } else {
                self.vm.metrics.count_revocation(host, Layer::L4);
                if closes {
                    return self.refuse(Some(&policy), facts, &outcome);
                }
            }
        }
        self.state.replace(State::Admitted {
            basis: basis.clone(),
            generation: policy.generation,
            told_would: told_would || policy.has_audit(),
        });
        Action::Continue
    }

    /// Requests are judged by the facts of their connection, so these must not be outdated.
    fn look_after(&self, basis: &Basis) -> Action {
        let Some(policy) = self.latest().filter(|policy| !policy.only_audits()) else {
            return Action::Continue;
        };
        match basis {
            Ok(facts) if policy.fact_settings == facts.settings => Action::Continue,
            Ok(facts) => self.refuse(Some(&policy), Some(facts), &Refusal::OutdatedConnectionFacts.into()),
            Err(refusal) => self.refuse(Some(&policy), None, &(*refusal).into()),
        }
    }

    fn latest(&self) -> Option<Rc<Policy>> {
        self.plugin.as_ref().and_then(|plugin| plugin.latest())
    }

    fn admit(&self, policy: &Policy, basis: Basis, ruling: &Ruling) -> Action {
        let host = &self.vm.host;
        let facts = basis.clone().ok();
        let case = Case::connection(Some(policy), facts.as_deref());
        let (state, outcome) = match ruling {
            Ruling::LeftToHttp(outcome) => {
                if let Some(facts) = &facts {
                    facts.hand_over(host);
                }
                (State::LeftToHttp(basis), outcome)
            }
            Ruling::Decided(outcome) => {
                case.show(&self.vm, outcome);
                let state = State::Admitted {
                    basis,
                    generation: policy.generation,
                    told_would: policy.has_audit(),
                };
                (state, outcome)
            }
        };
        self.state.replace(state);
        tell_guard(host, L4_GUARD, Word::Allow);
        case.count(&self.vm, outcome);
        Action::Continue
    }

    /// By the policy that was asked and the facts that it was asked about, as far as it came to that.
    fn refuse(&self, policy: Option<&Policy>, facts: Option<&ConnectionFacts>, outcome: &Outcome) -> Action {
        let host = &self.vm.host;
        self.state.replace(State::Refused);
        tell_guard(host, L4_GUARD, Word::Deny);
        let case = Case::connection(policy, facts);
        case.show(&self.vm, outcome);
        // If it cannot be closed, nothing passes: every callback answers `Pause` from now on.
        let _ = if self.ends.get() {
            self.closes_later.set(true);
            host.tick_every(SOON_MILLISECONDS)
        } else {
            host.close(Stream::Downstream)
        };
        case.count(&self.vm, outcome);
        Action::Pause
    }
}

#[cfg(test)]
mod tests;

//! The HTTP filter: decides on each request, with what the network filter knows of its connection.

mod answer;
mod denial;

use core::mem;
use std::rc::Rc;

use crate::{
    case::Case,
    changes,
    config::Revocation,
    facts::ConnectionFacts,
    headers::Headers,
    host::{Action, Host, LocalReply, Stream},
    metrics::Layer,
    policy::{Current, KnownConnection, Plugin, Policy},
    report::{HTTP_GUARD, Outcome, Refusal, UPSTREAM_GUARD, Word, tell_guard},
    vm::Vm,
    who::show_destination,
};
use answer::{Answer, Position, Question, Target, answer};
use denial::Denial;

const FORBIDDEN: u32 = 403;
const PERMISSION_DENIED: i32 = 7;
/// When to ask again about what an outdated policy allowed.
const SOON_MILLISECONDS: u32 = 50;

/// One request.
pub(crate) struct HttpFilter<H: Host> {
    vm: Rc<Vm<H>>,
    /// What is in force; given back once it was asked, or a long request would keep its policy in memory. To ask it
    /// twice is to find none, which is a denial.
    current: Current,
    /// What tells of newer policies; `None` if it was never configured.
    plugin: Option<Rc<Plugin>>,
    state: State,
}

enum State {
    New,
    /// By the policy of this generation.
    Allowed {
        basis: Basis,
        generation: u64,
        /// Whether access logs were told what would be decided if audit were off.
        told_would: bool,
    },
    Refused,
}

/// What a request was judged by. Without a question it was refused, and a policy that only audits let it pass.
type Basis = Result<Question, Refusal>;

impl<H: Host> HttpFilter<H> {
    pub(crate) fn new(vm: Rc<Vm<H>>, current: Current, plugin: Option<Rc<Plugin>>) -> Self {
        Self {
            vm,
            current,
            plugin,
            state: State::New,
        }
    }

    /// Decides on the request.
    pub(crate) fn request_headers(&mut self) -> Action {
        self.shielded(Self::decide)
    }

    /// Body and trailers pass if the headers did. They must not do so otherwise: going on with a later part of a
    /// request would release its headers, too.
    pub(crate) fn rest_of_request(&mut self) -> Action {
        match self.state {
            State::Allowed { .. } => Action::Continue,
            State::Refused => Action::Pause,
            // A host that skips the first callback does not get around the policy.
            State::New => self.shielded(Self::decide),
        }
    }

    /// Whether there is a newer policy than the one that allowed it.
    pub(crate) fn is_outdated(&self) -> bool {
        let newest = || self.plugin.as_ref().and_then(|plugin| plugin.latest());
        match &self.state {
            State::Allowed { generation, .. } => newest().is_some_and(|policy| policy.generation != *generation),
            State::New | State::Refused => false,
        }
    }

    /// Asks the newest policy about a request that an earlier one allowed, and that is not over.
    pub(crate) fn judge_again(&mut self) -> Action {
        self.shielded(Self::decide_again)
    }

    /// What panics leaves the request refused: its state is not there while it is judged.
    fn shielded(&mut self, body: impl FnOnce(&mut Self) -> Action) -> Action {
        let vm = Rc::clone(&self.vm);
        vm.shield(|| body(self)).unwrap_or_else(|| {
            vm.shield(|| self.refuse(None, None, &Refusal::InternalError.into()));
            Action::Pause
        })
    }

    fn decide(&mut self) -> Action {
        #[cfg(feature = "fault-injection")]
        fault::inject(&self.vm.host);
        self.state = State::Refused;
        let current = mem::take(&mut self.current);
        let policy = match current.policy() {
            Ok(policy) => policy,
            Err(refusal) => return self.refuse(None, None, &refusal.into()),
        };
        let (question, connection) = match self.question(policy) {
            Ok(known) => known,
            Err(refusal) if policy.only_audits() => return self.allow(policy, Err(refusal), &policy.refusing(refusal)),
            Err(refusal) => return self.refuse(Some(policy), None, &refusal.into()),
        };
        self.show_destination(policy, &question);
        let Answer { outcome, changes } = answer(&self.vm.host, policy, &question, Some(&connection));
        let outcome = match changes::apply(&self.vm.host, &changes, outcome.rule()) {
            Ok(()) => outcome,
            Err(refusal) => Outcome::from(refusal).with_rule(outcome.rule().cloned()),
        };
        if outcome.allows() {
            self.allow(policy, Ok(question), &outcome)
        } else {
            self.refuse(Some(policy), Some(&question), &outcome)
        }
    }

    /// The headers are fetched once, whether or not they matter now: a later policy may look at them, and the host will
    /// not have them any more.
    fn question(&self, policy: &Policy) -> Result<(Question, Rc<KnownConnection>), Refusal> {
        let host = &self.vm.host;
        let read = |bytes: &[u8]| ConnectionFacts::read(bytes, policy.fact_settings);
        let connection = policy.known.connection(ConnectionFacts::handed_over(host)?, read)?;
        let facts = Rc::clone(&connection.facts);
        let question = Question {
            position: Position::of(host, &facts)?,
            headers: host.request_headers().ok().and_then(Headers::new),
            facts,
        };
        Ok((question, connection))
    }

    /// The connection shows it, unless it is the request that says so.
    fn show_destination(&self, policy: &Policy, question: &Question) {
        if question.facts.address_and_port().is_none()
            && let Ok(Target::At(destination, _)) = question.target()
        {
            show_destination(&self.vm.host, policy, &question.facts, destination);
        }
    }

    fn allow(&mut self, policy: &Policy, basis: Basis, outcome: &Outcome) -> Action {
        let host = &self.vm.host;
        let case = match &basis {
            Ok(question) => question.case(Some(policy)),
            Err(_) => Case::request(Some(policy)),
        };
        match &basis {
            Ok(question) => {
                match question.position {
                    Position::Downstream => case.show_allowed(&self.vm, outcome),
                    // The plugin has written about it in front of the load balancer.
                    Position::Upstream(..) => case.show(&self.vm, outcome),
                }
                tell_guard(host, question.position.guard(), Word::Allow);
            }
            Err(_) => {
                case.show(&self.vm, outcome);
                // Nobody knows which of them it will meet.
                tell_guard(host, HTTP_GUARD, Word::Allow);
                tell_guard(host, UPSTREAM_GUARD, Word::Allow);
            }
        }
        case.count(&self.vm, outcome);
        self.state = State::Allowed {
            basis,
            generation: policy.generation,
            told_would: policy.has_audit(),
        };
        if self.is_outdated() {
            // A policy is arriving, and the HTTP filters of Envoy are behind its network filters.
            let _ = self.vm.host.tick_every(SOON_MILLISECONDS);
        }
        Action::Continue
    }

    /// With the policy that was asked and the question that it was asked, as far as it came to that.
    fn refuse(&mut self, policy: Option<&Policy>, question: Option<&Question>, outcome: &Outcome) -> Action {
        let host = &self.vm.host;
        self.state = State::Refused;
        if let Some(Position::Upstream(..)) = question.map(|question| question.position) {
            tell_guard(host, UPSTREAM_GUARD, Word::Deny);
        }
        // Behind the load balancer, that guard has let the request pass; access logs take its word for the verdict.
        tell_guard(host, HTTP_GUARD, Word::Deny);
        let case = question.map_or_else(|| Case::request(policy), |question| question.case(policy));
        case.show(&self.vm, outcome);
        let Denial { body, header } = Denial::new(host, policy, question, outcome);
        let reply = LocalReply {
            status: FORBIDDEN,
            details: &outcome.details(),
            body: &body,
            header: header.as_ref().map(|(name, value)| (*name, &**value)),
            grpc_status: PERMISSION_DENIED,
        };
        if host.reply(&reply).is_err() {
            // Without an answer, the client learns at least that there will be none.
            let _ = host.close(Stream::HttpRequest);
        }
        case.count(&self.vm, outcome);
        Action::Pause
    }

    fn decide_again(&mut self) -> Action {
        let State::Allowed {
            basis,
            generation,
            told_would,
        } = mem::replace(&mut self.state, State::Refused)
        else {
            return Action::Pause;
        };
        let Some(policy) = self.plugin.as_ref().and_then(|plugin| plugin.latest()) else {
            self.state = State::Allowed {
                basis,
                generation,
                told_would,
            };
            return Action::Continue;
        };
        let host = &self.vm.host;
        let outcome = match &basis {
            Ok(question) if policy.fact_settings == question.facts.settings => {
                answer(host, &policy, question, None).outcome
            }
            Ok(_) => policy.refusing(Refusal::OutdatedConnectionFacts),
            Err(refusal) => policy.refusing(*refusal),
        };
        if !outcome.allows() {
            self.vm.metrics.count_revocation(host, Layer::L7);
            if policy.settings.revocation == Revocation::Close {
                if told_would {
                    outcome.show_would(host);
                }
                return self.refuse(Some(&policy), basis.as_ref().ok(), &outcome);
            }
        }
        self.state = State::Allowed {
            basis,
            generation: policy.generation,
            told_would,
        };
        Action::Continue
    }
}

/// A panic on demand, for the tests that show that it becomes a denial.
#[cfg(feature = "fault-injection")]
mod fault {
    use policy_core::HttpFacts;

    use super::{Headers, Host};

    #[expect(clippy::panic, reason = "panicking is what this is for")]
    pub(super) fn inject<H: Host>(host: &H) {
        let mut asked = false;
        if let Some(headers) = host.request_headers().ok().and_then(Headers::new) {
            headers.header_values("x-portcullis-fault", &mut |value| asked |= value == b"panic");
        }
        if asked {
            panic!("panic on demand");
        }
    }
}

#[cfg(test)]
mod tests;

//! The HTTP filter: decides on each request, with what the network filter knows of its connection.

mod answer;
mod denial;

use core::{cell::RefCell, mem};
use std::rc::Rc;

use crate::{
    case::Case,
    changes,
    config::Revocation,
    facts::ConnectionFacts,
    headers::Headers,
    host::{Action, Host, LocalReply, Stream},
    live::Open,
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

/// One request, as the host holds it.
pub(crate) struct HttpFilter<H: Host> {
    id: u32,
    request: Rc<Request<H>>,
}

struct Request<H> {
    vm: Rc<Vm<H>>,
    /// What is in force; given back once it was asked, or a long request would keep its policy in memory. To ask it
    /// twice is to find none, which is a denial.
    current: RefCell<Current>,
    /// What tells of newer policies; `None` if it was never configured.
    plugin: Option<Rc<Plugin>>,
    state: RefCell<State>,
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
type Basis = Result<Rc<Question>, Refusal>;

impl<H: Host + 'static> HttpFilter<H> {
    pub(crate) fn new(vm: Rc<Vm<H>>, id: u32, current: Current, plugin: Option<Rc<Plugin>>) -> Self {
        let request = Rc::new(Request {
            vm,
            current: RefCell::new(current),
            plugin,
            state: RefCell::new(State::New),
        });
        let open: Rc<dyn Open> = Rc::<Request<H>>::clone(&request);
        request.vm.live.add(id, Rc::downgrade(&open));
        Self { id, request }
    }

    /// Decides on the request.
    pub(crate) fn request_headers(&mut self) -> Action {
        self.request.shielded(Request::decide)
    }

    /// Body and trailers pass if the headers did. They must not do so otherwise: going on with a later part of a
    /// request would release its headers, too.
    pub(crate) fn rest_of_request(&mut self) -> Action {
        match *self.request.state.borrow() {
            State::Allowed { .. } => return Action::Continue,
            State::Refused => return Action::Pause,
            State::New => {}
        }
        // A host that skips the first callback does not get around the policy.
        self.request.shielded(Request::decide)
    }
}

impl<H: Host> Drop for HttpFilter<H> {
    fn drop(&mut self) {
        self.request.vm.live.remove(self.id);
    }
}

impl<H: Host> Open for Request<H> {
    fn is_outdated(&self) -> bool {
        let newest = || self.plugin.as_ref().and_then(|plugin| plugin.latest());
        match &*self.state.borrow() {
            State::Allowed { generation, .. } => newest().is_some_and(|policy| policy.generation != *generation),
            State::New | State::Refused => false,
        }
    }

    fn judge_again(&self) {
        self.shielded(Self::decide_again);
    }
}

impl<H: Host> Request<H> {
    fn shielded(&self, body: impl FnOnce(&Self) -> Action) -> Action {
        self.vm.shield(|| body(self)).unwrap_or_else(|| {
            self.state.replace(State::Refused);
            self.vm
                .shield(|| self.refuse(None, None, &Refusal::InternalError.into()));
            Action::Pause
        })
    }

    fn decide(&self) -> Action {
        #[cfg(feature = "fault-injection")]
        fault::inject(&self.vm.host);
        let current = mem::take(&mut *self.current.borrow_mut());
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
            self.allow(policy, Ok(Rc::new(question)), &outcome)
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

    fn allow(&self, policy: &Policy, basis: Basis, outcome: &Outcome) -> Action {
        let host = &self.vm.host;
        let case = match &basis {
            Ok(question) => question.case(Some(policy)),
            Err(_) => Case::request(Some(policy)),
        };
        case.show(&self.vm, outcome);
        match &basis {
            Ok(question) => tell_guard(host, question.position.guard(), Word::Allow),
            // Nobody knows which of them it will meet.
            Err(_) => [HTTP_GUARD, UPSTREAM_GUARD]
                .iter()
                .for_each(|guard| tell_guard(host, guard, Word::Allow)),
        }
        case.count(&self.vm, outcome);
        self.state.replace(State::Allowed {
            basis,
            generation: policy.generation,
            told_would: policy.has_audit(),
        });
        if self.is_outdated() {
            // A policy is arriving, and the HTTP filters of Envoy are behind its network filters.
            let _ = host.tick_every(SOON_MILLISECONDS);
        }
        Action::Continue
    }

    /// With the policy that was asked and the question that it was asked, as far as it came to that.
    fn refuse(&self, policy: Option<&Policy>, question: Option<&Question>, outcome: &Outcome) -> Action {
        let host = &self.vm.host;
        self.state.replace(State::Refused);
        tell_guard(
            host,
            question.map_or(HTTP_GUARD, |question| question.position.guard()),
            Word::Deny,
        );
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

    /// Asks the newest policy about a request that an earlier one allowed, and that is not over.
    fn decide_again(&self) -> Action {
        let (basis, told_would) = match &*self.state.borrow() {
            State::Allowed { basis, told_would, .. } => (basis.clone(), *told_would),
            State::New | State::Refused => return Action::Pause,
        };
        let Some(policy) = self.plugin.as_ref().and_then(|plugin| plugin.latest()) else {
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
                return self.refuse(Some(&policy), basis.as_deref().ok(), &outcome);
            }
        }
        self.state.replace(State::Allowed {
            basis,
            generation: policy.generation,
            told_would,
        });
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

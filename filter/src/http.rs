//! The HTTP filter: decides on each request, with what the network filter knows of its connection.

use core::mem;
use std::rc::Rc;

use policy_core::{Destination, HeaderChange, HttpFacts, HttpRequest, Scope};

use crate::{
    authority, changes,
    facts::{ConnectionDestination, ConnectionFacts},
    headers::Headers,
    host::{Action, Host, LocalReply, Stream},
    metrics::Layer,
    path,
    policy::{Asked, Current, Policy},
    report::{HTTP_GUARD, Outcome, Refusal, tell_guard},
    sni::server_name,
    vm::Vm,
};

const FORBIDDEN: u32 = 403;
const PERMISSION_DENIED: i32 = 7;
const BODY: &[u8] = b"Access denied\r\n";

/// What the policy says to a request.
struct Answer {
    outcome: Outcome,
    /// Empty unless the request is allowed.
    changes: Vec<HeaderChange>,
}

/// One request.
pub(crate) struct HttpFilter<H> {
    vm: Rc<Vm<H>>,
    /// What is in force; given back once it was asked, or a long request would keep its policy in memory. To ask it
    /// twice is to find none, which is a denial.
    current: Current,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    New,
    Allowed,
    Refused,
}

impl<H: Host> HttpFilter<H> {
    pub(crate) fn new(vm: Rc<Vm<H>>, current: Current) -> Self {
        Self {
            vm,
            current,
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
            State::Allowed => Action::Continue,
            State::Refused => Action::Pause,
            // A host that skips the first callback does not get around the policy.
            State::New => self.shielded(Self::decide),
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
        #[cfg(feature = "fault-injection")]
        fault::inject(&self.vm.host);
        let (scope, Answer { outcome, changes }) = match self.facts_and_answer() {
            Ok((scope, answer)) => (Some(scope), answer),
            Err(refusal) => (None, refusal.into()),
        };
        let outcome = match changes::apply(&self.vm.host, &changes, outcome.rule()) {
            Ok(()) => outcome,
            Err(refusal) => Outcome::from(refusal).with_rule(outcome.rule().cloned()),
        };
        if outcome.allows() {
            self.allow(scope, &outcome)
        } else {
            self.refuse(scope, &outcome)
        }
    }

    fn facts_and_answer(&mut self) -> Result<(Scope, Answer), Refusal> {
        let current = mem::take(&mut self.current);
        let policy = current.policy()?;
        let facts = ConnectionFacts::take_over(&self.vm.host, policy.settings)?;
        Ok((facts.scope, answer(&self.vm.host, policy, &facts)))
    }

    fn allow(&mut self, scope: Option<Scope>, outcome: &Outcome) -> Action {
        let host = &self.vm.host;
        outcome.show(host);
        tell_guard(host, HTTP_GUARD, true);
        self.vm.metrics.count_verdict(host, scope, Layer::L7, true);
        self.state = State::Allowed;
        Action::Continue
    }

    fn refuse(&mut self, scope: Option<Scope>, outcome: &Outcome) -> Action {
        let host = &self.vm.host;
        self.state = State::Refused;
        tell_guard(host, HTTP_GUARD, false);
        outcome.show(host);
        let reply = LocalReply {
            status: FORBIDDEN,
            details: &outcome.details(),
            body: BODY,
            grpc_status: PERMISSION_DENIED,
        };
        if host.reply(&reply).is_err() {
            // Without an answer, the client learns at least that there will be none.
            let _ = host.close(Stream::HttpRequest);
        }
        self.vm.metrics.count_verdict(host, scope, Layer::L7, false);
        Action::Pause
    }
}

impl<T: Into<Outcome>> From<T> for Answer {
    fn from(outcome: T) -> Self {
        Self {
            outcome: outcome.into(),
            changes: Vec::new(),
        }
    }
}

/// What the policy says to the request. Its headers are fetched once, and only if they matter: that is the most
/// expensive thing to ask of the host.
fn answer<H: Host>(host: &H, policy: &Policy, facts: &ConnectionFacts) -> Answer {
    match facts.destination {
        ConnectionDestination::Address(address) => {
            let asked = policy.admit(&facts.to(Destination::Address(address), facts.port), facts.scope);
            if looks_at_requests(&asked) {
                with_headers(host, |headers| judge(host, &asked, headers))
            } else {
                // The same for every request, so it may as well be one without anything.
                let server_name = server_name(host, &asked);
                asked.request(server_name.as_deref(), &HttpRequest::default()).into()
            }
        }
        ConnectionDestination::Authority => with_headers(host, |headers| {
            let Some((destination, port)) = headers.authority().and_then(|text| authority::parse(text, facts.port))
            else {
                return Refusal::BadAuthority.into();
            };
            let asked = policy.admit(&facts.to(destination, port), facts.scope);
            judge(host, &asked, headers)
        }),
    }
}

fn looks_at_requests(asked: &Asked) -> bool {
    asked.inspects_http() || asked.changes_headers()
}

/// Where rules look at requests, they must see what the server will see.
fn judge<H: Host>(host: &H, asked: &Asked, headers: &Headers) -> Answer {
    if looks_at_requests(asked) && headers.path().is_some_and(path::is_ambiguous) {
        return Refusal::AmbiguousPath.into();
    }
    let server_name = server_name(host, asked);
    let verdict = asked.request(server_name.as_deref(), headers);
    let changes = if verdict.allows() && asked.changes_headers() {
        asked.header_changes(headers)
    } else {
        Vec::new()
    };
    Answer {
        outcome: verdict.into(),
        changes,
    }
}

fn with_headers<H: Host>(host: &H, decide: impl FnOnce(&Headers) -> Answer) -> Answer {
    match host.request_headers().ok().and_then(Headers::new) {
        Some(headers) => decide(&headers),
        None => Refusal::NoHeaders.into(),
    }
}

/// A panic on demand, for the tests that show that it becomes a denial.
#[cfg(feature = "fault-injection")]
mod fault {
    use super::{Headers, Host, HttpFacts};

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

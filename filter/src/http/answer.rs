//! What the policy says to a request.

use core::net::IpAddr;
use std::rc::Rc;

use policy_core::{Destination, HeaderChange, HttpFacts, HttpRequest, Verdict, View};

use crate::{
    authority,
    case::Case,
    facts::{self, ConnectionDestination, ConnectionFacts},
    headers::Headers,
    host::Host,
    path::{self, Readings},
    policy::{Asked, KnownConnection, Policy},
    report::{HTTP_GUARD, Outcome, Refusal, UPSTREAM_GUARD},
    sni::server_name,
};

/// All that a verdict on a request depends on, but the policy. Kept, because the host forgets the headers.
pub(super) struct Question {
    pub(super) facts: Rc<ConnectionFacts>,
    /// `None` if the host does not give them.
    pub(super) headers: Option<Headers>,
    pub(super) position: Position,
}

/// Where among the filters of a request the plugin runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Position {
    Downstream,
    /// Behind the load balancer, which chose this address.
    Upstream(IpAddr, Option<u16>),
}

impl Position {
    pub(super) fn of<H: Host>(host: &H, facts: &ConnectionFacts) -> Result<Self, Refusal> {
        if facts.destination != ConnectionDestination::Upstream {
            return Ok(Self::Downstream);
        }
        let chosen = facts::upstream(host)?;
        Ok(chosen.map_or(Self::Downstream, |(address, port)| Self::Upstream(address, port)))
    }

    pub(super) fn guard(self) -> &'static str {
        match self {
            Self::Downstream => HTTP_GUARD,
            Self::Upstream(..) => UPSTREAM_GUARD,
        }
    }
}

/// Where a request goes.
pub(super) enum Target<'a> {
    At(Destination<'a>, u16),
    /// Wherever the load balancer sends it.
    ChosenLater,
}

impl Question {
    /// Where the request goes, or why that is not to be known.
    pub(super) fn target(&self) -> Result<Target<'_>, Refusal> {
        let port = self.facts.port;
        let (address, port) = match (self.facts.destination, self.position) {
            (ConnectionDestination::Address(address), _) => (address, port),
            (ConnectionDestination::Upstream, Position::Upstream(address, chosen)) => (address, port.or(chosen)),
            (ConnectionDestination::Upstream, Position::Downstream) => return Ok(Target::ChosenLater),
            (ConnectionDestination::Authority, _) => {
                let headers = self.headers.as_ref().ok_or(Refusal::NoHeaders)?;
                let authority = headers.authority();
                let parsed = authority.and_then(|text| authority::parse(text, port.unwrap_or_default()));
                let (destination, port) = parsed.ok_or(Refusal::BadAuthority)?;
                return Ok(Target::At(destination, port));
            }
        };
        let port = port.ok_or(Refusal::UnknownDestination)?;
        Ok(Target::At(Destination::Address(address), port))
    }

    /// What a verdict on the request is about.
    pub(super) fn case<'a>(&'a self, policy: Option<&'a Policy>) -> Case<'a> {
        Case {
            facts: Some(&self.facts),
            destination: match self.target() {
                Ok(Target::At(destination, port)) => Some((destination, port)),
                Ok(Target::ChosenLater) | Err(_) => None,
            },
            request: self.headers.as_ref(),
            ..Case::request(policy)
        }
    }
}

/// What the policy says to a request.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    /// Empty unless the request is allowed.
    pub(super) changes: Vec<HeaderChange>,
}

impl<T: Into<Outcome>> From<T> for Answer {
    fn from(outcome: T) -> Self {
        Self {
            outcome: outcome.into(),
            changes: Vec::new(),
        }
    }
}

/// What the policies in effect say to the request and, if some are in audit mode, what all of them would say. What the
/// policy has said to its connection is found there, if that is given.
pub(super) fn answer<H: Host>(
    host: &H,
    policy: &Policy,
    question: &Question,
    connection: Option<&KnownConnection>,
) -> Answer {
    let enforced = || answer_as(View::Enforced, host, policy, question, connection);
    if !policy.has_audit() {
        return enforced();
    }
    let would = answer_as(View::Would, host, policy, question, None).outcome;
    let Answer { outcome, changes } = match policy.only_audits() {
        true => Outcome::audited().into(),
        false => enforced(),
    };
    Answer {
        outcome: outcome.with_would(would),
        changes,
    }
}

#[inline(never)]
fn answer_as<H: Host>(
    view: View,
    host: &H,
    policy: &Policy,
    question: &Question,
    connection: Option<&KnownConnection>,
) -> Answer {
    match question.target() {
        Err(refusal) => refusal.into(),
        Ok(Target::At(destination, port)) => {
            let facts = &question.facts;
            let ask = || policy.admit(view, &facts.to(destination, port), facts.scope);
            // It is the connection that says so, or else each request.
            match connection.filter(|_| facts.address_and_port().is_some()) {
                Some(connection) => {
                    let asked = connection.asked.get_or_init(ask);
                    answer_of(asked, host, policy, question.headers.as_ref())
                }
                None => answer_of(&ask(), host, policy, question.headers.as_ref()),
            }
        }
        Ok(Target::ChosenLater) => match policy.source_problem(&question.facts) {
            Some(reason) => Verdict::refusal(reason).into(),
            None => Outcome::left_to_upstream().into(),
        },
    }
}

fn answer_of<H: Host>(asked: &Asked, host: &H, policy: &Policy, headers: Option<&Headers>) -> Answer {
    let server_name = server_name(host, asked);
    if !asked.inspects_http() && !asked.changes_headers() {
        // The same for every request, so it may as well be one without anything.
        return asked.request(server_name.as_deref(), &HttpRequest::default()).into();
    }
    match headers {
        Some(headers) => judge(asked, server_name.as_deref(), headers, policy.settings.readings),
        None => Refusal::NoHeaders.into(),
    }
}

/// Where rules look at requests, they must see what the server will see.
fn judge(asked: &Asked, server_name: Option<&[u8]>, headers: &Headers, readings: Readings) -> Answer {
    let doubtful = headers.path().filter(|path| !path::is_plain(path, readings));
    if doubtful.is_some_and(path::is_ambiguous) {
        return Refusal::AmbiguousPath.into();
    }
    let verdict = asked.request(server_name, headers);
    if !verdict.allows() {
        return verdict.into();
    }
    let other_readings = doubtful.map(|path| path::variants(path, readings));
    for path in other_readings.iter().flatten() {
        if !asked.request(server_name, &ReadAs { headers, path }).allows() {
            return Outcome::from(Refusal::AmbiguousPath).with_rule(verdict.rule).into();
        }
    }
    let changes = if asked.changes_headers() {
        asked.header_changes(headers)
    } else {
        Vec::new()
    };
    Answer {
        outcome: verdict.into(),
        changes,
    }
}

/// A request, as a server sees it that reads the path in its own way.
struct ReadAs<'a> {
    headers: &'a Headers,
    path: &'a [u8],
}

impl HttpFacts for ReadAs<'_> {
    fn method(&self) -> Option<&[u8]> {
        self.headers.method()
    }

    fn path(&self) -> Option<&[u8]> {
        Some(self.path)
    }

    fn authority(&self) -> Option<&[u8]> {
        self.headers.authority()
    }

    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        self.headers.header_values(name, each);
    }
}

//! What the policy says to a connection.

use policy_core::{Destination, HttpRequest, Verdict, View};

use crate::{
    facts::{Chain, ConnectionDestination, ConnectionFacts},
    host::Host,
    policy::{Asked, Policy},
    report::{Outcome, Refusal},
    sni::server_name,
};

/// What the policy says to a connection.
pub(super) enum Ruling {
    Decided(Outcome),
    /// Nothing speaks against the connection; what counts is each of its requests.
    LeftToHttp(Outcome),
}

impl Ruling {
    fn left_to_http() -> Self {
        Self::LeftToHttp(Outcome::left_to_http())
    }

    /// What passes only because all policies are in audit mode.
    pub(super) fn audited(chain: Chain, would: Outcome) -> Self {
        match chain {
            Chain::Http => Self::left_to_http(),
            Chain::Tcp => Self::Decided(Outcome::audited()),
        }
        .with_would(would)
    }

    fn with_would(self, would: Outcome) -> Self {
        match self {
            Self::Decided(outcome) => Self::Decided(outcome.with_would(would)),
            Self::LeftToHttp(outcome) => Self::LeftToHttp(outcome.with_would(would)),
        }
    }
}

/// What the policies in effect say and, if some are in audit mode, what all of them would say.
pub(super) fn rule_on<H: Host>(host: &H, policy: &Policy, facts: &ConnectionFacts, chain: Chain) -> Ruling {
    if !policy.has_audit() {
        return rule_as(View::Enforced, host, policy, facts, chain);
    }
    let (Ruling::Decided(would) | Ruling::LeftToHttp(would)) = rule_as(View::Would, host, policy, facts, chain);
    if policy.only_audits() {
        Ruling::audited(chain, would)
    } else {
        rule_as(View::Enforced, host, policy, facts, chain).with_would(would)
    }
}

/// On a chain where nobody looks at requests, whatever depends on a request is denied.
#[inline(never)]
fn rule_as<H: Host>(view: View, host: &H, policy: &Policy, facts: &ConnectionFacts, chain: Chain) -> Ruling {
    let address = match (facts.destination, chain) {
        (ConnectionDestination::Address(address), _) => address,
        (_, Chain::Tcp) => return Ruling::Decided(Refusal::HttpRequired.into()),
        (ConnectionDestination::Authority | ConnectionDestination::Upstream, Chain::Http) => {
            return rule_on_source(policy, facts);
        }
    };
    let Some(port) = facts.port else {
        return Ruling::Decided(Refusal::UnknownDestination.into());
    };
    let asked = policy.admit(view, &facts.to(Destination::Address(address), port), facts.scope);
    let verdict = asked.verdict();
    if !verdict.allows() {
        return Ruling::Decided(verdict.into());
    }
    let server_name = server_name(host, &asked);
    let handshake = asked.handshake(server_name.as_deref());
    match chain {
        // Envoy itself may end TLS here, and then nobody knows the name yet; requests are judged with it.
        Chain::Http if handshake.allows() || server_name.is_none() => Ruling::left_to_http(),
        Chain::Tcp if handshake.allows() => unseen(&asked, server_name.as_deref(), handshake),
        Chain::Http | Chain::Tcp => Ruling::Decided(handshake.into()),
    }
}

/// Where the destination comes with the request, all there is to ask is whether somebody's policy will decide.
fn rule_on_source(policy: &Policy, facts: &ConnectionFacts) -> Ruling {
    match policy.source_problem(facts) {
        Some(reason) => Ruling::Decided(Verdict::refusal(reason).into()),
        None => Ruling::left_to_http(),
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

//! What the policy says to a connection.

use policy_core::{Destination, HttpRequest, Verdict};

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
    LeftToHttp,
}

/// On a chain where nobody looks at requests, whatever depends on a request is denied.
pub(super) fn rule_on<H: Host>(host: &H, policy: &Policy, facts: &ConnectionFacts, chain: Chain) -> Ruling {
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
    let asked = policy.admit(&facts.to(Destination::Address(address), port), facts.scope);
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

/// Where the destination comes with the request, all there is to ask is whether somebody's policy will decide.
fn rule_on_source(policy: &Policy, facts: &ConnectionFacts) -> Ruling {
    match policy.source_problem(facts) {
        Some(reason) => Ruling::Decided(Verdict::refusal(reason).into()),
        None => Ruling::LeftToHttp,
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

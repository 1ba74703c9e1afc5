//! Who is at the ends of a connection, for people and logs. No verdict depends on it.

use core::net::IpAddr;

use policy_core::{Destination, Engine, Labels, Scope, Source};

use crate::{
    claim::Claim,
    facts::{ConnectionFacts, LocalWorkload},
    host::Host,
    policy::Policy,
};

const SOURCE: &str = "portcullis_source";
const DESTINATION: &str = "portcullis_destination";

/// The length of an identity in words, in bytes.
const MAX_WORDS: usize = 256;

/// Who is at one end, as far as it is known.
#[derive(Clone, Copy, Default)]
pub(crate) struct Who<'a> {
    pub(crate) address: Option<IpAddr>,
    /// The endpoint there, `namespace/name`.
    pub(crate) endpoint: Option<&'a str>,
    /// What is said of it, if no endpoint is known.
    pub(crate) claim: Option<&'a Claim>,
    /// The name that Envoy resolves.
    pub(crate) name: Option<&'a [u8]>,
    /// The labels of its identity, unless something else says who it is.
    pub(crate) labels: Option<&'a Labels>,
}

impl<'a> Who<'a> {
    /// Who opened the connection.
    pub(crate) fn source(engine: &'a Engine, facts: &'a ConnectionFacts) -> Self {
        if let Some(workload) = facts.workload.as_ref().filter(|_| facts.scope == Scope::Egress) {
            return Self {
                address: facts.source,
                ..Self::workload(engine, workload)
            };
        }
        let claimed = || facts.claim.as_ref().and_then(|claim| claim.address);
        let of_endpoint = |address: &IpAddr| engine.endpoint_at(*address).is_some();
        let owner = facts
            .source
            .filter(of_endpoint)
            .or_else(|| claimed().filter(of_endpoint));
        match (owner, &facts.claim) {
            (None, Some(claim)) => Self {
                address: facts.source,
                claim: Some(claim),
                ..Self::default()
            },
            (Some(owner), _) => Self {
                address: facts.source,
                ..Self::at(engine, owner)
            },
            (None, None) => facts
                .source
                .map_or_else(Self::default, |source| Self::at(engine, source)),
        }
    }

    /// Where the connection goes, or one of its requests.
    pub(crate) fn destination(engine: &'a Engine, facts: &'a ConnectionFacts, destination: Destination<'a>) -> Self {
        let address = match destination {
            Destination::Address(address) => Some(address),
            Destination::Name(_) | Destination::Unknown => None,
        };
        if let Some(workload) = facts.workload.as_ref().filter(|_| facts.scope == Scope::Ingress) {
            return Self {
                address,
                ..Self::workload(engine, workload)
            };
        }
        match destination {
            Destination::Address(address) => Self::at(engine, address),
            Destination::Name(name) => Self {
                name: Some(name),
                ..Self::default()
            },
            Destination::Unknown => Self::default(),
        }
    }

    fn workload(engine: &'a Engine, workload: &'a LocalWorkload) -> Self {
        match workload {
            LocalWorkload::Address(address) => Self::at(engine, *address),
            LocalWorkload::Endpoint(name) => Self {
                endpoint: Some(name),
                labels: engine.endpoint(name).map(|identity| engine.labels(identity)),
                ..Self::default()
            },
        }
    }

    fn at(engine: &'a Engine, address: IpAddr) -> Self {
        Self {
            address: Some(address),
            endpoint: engine.endpoint_at(address),
            labels: Some(engine.labels(engine.identity_of(address))),
            ..Self::default()
        }
    }

    /// `namespace/name` of an endpoint, the words of a claim, a DNS name, or the labels that tell it from others, like
    /// `reserved:world`; `unknown` if nothing is known. Bounded.
    fn words(&self) -> String {
        let mut words = match (self.endpoint, self.claim, self.name) {
            (Some(endpoint), ..) => endpoint.to_owned(),
            (None, Some(claim), _) => match (&claim.namespace, &claim.pod) {
                (Some(namespace), Some(pod)) => [namespace, "/", pod].concat(),
                _ => claim.to_string(),
            },
            (None, None, Some(name)) => String::from_utf8_lossy(name).into_owned(),
            (None, None, None) => self.distinguishing_labels(),
        };
        words.truncate(words.floor_char_boundary(MAX_WORDS));
        words
    }

    /// Those that the engine gives: of nodes and of addresses outside. If it gives none, all of them.
    fn distinguishing_labels(&self) -> String {
        let all = || self.labels.into_iter().flat_map(Labels::iter);
        let of_engine = all().filter(|label| label.source().as_str() != Source::K8S);
        let mut labels: Vec<String> = of_engine.map(ToString::to_string).collect();
        if labels.is_empty() {
            labels = all().map(ToString::to_string).collect();
        }
        if labels.is_empty() {
            return "unknown".to_owned();
        }
        labels.join(",")
    }
}

/// Writes for access logs who opened the connection.
pub(crate) fn show_source<H: Host>(host: &H, policy: &Policy, facts: &ConnectionFacts) {
    let source = Who::source(&policy.engine, facts).words();
    let _ = host.set_state(SOURCE, source.as_bytes());
}

/// Writes for access logs where the connection or the request goes.
pub(crate) fn show_destination<H: Host>(
    host: &H,
    policy: &Policy,
    facts: &ConnectionFacts,
    destination: Destination<'_>,
) {
    let destination = Who::destination(&policy.engine, facts, destination).words();
    let _ = host.set_state(DESTINATION, destination.as_bytes());
}

#[cfg(test)]
mod tests;

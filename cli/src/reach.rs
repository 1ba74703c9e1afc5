//! Who can reach whom: the finite set of flows that policies can tell apart, and the engine's verdict on each.
//!
//! A [`Space`] is made of one or several policy sets. Its [parties](Party) are classes of workloads and of peers
//! without one; its [ports](PortClass) are all ports, cut where a rule begins or ends; its [probes](Probe) are what a
//! connection may show. Two flows between the same parties, on ports of the same class, have the same verdict from
//! every policy that was looked at, so one of them is [asked](Space::ask) for all.
//!
//! The probes are the one part that is not exact: rules on requests are regular expressions, and the probes are
//! examples by which those of the policies can be told apart.

mod automaton;
mod cell;
mod describe;
mod include;
mod observer;
mod outside;
mod party;
mod patterns;
mod ports;
mod probe;
mod sample;
#[cfg(test)]
pub(crate) mod tests;

use anyhow::Result;
use policy_core::{Bundle, Engine};

pub(crate) use cell::{Asked, Outcome, Passing, Reach, Why};
pub(crate) use describe::{MessageRule, rules_on_messages};
pub(crate) use include::includes;
pub(crate) use party::{Group, Party};
pub(crate) use ports::PortClass;
pub(crate) use probe::{Kind, Probe};

/// All flows that some policies can tell apart.
pub(crate) struct Space {
    pub(crate) parties: Vec<Party>,
    pub(crate) ports: Vec<PortClass>,
    /// The first shows nothing.
    pub(crate) probes: Vec<Probe>,
    /// Workloads that one of the bundles has and another has not: they are no parties. By bundle.
    pub(crate) not_shared: Vec<Vec<String>>,
    mentions_authentication: bool,
    engines: Vec<Engine>,
}

impl Space {
    /// Looks at the policies of all bundles. They share what is known of names: who has which address is no policy.
    ///
    /// An error is a fault of this program: compiled bundles are valid.
    pub(crate) fn new(mut bundles: Vec<Bundle>) -> Result<Self> {
        outside::share_names(&mut bundles);
        let outsiders = outside::outsiders(&bundles);
        let ports = ports::classes(&bundles);
        let probes = probe::probes(&bundles);
        let not_shared = party::not_shared(&bundles);
        let mentions_authentication = bundles.iter().any(patterns::mention_authentication);
        let (parties, engines) = party::parties(bundles, outsiders)?;
        Ok(Self {
            parties,
            ports,
            probes,
            not_shared,
            mentions_authentication,
            engines,
        })
    }
}

//! What both sides say to one flow: by peer and port, and to everything that the connection may show.

use policy_core::{AddressFacts, Admission, Connection, Direction, Engine, Reason, RuleRef, Scope, Verdict};
use serde::Serialize;

use super::{PortClass, Probe, Space, probe::Kind};

/// How much of the traffic between two parties passes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reach {
    /// Neither of them is in the cluster: no policy is asked.
    Unasked,
    None,
    /// Connections pass, but not everything on them.
    Some,
    All,
}

/// What one side says to the connection, or both together.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Why {
    pub(crate) allows: bool,
    pub(crate) direction: Option<Direction>,
    pub(crate) reason: Reason,
    /// The rule that decided. For a default deny, the first that isolates.
    pub(crate) rule: Option<RuleRef>,
}

impl From<Verdict> for Why {
    fn from(verdict: Verdict) -> Self {
        Self {
            allows: verdict.allows(),
            direction: verdict.direction,
            reason: verdict.reason,
            rule: verdict.rule,
        }
    }
}

/// Something that passes where not everything does, and the rule that lets it pass.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Passing {
    /// The rule in its own words: `GET /metrics`.
    pub(crate) what: String,
    pub(crate) rule: Option<RuleRef>,
}

/// The answer to one cell.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Outcome {
    pub(crate) reach: Reach,
    /// `None` if the source is not in the cluster.
    pub(crate) egress: Option<Why>,
    /// `None` if the destination is not in the cluster.
    pub(crate) ingress: Option<Why>,
    /// For [`Reach::Some`]: the rules whose examples pass.
    pub(crate) passing: Vec<Passing>,
    /// The authentication that the rules ask for.
    pub(crate) authentication: Option<&'static str>,
}

/// One flow between two parties under one of the policies, asked of the engine.
pub(crate) struct Asked<'a> {
    proven: Admission,
    unproven: Admission,
    probes: &'a [Probe],
}

impl Space {
    /// Asks both sides, as [`Scope::Both`] does. `bundle` is one of those that the space was made of.
    pub(crate) fn ask(&self, bundle: usize, from: usize, to: usize, port: &PortClass) -> Option<Asked<'_>> {
        let engine: &Engine = self.engines.get(bundle)?;
        let address = |party: usize| self.parties.get(party)?.addresses.get(bundle).copied();
        let (source, destination) = (address(from), address(to));
        let facts = AddressFacts {
            authenticated: true,
            ..AddressFacts::new(source, destination, port.sample.protocol, port.sample.number)
        };
        let proven = engine.admit(&facts, Scope::Both);
        let unproven = match self.mentions_authentication {
            true => engine.admit(
                &AddressFacts {
                    authenticated: false,
                    ..facts
                },
                Scope::Both,
            ),
            false => proven.clone(),
        };
        Some(Asked {
            proven,
            unproven,
            probes: &self.probes,
        })
    }
}

impl Asked<'_> {
    /// The verdict on one thing that the connection shows.
    pub(crate) fn judge(&self, probe: &Probe) -> Verdict {
        let admission = if probe.authenticated {
            &self.proven
        } else {
            &self.unproven
        };
        let content = &probe.content;
        content.with_carried(|carried| admission.judge(content.server_name(), carried))
    }

    /// What each side that is asked says to one thing that the connection shows, the source before the destination.
    pub(crate) fn sides(&self, probe: &Probe) -> Vec<(Direction, Why)> {
        let admission = if probe.authenticated {
            &self.proven
        } else {
            &self.unproven
        };
        let content = &probe.content;
        let judge = |side: &Connection| {
            let verdict = content.with_carried(|carried| side.judge(content.server_name(), carried));
            (side.direction(), Why::from(verdict))
        };
        admission.sides().iter().map(judge).collect()
    }

    /// What the rules look into, beyond peer and port.
    pub(crate) fn looks_into(&self) -> Vec<Kind> {
        let verdict = self.proven.verdict();
        if !verdict.allows() || !verdict.proxied {
            return Vec::new();
        }
        let (tls, http) = (self.proven.inspects_tls(), self.proven.inspects_http());
        let mut kinds = Vec::new();
        kinds.extend(tls.then_some(Kind::Tls));
        kinds.extend(http.then_some(Kind::Http));
        if kinds.is_empty() {
            let readable = |kind: Kind| {
                let mut probes = self.probes.iter().filter(|probe| probe.kind == kind);
                probes.any(|probe| self.judge(probe).reason != Reason::WrongProtocol)
            };
            kinds.extend([Kind::Dns, Kind::Kafka].into_iter().filter(|kind| readable(*kind)));
        }
        kinds
    }

    /// The answer to the cell.
    pub(crate) fn outcome(&self) -> Outcome {
        let verdict = self.proven.verdict();
        let side = |direction| {
            let side = self.proven.sides().iter().find(|side| side.direction() == direction)?;
            Some(Why::from(side.verdict()))
        };
        let (egress, ingress) = (side(Direction::Egress), side(Direction::Ingress));
        let (reach, passing) = match verdict.allows() {
            _ if self.proven.sides().is_empty() => (Reach::Unasked, Vec::new()),
            false => (Reach::None, Vec::new()),
            true => self.passing(),
        };
        Outcome {
            reach,
            egress,
            ingress,
            passing,
            authentication: verdict.authentication.map(|mode| mode.as_str()),
        }
    }

    fn passing(&self) -> (Reach, Vec<Passing>) {
        let kinds = self.looks_into();
        let relevant = self
            .probes
            .iter()
            .filter(|probe| probe.authenticated && kinds.contains(&probe.kind));
        let mut all = true;
        let mut passing = Vec::new();
        for probe in relevant {
            let verdict = self.judge(probe);
            all &= verdict.allows();
            if let Some(what) = probe.rule.clone().filter(|_| verdict.allows()) {
                passing.push(Passing {
                    what,
                    rule: verdict.rule,
                });
            }
        }
        passing.sort();
        passing.dedup();
        match all {
            true => (Reach::All, Vec::new()),
            false => (Reach::Some, passing),
        }
    }
}

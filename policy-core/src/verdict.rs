//! Verdicts: what was decided, at which layer, why, and by which rule.

use alloc::rc::Rc;
use core::fmt;

use crate::{bundle::Authentication, flow::Direction};

/// What to do with a flow or a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Decision {
    /// Let it pass.
    Allow,
    /// Refuse it.
    Deny,
    /// Refuse it, because the policies of the endpoint contradict each other.
    Conflict,
}

impl Decision {
    /// `allow`, `deny` or `conflict`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Conflict => "conflict",
        }
    }
}

/// Where a verdict was reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Layer {
    /// By addresses alone: the flow never got as far as its port.
    L3,
    /// By peer, protocol and port.
    L4,
    /// By what the connection carries.
    L7,
}

impl Layer {
    /// `l3`, `l4` or `l7`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::L3 => "l3",
            Self::L4 => "l4",
            Self::L7 => "l7",
        }
    }
}

/// Why a verdict is what it is. The codes of [`Reason::as_str`] are stable; the sentences of `Display` are for people.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// An allow rule matches.
    AllowedByRule,
    /// No policy has a rule for the endpoint in this direction.
    NotIsolated,
    /// Policies have rules for the endpoint in this direction, but none of them denies by default.
    NotDefaultDeny,
    /// The endpoint's own host may always connect.
    HostAllowed,
    /// Enforcement is switched off.
    EnforcementNever,
    /// All policies are in audit mode: whatever they say, it passes.
    Audited,
    /// A deny rule matches.
    DeniedByRule,
    /// The endpoint is isolated and no allow rule matches.
    DefaultDeny,
    /// Rules allow the connection, but none of them this request.
    NoHttpRuleMatches,
    /// A rule wants to know which TLS server name the client asks for, and no rule allows this one.
    ServerNameNotAllowed,
    /// Rules allow the connection, but none of them this DNS query.
    NoDnsRuleMatches,
    /// Rules allow the connection, but none of them this Kafka request.
    NoKafkaRuleMatches,
    /// Rules look into the connection for another protocol than the one it carries.
    WrongProtocol,
    /// A rule asks for a proof of who the peer is.
    NotAuthenticated,
    /// Two rules of the endpoint's policies contradict each other.
    Conflict,
    /// What proves who the peer is contradicts its address.
    ContradictingIdentity,
    /// The side whose policy is asked is not an endpoint that the bundle knows.
    UnknownSubject,
    /// The destination is a service whose endpoints nobody knows.
    NoBackend,
    /// There is no policy yet.
    NoPolicy,
}

impl Reason {
    /// The code for logs, metrics and machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowedByRule => "allowed-by-rule",
            Self::NotIsolated => "not-isolated",
            Self::NotDefaultDeny => "not-default-deny",
            Self::HostAllowed => "host-allowed",
            Self::EnforcementNever => "enforcement-never",
            Self::Audited => "audited",
            Self::DeniedByRule => "denied-by-rule",
            Self::DefaultDeny => "default-deny",
            Self::NoHttpRuleMatches => "no-http-rule-matches",
            Self::ServerNameNotAllowed => "server-name-not-allowed",
            Self::NoDnsRuleMatches => "no-dns-rule-matches",
            Self::NoKafkaRuleMatches => "no-kafka-rule-matches",
            Self::WrongProtocol => "wrong-protocol",
            Self::NotAuthenticated => "not-authenticated",
            Self::Conflict => "conflict",
            Self::ContradictingIdentity => "contradicting-identity",
            Self::UnknownSubject => "unknown-subject",
            Self::NoBackend => "no-backend",
            Self::NoPolicy => "no-policy",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AllowedByRule => "a rule allows it",
            Self::NotIsolated => "no policy isolates the endpoint in this direction",
            Self::NotDefaultDeny => "no policy denies by default in this direction, and no deny rule matches",
            Self::HostAllowed => "the endpoint's own host may always connect",
            Self::EnforcementNever => "enforcement is switched off",
            Self::Audited => "all policies are in audit mode, so none has an effect",
            Self::DeniedByRule => "a rule denies it",
            Self::DefaultDeny => "the endpoint is isolated in this direction and no rule allows it",
            Self::NoHttpRuleMatches => "rules allow the connection, but none of them this request",
            Self::ServerNameNotAllowed => "rules allow the connection, but none of them this TLS server name",
            Self::NoDnsRuleMatches => "rules allow the connection, but none of them this DNS query",
            Self::NoKafkaRuleMatches => "rules allow the connection, but none of them this Kafka request",
            Self::WrongProtocol => "rules look into the connection for another protocol than the one it carries",
            Self::NotAuthenticated => "a rule asks the peer to prove who it is, and it did not",
            Self::Conflict => "two rules of the endpoint's policies contradict each other",
            Self::ContradictingIdentity => "what proves who the peer is contradicts its address",
            Self::UnknownSubject => "the endpoint whose policy is asked is not known",
            Self::NoBackend => "the service has no known endpoint",
            Self::NoPolicy => "there is no policy yet",
        })
    }
}

/// The place of a rule: `CiliumNetworkPolicy/empire/allow specs[2].ingress[0].toPorts[0].rules.http[0]`.
///
/// Cheap to clone; made when the policy is compiled, never while deciding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RuleRef(Rc<str>);

impl RuleRef {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The object: `CiliumNetworkPolicy/empire/allow`.
    pub fn object(&self) -> &str {
        self.0.split_once(' ').map_or(&*self.0, |(object, _)| object)
    }

    /// The field path in the object: `specs[2].ingress[0]`.
    pub fn path(&self) -> &str {
        self.0.split_once(' ').map_or("", |(_, path)| path)
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The answer to one question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// What to do.
    pub decision: Decision,
    /// Where it was decided.
    pub layer: Layer,
    /// Whether some rule wants to look into the connection: its requests are decided one by one.
    pub proxied: bool,
    /// The side whose policy decided, seen from its endpoint; `None` when no policy was asked.
    pub direction: Option<Direction>,
    /// Why.
    pub reason: Reason,
    /// The rule that decided. For a default deny, the first rule that isolates the endpoint.
    pub rule: Option<RuleRef>,
    /// For a conflict, the rule that contradicts `rule`.
    pub conflicts_with: Option<RuleRef>,
    /// How the rules ask the peer to prove who it is, if they do.
    pub authentication: Option<Authentication>,
}

impl Verdict {
    /// Whether the flow or request may pass.
    pub fn allows(&self) -> bool {
        self.decision == Decision::Allow
    }

    /// Refused without asking any policy: the facts do not say whose policy it would be.
    pub fn refusal(reason: Reason) -> Self {
        Self::unasked(Decision::Deny, reason)
    }

    /// Let pass without asking any policy, since none has an effect.
    pub fn audited() -> Self {
        Self::unasked(Decision::Allow, Reason::Audited)
    }

    fn unasked(decision: Decision, reason: Reason) -> Self {
        Self {
            decision,
            layer: Layer::L3,
            proxied: false,
            direction: None,
            reason,
            rule: None,
            conflicts_with: None,
            authentication: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reference_has_an_object_and_a_path() {
        let rule = RuleRef::new("CiliumNetworkPolicy/empire/allow specs[2].ingress[0]");
        assert_eq!(
            (rule.object(), rule.path()),
            ("CiliumNetworkPolicy/empire/allow", "specs[2].ingress[0]")
        );
        let whole = RuleRef::new("CiliumNetworkPolicy/empire/allow");
        assert_eq!((whole.object(), whole.path()), ("CiliumNetworkPolicy/empire/allow", ""));
    }
}

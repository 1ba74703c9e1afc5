//! Outcomes, and how they become visible: filter state for the native guards and for access logs, reply details.

mod audit;

use std::borrow::Cow;

use policy_core::{Decision, Direction, Reason, RuleRef, Verdict};

use crate::{claim::Claim, host::Host};

/// Filter state that the native guard behind the network filter matches: `allow`, `deny` or `pending`.
pub(crate) const L4_GUARD: &str = "portcullis_l4";
/// Filter state that the native guard behind the HTTP filter matches: `allow` or `deny`.
///
/// It is another key than [`L4_GUARD`], because requests see the state of their connection.
pub(crate) const HTTP_GUARD: &str = "portcullis_http";

/// Filter state that the native guard behind the HTTP filter of the upstream matches: `allow` or `deny`.
pub(crate) const UPSTREAM_GUARD: &str = "portcullis_upstream";

const PEER: &str = "portcullis_peer";
const VERDICT: &str = "portcullis_verdict";
const REASON: &str = "portcullis_reason";
const RULE: &str = "portcullis_rule";

const ALLOWED_BY_RULE: &str = Reason::AllowedByRule.as_str();

/// A denial by the plugin itself, because policy could not be asked or its answer could not be enforced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// There is no policy yet.
    NoPolicy,
    /// The only configuration so far could not be brought into force.
    BrokenConfiguration,
    /// Neither the configuration nor the listener says whose policy to ask.
    UnknownDirection,
    /// The metadata of the listener has a value that nobody defined.
    BadListenerMetadata,
    /// The host does not tell an address of the connection, or not in words that are understood.
    UnknownAddress,
    /// The connection has no destination with a port.
    UnknownDestination,
    /// The proxy shall serve one workload, and the host does not tell which.
    UnknownWorkload,
    /// The certificate of the peer cannot be read, or proves more than one thing.
    AmbiguousCertificate,
    /// What a native filter says of the peer is not understood.
    UnreadableIdentity,
    /// Two of those who say who the peer is contradict each other.
    ContradictingIdentity,
    /// The verdict depends on HTTP requests, but on this listener nobody looks at them.
    HttpRequired,
    /// The network filter did not run on the connection of this request.
    NoConnectionFacts,
    /// The facts of the connection were read by other settings than those in force: it must be opened anew.
    OutdatedConnectionFacts,
    /// The host does not give the headers that the policy asks for.
    NoHeaders,
    /// The authority of the request is missing, or not one destination.
    BadAuthority,
    /// The server may take the path of the request for another one.
    AmbiguousPath,
    /// A rule wants to change a header that must stay as it is, or the host does not change it.
    UnchangeableHeader,
    /// The plugin failed; the log says how.
    InternalError,
}

impl Refusal {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NoPolicy => "no-policy",
            Self::BrokenConfiguration => "broken-configuration",
            Self::UnknownDirection => "unknown-direction",
            Self::BadListenerMetadata => "bad-listener-metadata",
            Self::UnknownAddress => "unknown-address",
            Self::UnknownDestination => "unknown-destination",
            Self::UnknownWorkload => "unknown-workload",
            Self::AmbiguousCertificate => "ambiguous-certificate",
            Self::UnreadableIdentity => "unreadable-identity",
            Self::ContradictingIdentity => Reason::ContradictingIdentity.as_str(),
            Self::HttpRequired => "http-required",
            Self::NoConnectionFacts => "no-connection-facts",
            Self::OutdatedConnectionFacts => "outdated-connection-facts",
            Self::NoHeaders => "no-headers",
            Self::BadAuthority => "bad-authority",
            Self::AmbiguousPath => "ambiguous-path",
            Self::UnchangeableHeader => "unchangeable-header",
            Self::InternalError => "internal-error",
        }
    }
}

/// What was decided and why, ready to be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    decision: Decision,
    /// The side whose policy decided, if one did.
    direction: Option<Direction>,
    reason: &'static str,
    rule: Option<RuleRef>,
    /// The rule that contradicts it, if that is why.
    conflicts_with: Option<RuleRef>,
    /// What would be decided if audit were off, if that may be something else.
    would: Option<Box<Outcome>>,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        Self {
            decision: verdict.decision,
            direction: verdict.direction,
            reason: verdict.reason.as_str(),
            rule: verdict.rule,
            conflicts_with: verdict.conflicts_with,
            would: None,
        }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self {
            decision: Decision::Deny,
            direction: None,
            reason: refusal.as_str(),
            rule: None,
            conflicts_with: None,
            would: None,
        }
    }
}

impl Outcome {
    /// Nothing speaks against a connection, and the HTTP filter decides on each request.
    pub(crate) fn left_to_http() -> Self {
        Self {
            reason: "left-to-http",
            ..Self::left_to_upstream()
        }
    }

    /// Nothing speaks against a request, and the filter behind the load balancer decides on it.
    pub(crate) fn left_to_upstream() -> Self {
        Self {
            decision: Decision::Allow,
            direction: None,
            reason: "left-to-upstream",
            rule: None,
            conflicts_with: None,
            would: None,
        }
    }

    pub(crate) fn allows(&self) -> bool {
        self.decision == Decision::Allow
    }

    /// The same denial, but with the rule that asked for it.
    pub(crate) fn with_rule(self, rule: Option<RuleRef>) -> Self {
        Self { rule, ..self }
    }

    /// Whether this is what a verdict says, whatever would be decided if audit were off.
    pub(crate) fn is(&self, verdict: &Verdict) -> bool {
        let would = self.would.clone();
        *self
            == Self {
                would,
                ..Self::from(verdict.clone())
            }
    }

    /// The side whose policy decided, if one did.
    pub(crate) fn direction(&self) -> Option<Direction> {
        self.direction
    }

    /// `allow`, `deny` or `conflict`.
    pub(crate) fn decision(&self) -> &'static str {
        self.decision.as_str()
    }

    /// The code of the reason.
    pub(crate) fn reason(&self) -> &'static str {
        self.reason
    }

    /// What decided, for counters: the object of a rule, or the reason if no rule did. The rule of a default deny only
    /// isolates.
    pub(crate) fn decided_by(&self) -> &str {
        match &self.rule {
            Some(rule) if self.reason != Reason::DefaultDeny.as_str() => rule.object(),
            Some(_) | None => self.reason,
        }
    }

    /// The rule that decided, if one did.
    pub(crate) fn rule(&self) -> Option<&RuleRef> {
        self.rule.as_ref()
    }

    /// The rules that decided: none, one, or two that contradict each other.
    pub(crate) fn rules(&self) -> Cow<'_, str> {
        match (&self.rule, &self.conflicts_with) {
            (Some(rule), Some(other)) => Cow::Owned(format!("{rule}; {other}")),
            (Some(rule), None) | (None, Some(rule)) => Cow::Borrowed(rule.as_str()),
            (None, None) => Cow::Borrowed(""),
        }
    }

    /// Writes the state that access logs show of an allowed request of which nothing was written before, in one piece
    /// where one says all: the guard's state is its verdict, and a rule that allows needs no other reason. Each piece
    /// costs every request.
    pub(crate) fn show_allowed<H: Host>(&self, host: &H) {
        let rule = self.rule.as_ref();
        if rule.is_none() || self.reason != ALLOWED_BY_RULE {
            let _ = host.set_state(REASON, self.reason.as_bytes());
        }
        if let Some(rule) = rule {
            let _ = host.set_state(RULE, rule.as_str().as_bytes());
        }
    }

    /// Writes all of the state that access logs show.
    ///
    /// Requests and their connection must not both do so: a request would overwrite the state of its connection, and
    /// with it what other requests on it show.
    pub(crate) fn show<H: Host>(&self, host: &H) {
        // State that cannot be written is missing in a log; the verdict does not depend on it.
        let _ = host.set_state(VERDICT, self.decision.as_str().as_bytes());
        let _ = host.set_state(REASON, self.reason.as_bytes());
        let _ = host.set_state(RULE, self.rules().as_bytes());
    }

    /// The details of a local reply: `portcullis_denied[<rules, else reason>]`, without blanks.
    pub(crate) fn details(&self) -> String {
        let rules = self.rules();
        let cause = if rules.is_empty() { self.reason } else { &rules };
        let blank = |c: char| if c.is_whitespace() || c.is_control() { '_' } else { c };
        let mut details = String::from("portcullis_denied[");
        details.extend(cause.chars().map(blank));
        details.push(']');
        details
    }
}

/// Writes for access logs what is known of the peer of a connection, if that is more than its address.
pub(crate) fn show_peer<H: Host>(host: &H, claim: Option<&Claim>) {
    if let Some(claim) = claim {
        let _ = host.set_state(PEER, claim.to_string().as_bytes());
    }
}

/// What a native guard is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    /// The only word that lets pass.
    Allow,
    Deny,
    /// There is no verdict yet, but the plugin is there: `tcp_proxy` may connect where a server speaks first.
    Pending,
}

/// Tells the native guard of this name. If that fails, the guard has nothing that says `allow`, and denies.
pub(crate) fn tell_guard<H: Host>(host: &H, guard: &str, word: Word) {
    let word: &[u8] = match word {
        Word::Allow => b"allow",
        Word::Deny => b"deny",
        Word::Pending => b"pending",
    };
    let _ = host.set_state(guard, word);
}

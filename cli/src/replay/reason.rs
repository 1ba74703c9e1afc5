//! The reasons that the plugin writes into logs: which of them are a policy's.

use policy_core::Reason;

use super::skip::{Skip, Why};

/// The reasons for which the engine refuses. Every other one is the plugin's own, for what no policy is about: a path
/// with two meanings, a filter that is missing. Nobody can say of such a refusal what another policy would do.
const OF_POLICY: [Reason; 13] = [
    Reason::DeniedByRule,
    Reason::DefaultDeny,
    Reason::NoHttpRuleMatches,
    Reason::ServerNameNotAllowed,
    Reason::NoDnsRuleMatches,
    Reason::NoKafkaRuleMatches,
    Reason::WrongProtocol,
    Reason::NotAuthenticated,
    Reason::Conflict,
    Reason::UnknownSubject,
    Reason::NoBackend,
    Reason::ContradictingIdentity,
    Reason::NoPolicy,
];

/// That a refusal came from policy: its reason is one of the engine's, or is not told.
pub(super) fn of_policy(reason: Option<&str>) -> Result<(), Skip> {
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) if !OF_POLICY.iter().any(|known| known.as_str() == reason) => {
            Err(Skip::new(Why::DecidedElsewhere, reason.to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_the_plugin_is_no_policys() {
        for (reason, is_policys, why) in [
            (None, true, "not told"),
            (Some(""), true, "nor here"),
            (Some("default-deny"), true, "the engine's"),
            (Some("ambiguous-path"), false, "two meanings"),
            (Some("left-to-upstream"), false, "not decided here"),
        ] {
            assert_eq!(of_policy(reason).is_ok(), is_policys, "{why}");
        }
    }
}

//! What would be decided if audit were off, beside what is decided.

use policy_core::Verdict;

use super::Outcome;
use crate::host::Host;

const WOULD: &str = "portcullis_would";
const WOULD_REASON: &str = "portcullis_would_reason";
const WOULD_RULE: &str = "portcullis_would_rule";

impl Outcome {
    /// It passes, since all policies are in audit mode.
    pub(crate) fn audited() -> Self {
        Verdict::audited().into()
    }

    /// The same outcome; audit mode prevents another one.
    pub(crate) fn with_would(self, would: Self) -> Self {
        Self {
            would: Some(Box::new(would)),
            ..self
        }
    }

    /// What would be decided if audit were off.
    pub(crate) fn as_if_enforced(&self) -> &Self {
        self.would.as_deref().unwrap_or(self)
    }

    /// Whether only audit mode lets it pass.
    pub(crate) fn is_spared(&self) -> bool {
        self.allows() && !self.as_if_enforced().allows()
    }

    /// Writes for access logs what would be decided. To be done again where it was done under an earlier policy: it must
    /// not stand there as if it were still so.
    pub(crate) fn show_would<H: Host>(&self, host: &H) {
        let would = self.as_if_enforced();
        let _ = host.set_state(WOULD, would.decision().as_bytes());
        let _ = host.set_state(WOULD_REASON, would.reason.as_bytes());
        let _ = host.set_state(WOULD_RULE, would.rules().as_bytes());
    }
}

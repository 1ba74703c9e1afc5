//! Audit mode: policies that are asked, and have no effect.

use super::Bundle;

/// Whether a policy has an effect on traffic.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// It has.
    #[default]
    Enforce,
    /// It has none at all: it neither isolates nor allows nor denies, and changes no headers. What it would do is told
    /// beside the verdict.
    Audit,
}

impl Mode {
    /// Whether the policy has an effect.
    pub fn is_enforce(&self) -> bool {
        *self == Self::Enforce
    }
}

impl Bundle {
    /// Whether some policy is in audit mode, or all are.
    pub fn has_audit(&self) -> bool {
        self.options.audit || self.policies.iter().any(|policy| !policy.mode.is_enforce())
    }

    /// Only the policies that have an effect. It has no digest.
    #[must_use]
    pub fn only_enforced(mut self) -> Self {
        self.digest = None;
        let all = self.options.audit;
        self.policies.retain(|policy| !all && policy.mode.is_enforce());
        self
    }

    /// The same policies as if audit were off: all of them are enforced. It has no digest.
    #[must_use]
    pub fn without_audit(mut self) -> Self {
        self.digest = None;
        self.options.audit = false;
        self.policies.iter_mut().for_each(|policy| policy.mode = Mode::Enforce);
        self
    }
}

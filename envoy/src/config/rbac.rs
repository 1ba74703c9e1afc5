//! Envoy's role-based access control, as far as the guards need it: one policy that allows, and nothing else passes.

use std::collections::BTreeMap;

use serde::Serialize;

/// The configuration of an RBAC filter. What a permission and a principal look like differs from guard to guard.
#[derive(Serialize)]
pub(super) struct Rbac<Permission, Principal> {
    #[serde(skip_serializing_if = "Option::is_none")]
    stat_prefix: Option<&'static str>,
    #[serde(flatten)]
    effect: Effect<Permission, Principal>,
}

/// What follows from the rules.
#[derive(Serialize)]
#[serde(untagged)]
enum Effect<Permission, Principal> {
    /// Nothing else passes.
    Enforced { rules: Rules<Permission, Principal> },
    /// Everything passes, and the outcome is noted under names that start with the prefix.
    Noted {
        shadow_rules: Rules<Permission, Principal>,
        shadow_rules_stat_prefix: &'static str,
    },
}

#[derive(Serialize)]
struct Rules<Permission, Principal> {
    action: &'static str,
    policies: BTreeMap<&'static str, Policy<Permission, Principal>>,
}

#[derive(Serialize)]
struct Policy<Permission, Principal> {
    permissions: [Permission; 1],
    principals: [Principal; 1],
}

/// Everybody, or everything.
#[derive(Serialize)]
pub(super) struct Any {
    any: bool,
}

impl Any {
    pub(super) const ANY: Self = Self { any: true };
}

impl<Permission, Principal> Rbac<Permission, Principal> {
    /// Allows what both the permission and the principal match; `name` is that of the policy.
    pub(super) fn allow(name: &'static str, permission: Permission, principal: Principal) -> Self {
        let rules = Rules::allow(name, permission, principal);
        Self {
            stat_prefix: None,
            effect: Effect::Enforced { rules },
        }
    }

    /// Lets everything pass, and notes what [`allow`](Self::allow) would have allowed.
    pub(super) fn note(
        name: &'static str,
        permission: Permission,
        principal: Principal,
        shadow_rules_stat_prefix: &'static str,
    ) -> Self {
        let shadow_rules = Rules::allow(name, permission, principal);
        Self {
            stat_prefix: None,
            effect: Effect::Noted {
                shadow_rules,
                shadow_rules_stat_prefix,
            },
        }
    }

    /// With the name under which a network filter counts; HTTP filters need none.
    pub(super) fn counted_as(self, stat_prefix: &'static str) -> Self {
        Self {
            stat_prefix: Some(stat_prefix),
            ..self
        }
    }
}

impl<Permission, Principal> Rules<Permission, Principal> {
    fn allow(name: &'static str, permission: Permission, principal: Principal) -> Self {
        let policy = Policy {
            permissions: [permission],
            principals: [principal],
        };
        Self {
            action: "ALLOW",
            policies: BTreeMap::from([(name, policy)]),
        }
    }
}

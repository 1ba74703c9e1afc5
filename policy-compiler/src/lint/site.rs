//! Places in a bundle, and the paths that their objects have for them.

use policy_core::{
    Direction,
    bundle::{Bundle, Element, Policy, Rule},
};

/// One of the four lists of a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Section {
    pub(super) direction: Direction,
    pub(super) is_deny: bool,
}

impl Section {
    const ALL: [Self; 4] = [
        Self::new(Direction::Ingress, false),
        Self::new(Direction::Ingress, true),
        Self::new(Direction::Egress, false),
        Self::new(Direction::Egress, true),
    ];

    const fn new(direction: Direction, is_deny: bool) -> Self {
        Self { direction, is_deny }
    }

    pub(super) fn name(self) -> &'static str {
        match (self.direction, self.is_deny) {
            (Direction::Ingress, false) => "ingress",
            (Direction::Ingress, true) => "ingressDeny",
            (Direction::Egress, false) => "egress",
            (Direction::Egress, true) => "egressDeny",
        }
    }

    pub(super) fn of(self, rule: &Rule) -> &[Element] {
        match (self.direction, self.is_deny) {
            (Direction::Ingress, false) => &rule.ingress,
            (Direction::Ingress, true) => &rule.ingress_deny,
            (Direction::Egress, false) => &rule.egress,
            (Direction::Egress, true) => &rule.egress_deny,
        }
    }
}

/// One element of a policy.
#[derive(Clone, Copy)]
pub(super) struct Site<'b> {
    pub(super) policy: &'b Policy,
    pub(super) rule: &'b Rule,
    pub(super) section: Section,
    pub(super) index: usize,
    pub(super) element: &'b Element,
}

impl<'b> Site<'b> {
    /// Every element of the bundle, in order.
    pub(super) fn all(bundle: &'b Bundle) -> impl Iterator<Item = Self> {
        let rules = bundle
            .policies
            .iter()
            .flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)));
        rules.flat_map(|(policy, rule)| {
            Section::ALL.into_iter().flat_map(move |section| {
                section.of(rule).iter().enumerate().map(move |(index, element)| Self {
                    policy,
                    rule,
                    section,
                    index,
                    element,
                })
            })
        })
    }

    /// Whether it is the very same element.
    pub(super) fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self.element, other.element)
    }

    /// Whether the rule isolates its subject in the direction of the element.
    pub(super) fn isolates(&self) -> bool {
        match self.section.direction {
            Direction::Ingress => self.rule.default_deny.ingress,
            Direction::Egress => self.rule.default_deny.egress,
        }
    }

    /// `spec.ingress[0]`.
    pub(super) fn path(&self) -> String {
        format!("{}.{}[{}]", self.rule.path, self.section.name(), self.index)
    }

    /// The path of one of its items for ports.
    pub(super) fn ports_path(&self, item: usize) -> String {
        if is_network_policy(self.policy) {
            // All its ports are one item.
            format!("{}.ports", self.path())
        } else {
            format!("{}.toPorts[{item}]", self.path())
        }
    }
}

/// Whether it came from a Kubernetes `NetworkPolicy`.
pub(super) fn is_network_policy(policy: &Policy) -> bool {
    policy.kind == "NetworkPolicy"
}

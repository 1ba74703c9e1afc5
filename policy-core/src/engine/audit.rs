//! Audit mode: the two views of one policy set.
//!
//! Both share the rules, the identities and the caches. What differs is which rules the table of a subject is made of.

use alloc::rc::Rc;

use super::{Connection, Engine, IdentityId, table::SubjectTable};
use crate::{bundle::Mode, flow::Flow};

/// Which policies are asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum View {
    /// Those that have an effect: what happens.
    Enforced,
    /// All of them: what would happen if audit were off.
    Would,
}

impl View {
    /// Whether a policy of this mode is asked.
    pub(super) fn counts(self, mode: Mode) -> bool {
        self == Self::Would || mode.is_enforce()
    }
}

impl Engine {
    /// Whether the two views may differ at all: some policy is in audit mode, or all are.
    pub fn has_audit(&self) -> bool {
        self.packed.head().has_audit
    }

    /// What the policy of the subject says to a connection in one view; in the enforced one as
    /// [`connection`](Self::connection) does.
    pub fn connection_as(&self, view: View, flow: &Flow<'_>) -> Connection {
        self.connect(&self.table_as(view, flow.subject), flow)
    }

    /// The table of a subject whose policies are the same in both views is the same one.
    pub(super) fn build_table(&self, view: View, subject: IdentityId) -> Rc<SubjectTable> {
        match view {
            View::Would if !self.audits(subject) => self.table(subject),
            View::Would | View::Enforced => Rc::new(SubjectTable::build(self, subject, view)),
        }
    }

    fn audits(&self, subject: IdentityId) -> bool {
        let mut rules = self.rules_selecting(self.labels(subject));
        self.options().audit || rules.any(|rule| rule.mode == Mode::Audit)
    }
}

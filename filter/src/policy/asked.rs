//! What a policy says to a connection, also where an earlier policy speaks for one of its sides.

use policy_core::{Admission, Connection, HeaderChange, HttpFacts, Verdict};

/// The answer to a connection and its requests: both parts must allow.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Of the engine in force, or of an earlier one for the sides that are in conflict.
    admission: Admission,
    /// Of the engine in force for the other sides, if an earlier one speaks in `admission`.
    others: Vec<Connection>,
}

impl From<Admission> for Asked {
    fn from(admission: Admission) -> Self {
        Self::of(admission, Vec::new())
    }
}

impl Asked {
    pub(super) fn of(admission: Admission, others: Vec<Connection>) -> Self {
        Self { admission, others }
    }

    /// The verdict by addresses and ports.
    pub(crate) fn verdict(&self) -> Verdict {
        self.first_refusal(self.admission.verdict(), Connection::verdict)
    }

    /// The verdict on the connection with this server name.
    pub(crate) fn handshake(&self, server_name: Option<&[u8]>) -> Verdict {
        let verdict = self.admission.handshake(server_name);
        self.first_refusal(verdict, |side| side.handshake(server_name))
    }

    /// The verdict on a request of the connection.
    pub(crate) fn request(&self, server_name: Option<&[u8]>, facts: &dyn HttpFacts) -> Verdict {
        let verdict = self.admission.request(server_name, facts);
        self.first_refusal(verdict, |side| side.request(server_name, facts))
    }

    /// What to change in the headers of a request that is allowed.
    pub(crate) fn header_changes(&self, facts: &dyn HttpFacts) -> Vec<HeaderChange> {
        let mut changes = self.admission.header_changes(facts);
        let more = self.others.iter().flat_map(|side| side.header_changes(facts));
        changes.extend(more);
        changes
    }

    /// Whether the verdicts on requests depend on them.
    pub(crate) fn inspects_http(&self) -> bool {
        self.admission.inspects_http() || self.others.iter().any(Connection::inspects_http)
    }

    /// Whether the verdicts depend on the server name.
    pub(crate) fn inspects_tls(&self) -> bool {
        self.admission.inspects_tls() || self.others.iter().any(Connection::inspects_tls)
    }

    /// Whether requests may be changed.
    pub(crate) fn changes_headers(&self) -> bool {
        self.admission.changes_headers() || self.others.iter().any(Connection::changes_headers)
    }

    fn first_refusal(&self, verdict: Verdict, ask: impl Fn(&Connection) -> Verdict) -> Verdict {
        if !verdict.allows() {
            return verdict;
        }
        let refusal = self.others.iter().map(ask).find(|verdict| !verdict.allows());
        refusal.unwrap_or(verdict)
    }
}

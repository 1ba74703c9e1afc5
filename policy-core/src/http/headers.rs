//! Headers: what must be there, and what is changed if it is not as expected.

use alloc::boxed::Box;

use super::HttpFacts;
use crate::bundle::{HeaderRule, MismatchAction};

/// A header that must be there.
#[derive(Debug)]
pub(crate) struct HeaderCondition {
    pub(crate) header: HeaderRule,
    /// Whether nobody may read the wanted value.
    pub(crate) secret: bool,
}

/// A header that is changed if it is not as expected.
#[derive(Debug)]
pub(super) struct HeaderAction {
    pub(super) header: HeaderRule,
    pub(super) action: MismatchAction,
    pub(super) secret: bool,
}

/// A change to the headers of an allowed request, before it goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderChange {
    /// The header, in lower case.
    pub name: Box<str>,
    /// What to do with it.
    pub change: Change,
    /// Whether the value is a secret that no log may show.
    pub secret: bool,
}

/// What to do with a header that is not as a rule expects it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Only report that it is not as expected.
    Log,
    /// Append the header with this value, whatever values it has.
    Append(Box<str>),
    /// Remove it.
    Remove,
    /// Replace all its values by this one.
    Set(Box<str>),
}

impl HeaderAction {
    /// What to do with a request that does not have the header as expected.
    pub(super) fn change(&self, facts: &dyn HttpFacts) -> Option<HeaderChange> {
        let state = header_state(&self.header, facts);
        let value = || self.header.value.clone().unwrap_or_default();
        let change = match (state, self.action) {
            (HeaderState::Matches, _) | (HeaderState::Missing, MismatchAction::Delete) => return None,
            (_, MismatchAction::Log) => Change::Log,
            (_, MismatchAction::Add) => Change::Append(value()),
            (_, MismatchAction::Replace) => Change::Set(value()),
            (HeaderState::Differs, MismatchAction::Delete) => Change::Remove,
        };
        Some(HeaderChange {
            name: self.header.name.clone(),
            change,
            secret: self.secret,
        })
    }
}

pub(super) enum HeaderState {
    Matches,
    Missing,
    Differs,
}

/// Compares the comma-joined values of a header with the wanted value, without joining them.
pub(super) fn header_state(header: &HeaderRule, facts: &dyn HttpFacts) -> HeaderState {
    let mut seen = false;
    // What is still wanted; `None` once something differed.
    let mut wanted = header.value.as_deref().map(str::as_bytes);
    let any_value = wanted.is_none();
    facts.header_values(&header.name, &mut |value| {
        let rest = if seen {
            wanted.and_then(|rest| rest.strip_prefix(b","))
        } else {
            wanted
        };
        wanted = rest.and_then(|rest| rest.strip_prefix(value));
        seen = true;
    });
    match (seen, any_value || wanted.is_some_and(<[u8]>::is_empty)) {
        (false, _) => HeaderState::Missing,
        (true, true) => HeaderState::Matches,
        (true, false) => HeaderState::Differs,
    }
}

//! What a connection is, from its first callback to its last.

use std::rc::Rc;

use crate::{
    facts::{Chain, ConnectionFacts, Later},
    report::Refusal,
};

/// Where bytes come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Data {
    Downstream,
    Upstream,
    /// The last ones. A connection that is closed while it is told of them is deleted at once, and told of more
    /// afterwards.
    EndOfUpstream,
}

/// How far it came with a connection.
#[derive(Clone)]
pub(super) enum State {
    New,
    /// More will be known with the first bytes. Until then no guard hears the word that lets pass.
    Waiting {
        facts: Rc<ConnectionFacts>,
        chain: Chain,
        later: Later,
    },
    /// The requests on it are decided one by one.
    LeftToHttp(Basis),
    /// By the policy of this generation.
    Admitted {
        basis: Basis,
        generation: u64,
        /// Whether access logs were told what would be decided if audit were off.
        told_would: bool,
    },
    Refused,
}

/// What a connection was judged by. Without facts it was refused, and a policy that only audits let it pass.
pub(super) type Basis = Result<Rc<ConnectionFacts>, Refusal>;

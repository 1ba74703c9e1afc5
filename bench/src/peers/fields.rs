//! The least that a list can do: four fields of each policy are compared with four of the question, yes or no.
//!
//! Nobody decides like this, since all policies must have the same fields. It shows what the comparing itself costs.

use std::net::IpAddr;

use crate::world::{PORT, Path, Shape, address, prefix, request_path};

/// The policies of one workload.
pub(super) struct Fields(Vec<Policy>);

/// A policy that has to have all of this.
struct Policy {
    source: IpAddr,
    port: u16,
    method: Vec<u8>,
    path_prefix: Vec<u8>,
}

/// What is known of a request.
pub(super) struct Question {
    source: IpAddr,
    port: u16,
    method: Vec<u8>,
    path: Vec<u8>,
}

impl Fields {
    /// The policies of a world in which one subject has all of them.
    pub(super) fn new(shape: Shape) -> Self {
        let policy = |policy| Policy {
            source: address(shape.peer(policy)),
            port: PORT,
            method: b"GET".to_vec(),
            path_prefix: prefix(policy).into_bytes(),
        };
        Self((0..shape.policies).map(policy).collect())
    }

    /// Whether some policy allows it.
    pub(super) fn allows(&self, question: &Question) -> bool {
        self.0.iter().any(|policy| policy.matches(question))
    }
}

impl Policy {
    fn matches(&self, question: &Question) -> bool {
        self.port == question.port
            && self.method == question.method
            && question.path.starts_with(&self.path_prefix)
            && self.source == question.source
    }
}

impl Question {
    /// What the policy in the middle allows.
    pub(super) fn asked(shape: Shape) -> Self {
        let asked = shape.asked();
        Self {
            source: address(shape.peer(asked)),
            port: PORT,
            method: b"GET".to_vec(),
            path: request_path(asked, Path::Prefix).into_bytes(),
        }
    }
}

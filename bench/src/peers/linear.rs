//! A list of policies, tried one after the other: how Envoy's RBAC decides, without Envoy.

use std::net::IpAddr;

use crate::world::{PORT, Path, Shape, address, prefix, request_path};

/// The policies of one workload.
pub(super) struct Linear(Vec<Policy>);

/// An RBAC policy with one principal and one permission.
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

impl Linear {
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
    /// Permissions first, as in RBAC.
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

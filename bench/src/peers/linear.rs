//! A list of policies, tried one after the other: how Envoy's RBAC decides, without Envoy.
//!
//! It is a tree of matchers as RBAC builds it from the configuration that `envoy/filter.rs` gives it: each policy has
//! permissions, of which any must match, and principals likewise; a permission combines several matchers. Every matcher
//! is called through a pointer, and headers are looked up by their names, since either can be anything. The first policy
//! that matches says its name, which is what RBAC tells statistics and logs. Nothing is made slower than it is there: no
//! values of headers are collected or joined, and policies stand in an array, not in a map. Each policy here costs a
//! quarter of what it costs in Envoy.

use std::net::IpAddr;

use policy_core::HttpRequest;

use crate::world::{PORT, Path, Shape, address, prefix};

/// The policies of one workload, in the order of their names.
pub(super) struct Linear(Vec<Policy>);

/// An RBAC policy.
struct Policy {
    name: String,
    permissions: Any,
    principals: Any,
}

/// What is known of a request.
pub(super) struct Question {
    source: IpAddr,
    port: u16,
    request: HttpRequest,
}

/// A condition on a request.
trait Matcher {
    fn matches(&self, question: &Question) -> bool;
}

/// At least one of several.
struct Any(Vec<Box<dyn Matcher>>);
/// Several at once.
struct All(Vec<Box<dyn Matcher>>);
/// The destination port.
struct Port(u16);
/// A header with exactly this value.
struct Header(String, Vec<u8>);
/// How the path begins; its query is cut off for each policy anew, as `url_path` does.
struct PathPrefix(Vec<u8>);
/// The addresses of peers whose first bits are these.
struct Source(IpAddr, u32);

impl Linear {
    /// The policies of a world in which one subject has all of them.
    pub(super) fn new(shape: Shape) -> Self {
        let policy = |policy| {
            let permission = All(vec![
                Box::new(Port(PORT)),
                Box::new(Header(":method".into(), b"GET".to_vec())),
                Box::new(PathPrefix(prefix(policy).into_bytes())),
            ]);
            Policy {
                name: format!("p{policy:05}"),
                permissions: Any(vec![Box::new(permission)]),
                principals: Any(vec![Box::new(Source(address(shape.peer(policy)), 32))]),
            }
        };
        Self((0..shape.policies).map(policy).collect())
    }

    /// The policy that allows it, if one does.
    pub(super) fn allowing(&self, question: &Question) -> Option<&str> {
        let mut matching = self.0.iter().filter(|policy| policy.matches(question));
        matching.next().map(|policy| &*policy.name)
    }
}

impl Policy {
    /// Permissions first, as in RBAC.
    fn matches(&self, question: &Question) -> bool {
        self.permissions.matches(question) && self.principals.matches(question)
    }
}

impl Matcher for Any {
    fn matches(&self, question: &Question) -> bool {
        self.0.iter().any(|matcher| matcher.matches(question))
    }
}

impl Matcher for All {
    fn matches(&self, question: &Question) -> bool {
        self.0.iter().all(|matcher| matcher.matches(question))
    }
}

impl Matcher for Port {
    fn matches(&self, question: &Question) -> bool {
        self.0 == question.port
    }
}

impl Matcher for Header {
    fn matches(&self, question: &Question) -> bool {
        question.header(&self.0) == Some(&self.1)
    }
}

impl Matcher for PathPrefix {
    fn matches(&self, question: &Question) -> bool {
        let Some(path) = question.header(":path") else {
            return false;
        };
        let end = path.iter().position(|byte| matches!(byte, b'?' | b'#'));
        path[..end.unwrap_or(path.len())].starts_with(&self.0)
    }
}

impl Matcher for Source {
    fn matches(&self, question: &Question) -> bool {
        match (self.0, question.source) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let behind = 32_u32.saturating_sub(self.1);
                (own.to_bits() ^ other.to_bits()).checked_shr(behind).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let behind = 128_u32.saturating_sub(self.1);
                (own.to_bits() ^ other.to_bits()).checked_shr(behind).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl Question {
    /// What the policy in the middle allows.
    pub(super) fn asked(shape: Shape) -> Self {
        let asked = shape.asked();
        Self {
            source: address(shape.peer(asked)),
            port: PORT,
            request: shape.request(asked, Path::Prefix),
        }
    }

    /// The first value of a header. Those that every request has are found without a search, as in Envoy.
    fn header(&self, name: &str) -> Option<&Vec<u8>> {
        match name {
            ":method" => self.request.method.as_ref(),
            ":path" => self.request.path.as_ref(),
            ":authority" => self.request.authority.as_ref(),
            _ => {
                let mut headers = self.request.headers.iter();
                headers
                    .find(|(other, _)| other == name.as_bytes())
                    .map(|(_, value)| value)
            }
        }
    }
}

//! The stable codes of diagnostics.

use std::fmt;

use serde::Serialize;

/// A stable name of the rule behind a diagnostic.
///
/// A letter and a number is a rule of Cilium or of the API server: `A` objects and rules, `B` peers, `C` ports and
/// requests, `D` what only the schema of the API server says, `K` Kubernetes `NetworkPolicy`. Words are ours.
///
/// `D1` has no code: a `spec` that the API server refuses for it has no section, which is `A3`, or not exactly one
/// selector, which is `A4`, and both are errors at every level.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Code(&'static str);

impl Code {
    /// The object has no name.
    pub const A1: Self = Self("A1");
    /// Neither `spec` nor `specs`.
    pub const A2: Self = Self("A2");
    /// A rule without any element.
    pub const A3: Self = Self("A3");
    /// Not exactly one of `endpointSelector` and `nodeSelector`.
    pub const A4: Self = Self("A4");
    /// `nodeSelector` in a namespaced policy.
    pub const A5: Self = Self("A5");
    /// An invalid label selector.
    pub const A6: Self = Self("A6");
    /// Two peer fields in one element.
    pub const B1: Self = Self("B1");
    /// Node selectors without the option that enables them.
    pub const B2: Self = Self("B2");
    /// An unknown entity.
    pub const B3: Self = Self("B3");
    /// An invalid CIDR.
    pub const B4: Self = Self("B4");
    /// A CIDR set item that is not exactly one thing.
    pub const B5: Self = Self("B5");
    /// An invalid prefix or exception in a CIDR set.
    pub const B6: Self = Self("B6");
    /// An invalid DNS name or pattern.
    pub const B7: Self = Self("B7");
    /// ICMP and ports in one element.
    pub const C1: Self = Self("C1");
    /// Too many ports.
    pub const C2: Self = Self("C2");
    /// An invalid port.
    pub const C3: Self = Self("C3");
    /// An unknown protocol.
    pub const C4: Self = Self("C4");
    /// A port for a protocol that has none.
    pub const C5: Self = Self("C5");
    /// An unknown ICMP family or type.
    pub const C6: Self = Self("C6");
    /// Request rules on a protocol that cannot carry them.
    pub const C7: Self = Self("C7");
    /// Request rules on all ports.
    pub const C8: Self = Self("C8");
    /// DNS rules in a place where they cannot work.
    pub const C9: Self = Self("C9");
    /// Request rules of two kinds in one item.
    pub const C10: Self = Self("C10");
    /// Rules of a custom protocol without its name, or without a key.
    pub const C11: Self = Self("C11");
    /// Server names that cannot be checked.
    pub const C12: Self = Self("C12");
    /// A listener in a place where it cannot work.
    pub const C13: Self = Self("C13");
    /// An invalid HTTP rule.
    pub const C14: Self = Self("C14");
    /// Request rules while the proxy is disabled.
    pub const C15: Self = Self("C15");
    /// Request rules that nodes cannot have.
    pub const C16: Self = Self("C16");
    /// An invalid Kafka rule.
    pub const C17: Self = Self("C17");
    /// Warning: an unknown authentication mode.
    pub const C18: Self = Self("C18");
    /// Conditions of `fromRequires` or `toRequires`, which no longer exist.
    pub const D2: Self = Self("D2");
    /// An entity that the API server does not admit.
    pub const D3: Self = Self("D3");
    /// An operator that the API server does not admit.
    pub const D4: Self = Self("D4");
    /// A CIDR set item that the API server does not admit.
    pub const D5: Self = Self("D5");
    /// A DNS item that is not exactly one valid name or pattern.
    pub const D6: Self = Self("D6");
    /// A port or protocol that the API server does not admit.
    pub const D7: Self = Self("D7");
    /// `rules` that are not of exactly one kind.
    pub const D8: Self = Self("D8");
    /// An HTTP or Kafka rule that the API server does not admit.
    pub const D9: Self = Self("D9");
    /// Server names that the API server does not admit.
    pub const D10: Self = Self("D10");
    /// A TLS context or listener that the API server does not admit.
    pub const D11: Self = Self("D11");
    /// An ICMP item that the API server does not admit.
    pub const D12: Self = Self("D12");
    /// An authentication mode or log value that the API server does not admit.
    pub const D13: Self = Self("D13");
    /// A service selector that is not there.
    pub const D14: Self = Self("D14");
    /// A CIDR group that the API server does not admit.
    pub const D15: Self = Self("D15");
    /// An invalid label selector of a `NetworkPolicy`.
    pub const K1: Self = Self("K1");
    /// Policy types that are not `Ingress` and `Egress`.
    pub const K2: Self = Self("K2");
    /// A peer of a `NetworkPolicy` that is neither a selector nor an IP block, or both.
    pub const K3: Self = Self("K3");
    /// An invalid IP block.
    pub const K4: Self = Self("K4");
    /// An unknown protocol in a `NetworkPolicy`.
    pub const K5: Self = Self("K5");
    /// An invalid port in a `NetworkPolicy`.
    pub const K6: Self = Self("K6");
    /// An `endPort` that ends no range.
    pub const K7: Self = Self("K7");
    /// Groups of a cloud provider, which nobody can look up here.
    pub const GROUPS: Self = Self("groups");
    /// Rules of custom protocols, which nobody enforces.
    pub const L7PROTO: Self = Self("l7proto");
    /// A listener that the policy has no access to.
    pub const LISTENER: Self = Self("listener");
    /// Valid, but not supported yet.
    pub const UNSUPPORTED: Self = Self("unsupported");
    /// Not YAML or JSON.
    pub const SYNTAX: Self = Self("syntax");
    /// Not a Kubernetes object, or of an unknown version.
    pub const OBJECT: Self = Self("object");
    /// A value of the wrong type.
    pub const TYPE: Self = Self("type");
    /// A value that is not an address, name or number where one is needed.
    pub const VALUE: Self = Self("value");
    /// A field that does not exist.
    pub const UNKNOWN_FIELD: Self = Self("unknown-field");
    /// A field that must be there and is not.
    pub const MISSING_FIELD: Self = Self("missing-field");
    /// The same key or the same object twice.
    pub const DUPLICATE: Self = Self("duplicate");
    /// Two objects claim the same address.
    pub const ADDRESS_CLASH: Self = Self("address-clash");
    /// A subject that no object describes.
    pub const UNKNOWN_SUBJECT: Self = Self("unknown-subject");
    /// An object that has no part in a decision.
    pub const SKIPPED: Self = Self("skipped");
    /// Warning: it can never match anything.
    pub const MATCHES_NOTHING: Self = Self("matches-nothing");
    /// Warning: it matches more than it says.
    pub const MATCHES_MORE: Self = Self("matches-more");
    /// Warning: it isolates its subject without allowing anything.
    pub const ISOLATES: Self = Self("isolates");
    /// Warning: Cilium and Kubernetes read it differently.
    pub const DIALECT: Self = Self("dialect");
    /// Warning: nothing tells which addresses a DNS name has.
    pub const UNLEARNED_NAME: Self = Self("unlearned-name");
    /// Warning: it has no effect.
    pub const NO_EFFECT: Self = Self("no-effect");

    /// The code as text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

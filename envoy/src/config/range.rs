//! Where names must not lead: the guard on the addresses that DNS gave.
//!
//! Where Envoy resolves a name, the policy judges the name, and its owner chooses the addresses. One of the cluster's
//! own would be reached past the ingress policy of the workload there. So the last filter before the upstream, which
//! knows the address that was chosen, lets a request go only to addresses outside.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;
use serde_saphyr::Commented;

use super::any::{Empty, Extension};
use super::rbac::{Any, Rbac};

/// An address range in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange {
    /// An address in the range.
    pub address: IpAddr,
    /// How many leading bits all addresses of the range share with it.
    pub length: u8,
}

impl IpRange {
    /// What is on every machine, or next to it, and never outside: loopback, link-local addresses with the metadata
    /// services of clouds on them, the unspecified address, which connects to loopback, and IPv4 addresses written
    /// as IPv6 ones.
    pub const LOCAL: &[Self] = &[
        Self::v4([0, 0, 0, 0], 8),
        Self::v4([127, 0, 0, 0], 8),
        Self::v4([169, 254, 0, 0], 16),
        Self::v6([0, 0, 0, 0, 0, 0, 0, 0], 128),
        Self::v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
        Self::v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96),
        Self::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
    ];

    /// The range of the first `length` bits of an IPv4 address.
    #[must_use]
    pub const fn v4([a, b, c, d]: [u8; 4], length: u8) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            length,
        }
    }

    /// The range of the first `length` bits of an IPv6 address.
    #[must_use]
    pub const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], length: u8) -> Self {
        Self {
            address: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)),
            length,
        }
    }

    /// Whether the length is one that the address can have.
    pub(super) fn is_valid(self) -> bool {
        self.length <= if self.address.is_ipv4() { 32 } else { 128 }
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// Filters between the router and one upstream.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum UpstreamFilter {
    Guard(Extension<Rbac<Permission, Any>>),
    Codec(Extension<Empty>),
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Permission {
    AndRules(RuleSet),
    OrRules(RuleSet),
    NotRule(Box<Permission>),
    Matcher(Extension<UpstreamAddress>),
}

#[derive(Serialize)]
pub(super) struct RuleSet {
    rules: Vec<Permission>,
}

#[derive(Serialize)]
pub(super) struct UpstreamAddress {
    upstream_ip: CidrRange,
}

#[derive(Serialize)]
struct CidrRange {
    address_prefix: String,
    prefix_len: Commented<u8>,
}

/// The filters of an upstream whose address must be in none of `ranges`; anything else gets 403.
///
/// Said as what is allowed, an IP address that is in none of them: an upstream without any known address would be in
/// none either, and pass.
pub(super) fn upstream_guard(ranges: &[IpRange]) -> [UpstreamFilter; 2] {
    let any = [IpRange::v4([0; 4], 0), IpRange::v6([0; 8], 0)];
    let known = one_of(&any, "known");
    let inside = one_of(ranges, "inside");
    let rules = vec![known, Permission::NotRule(Box::new(inside))];
    let permission = Permission::AndRules(RuleSet { rules });
    let guard = Extension::new(
        "portcullis-guard-address",
        "envoy.extensions.filters.http.rbac.v3.RBAC",
        Rbac::allow("address-is-outside", permission, Any::ANY),
    );
    [UpstreamFilter::Guard(guard), UpstreamFilter::Codec(upstream_codec())]
}

/// The filter that ends every chain towards an upstream: it writes the request.
pub(super) fn upstream_codec() -> Extension<Empty> {
    Extension::new(
        "envoy.filters.http.upstream_codec",
        "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        Empty {},
    )
}

fn one_of(ranges: &[IpRange], what: &str) -> Permission {
    let matcher = |range: &IpRange| {
        let upstream_ip = CidrRange {
            address_prefix: range.address.to_string(),
            prefix_len: Commented(range.length, what.to_owned()),
        };
        Permission::Matcher(Extension::new(
            "envoy.rbac.matchers.upstream_ip_port",
            "envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher",
            UpstreamAddress { upstream_ip },
        ))
    };
    Permission::OrRules(RuleSet {
        rules: ranges.iter().map(matcher).collect(),
    })
}

//! How Envoy resolves names on listeners where the destination is a name.

use std::net::SocketAddr;

use serde::Serialize;

use super::any::{Address, Extension};

/// Addresses of either family are taken, IPv4 first: a node without IPv6 must not fail on an AAAA record.
pub(super) const LOOKUP_FAMILY: &str = "V4_PREFERRED";

/// The c-ares resolver with the configured servers and nothing else.
#[derive(Serialize)]
pub(super) struct CAres {
    resolvers: [Address; 1],
    dns_resolver_options: ResolverOptions,
}

#[derive(Serialize)]
struct ResolverOptions {
    /// The name that the policy saw is the name that is asked for, never `NAME.svc.cluster.local`.
    no_default_search_domain: bool,
}

/// The resolver to use; `None` leaves it to the system's configuration.
pub(super) fn resolver(server: Option<SocketAddr>) -> Option<Extension<CAres>> {
    let server = server?;
    let config = CAres {
        resolvers: [Address::udp(server)],
        dns_resolver_options: ResolverOptions {
            no_default_search_domain: true,
        },
    };
    Some(Extension::new(
        "envoy.network.dns_resolver.cares",
        "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
        config,
    ))
}

/// The cache of the dynamic forward proxy. Filter and cluster must be given equal ones: they share it by name.
#[derive(Serialize)]
pub(super) struct DnsCache {
    name: &'static str,
    dns_lookup_family: &'static str,
    /// Names come from clients: the cache must not grow with their fantasy.
    max_hosts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    typed_dns_resolver_config: Option<Extension<CAres>>,
}

impl DnsCache {
    pub(super) fn new(server: Option<SocketAddr>) -> Self {
        Self {
            name: "portcullis",
            dns_lookup_family: LOOKUP_FAMILY,
            max_hosts: 1024,
            typed_dns_resolver_config: resolver(server),
        }
    }
}

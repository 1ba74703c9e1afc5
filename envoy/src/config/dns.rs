//! How Envoy resolves names on listeners where the destination is a name.

use std::net::SocketAddr;

use serde::Serialize;

use super::any::{Address, Extension};

/// Addresses of either family are taken, IPv4 first: a node without IPv6 must not fail on an AAAA record. And of one
/// family only: an upstream that has both would be connected to at either, with the guard seeing one.
pub(super) const LOOKUP_FAMILY: &str = "V4_PREFERRED";

/// The c-ares resolver. Without servers it asks those of the system.
#[derive(Serialize)]
pub(super) struct CAres {
    resolvers: Vec<Address>,
    dns_resolver_options: ResolverOptions,
}

#[derive(Serialize)]
struct ResolverOptions {
    /// The name that the policy saw is the name that is asked for, never `NAME.svc.cluster.local`.
    no_default_search_domain: bool,
}

/// The resolver to use. It is always spelled out: Envoy's own default appends the system's search domains.
pub(super) fn resolver(server: Option<SocketAddr>) -> Extension<CAres> {
    let config = CAres {
        resolvers: server.map(Address::udp).into_iter().collect(),
        dns_resolver_options: ResolverOptions {
            no_default_search_domain: true,
        },
    };
    Extension::new(
        "envoy.network.dns_resolver.cares",
        "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
        config,
    )
}

//! Virtual addresses, and the endpoints that stand behind them.

use alloc::{format, vec::Vec};
use core::net::IpAddr;
use hashbrown::{HashMap, HashSet};

use super::identities::{IdentityId, checked};
use crate::{
    bundle::{Backend, BundleError, Service},
    flow::Protocol,
};

/// The endpoints behind a destination address, if it is virtual.
pub(crate) enum Backends<'a> {
    /// The address is no service's.
    NotAService,
    /// The address is a service's, but not this port of it.
    UnknownPort,
    /// These, with their ports after translation.
    Known(&'a [(IdentityId, u16)]),
}

/// Virtual addresses.
#[derive(Debug, Default)]
pub(crate) struct Services {
    addresses: HashSet<IpAddr>,
    backends: HashMap<(IpAddr, Protocol, u16), Vec<(IdentityId, u16)>>,
}

impl Services {
    pub(super) fn build(services: Vec<Service>, identities: usize, errors: &mut Vec<BundleError>) -> Self {
        let mut this = Self::default();
        for (
            i,
            Service {
                name: _,
                address,
                protocol,
                port,
                backends,
            },
        ) in services.into_iter().enumerate()
        {
            let at = format!("services[{i}]");
            let address = address.to_canonical();
            let known = |Backend { identity, port }| checked(identity, identities, &at, errors).map(|id| (id, port));
            let backends: Vec<_> = backends.into_iter().filter_map(known).collect();
            this.addresses.insert(address);
            if this.backends.insert((address, protocol, port), backends).is_some() {
                errors.push(BundleError::AddressClash {
                    at,
                    address: format!("{address}:{port}/{protocol}"),
                });
            }
        }
        this
    }

    pub(super) fn find(&self, address: IpAddr, protocol: Protocol, port: u16) -> Backends<'_> {
        match self.backends.get(&(address, protocol, port)) {
            Some(backends) => Backends::Known(backends),
            None if self.addresses.contains(&address) => Backends::UnknownPort,
            None => Backends::NotAService,
        }
    }
}

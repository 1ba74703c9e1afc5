//! Virtual addresses, and the endpoints that stand behind them.

use alloc::{boxed::Box, rc::Rc, vec::Vec};
use core::{cell::OnceCell, net::IpAddr};

use super::identities::IdentityId;
use crate::{
    flow::Protocol,
    packed::{Packed, Section, decode, to_bytes},
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

/// Endpoints and their ports.
type Targets = Vec<(IdentityId, u16)>;

/// Virtual addresses.
#[derive(Debug)]
pub(crate) struct Services {
    packed: Rc<Packed>,
    /// Those that somebody asked for.
    backends: Box<[OnceCell<Targets>]>,
}

impl Services {
    pub(super) fn open(packed: Rc<Packed>) -> Self {
        let count = packed.records(Section::ServiceKeys).len();
        Self {
            packed,
            backends: (0..count).map(|_| OnceCell::new()).collect(),
        }
    }

    pub(super) fn find(&self, address: IpAddr, protocol: Protocol, port: u16) -> Backends<'_> {
        if self.backends.is_empty() {
            return Backends::NotAService;
        }
        let keys = self.packed.records(Section::ServiceKeys);
        match keys.search(&service_key(address, protocol, port)) {
            Ok(position) => match self.backends.get(position) {
                Some(backends) => Backends::Known(backends.get_or_init(|| self.read(position))),
                None => Backends::UnknownPort,
            },
            Err(_) if keys.beginning_with(&address_key(address)).next().is_some() => Backends::UnknownPort,
            Err(_) => Backends::NotAService,
        }
    }

    /// None if they are not readable: a service without endpoints is refused.
    fn read(&self, position: usize) -> Targets {
        let record = self.packed.records(Section::ServiceBackends).get(position);
        let backends: Option<Vec<(u32, u16)>> = record.and_then(decode);
        let backends = backends.unwrap_or_default().into_iter();
        backends.map(|(identity, port)| (IdentityId(identity), port)).collect()
    }
}

fn address_key(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// By which services are sorted.
pub(crate) fn service_key(address: IpAddr, protocol: Protocol, port: u16) -> Vec<u8> {
    let mut key = address_key(address).to_vec();
    key.extend(to_bytes(&protocol).unwrap_or_default());
    key.extend(port.to_be_bytes());
    key
}

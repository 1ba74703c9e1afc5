//! Virtual addresses, and the endpoints that stand behind them.

use alloc::{collections::BTreeMap, format, vec::Vec};

use super::identities::checked;
use crate::{
    bundle::{Backend, BundleError, Service},
    engine::service_key,
};

/// The backends of each service, identities and ports, by its key.
pub(super) fn by_key(
    services: &[Service],
    identities: usize,
    errors: &mut Vec<BundleError>,
) -> BTreeMap<Vec<u8>, Vec<(u32, u16)>> {
    let mut by_key = BTreeMap::new();
    for (i, service) in services.iter().enumerate() {
        let Service {
            name: _,
            address,
            protocol,
            port,
            backends,
        } = service;
        let at = format!("services[{i}]");
        let address = address.to_canonical();
        let known =
            |Backend { identity, port }: &Backend| checked(*identity, identities, &at, errors).map(|id| (id.0, *port));
        let backends: Vec<_> = backends.iter().filter_map(known).collect();
        if by_key
            .insert(service_key(address, *protocol, *port), backends)
            .is_some()
        {
            errors.push(BundleError::AddressClash {
                at,
                address: format!("{address}:{port}/{protocol}"),
            });
        }
    }
    by_key
}

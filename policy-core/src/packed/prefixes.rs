//! Who has an address: tables of prefixes, one for each length in use.
//!
//! ```text
//! number of tables 4 | for each: in the cluster or not, 4 or 6, length, 0; rows 4 | the rows of all tables
//! a row: address 4 or 16, the highest byte first | identity 4 | name 4
//! ```
//!
//! Tables are in the order in which they are asked: those of the cluster first, and the longest prefixes. Rows are sorted.

use alloc::vec::Vec;
use core::net::IpAddr;

use ipnet::IpNet;

use super::frame::to_u32;
use crate::{bundle::BundleError, engine::IdentityId};

/// Who has an address: an identity and, if it is an endpoint, the position of its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Owner {
    pub(crate) identity: IdentityId,
    pub(crate) name: Option<u32>,
}

const NO_NAME: u32 = u32::MAX;
/// Of the entry of a table in the directory.
const ENTRY: usize = 8;
/// Of what is behind the address in a row.
const VALUE: usize = 8;

/// The owner of an address by this section, if some prefix holds it.
pub(crate) fn owner_of(section: &[u8], address: IpAddr) -> Option<Owner> {
    let (count, rest) = section.split_first_chunk()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (directory, mut rows) = rest.split_at_checked(count.checked_mul(ENTRY)?)?;
    let (is_v4, octets, width) = match address {
        IpAddr::V4(v4) => (true, v4.to_ipv6_compatible().octets(), 4),
        IpAddr::V6(v6) => (false, v6.octets(), 16),
    };
    let octets = octets.get(16 - width..)?;
    for entry in directory.as_chunks::<ENTRY>().0 {
        let [_, version, length, _, count @ ..] = *entry;
        let width = if version == 4 { 4 } else { 16 };
        let size = usize::try_from(u32::from_le_bytes(count))
            .ok()?
            .checked_mul(width + VALUE)?;
        let (table, others) = rows.split_at_checked(size)?;
        rows = others;
        if (version == 4) == is_v4
            && let Some(owner) = find(table, width, octets, length)
        {
            return Some(owner);
        }
    }
    None
}

/// The row of the prefix of this length that holds the address.
fn find(table: &[u8], width: usize, octets: &[u8], length: u8) -> Option<Owner> {
    let mut key = [0; 16];
    key.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
    mask(&mut key, length);
    let key = key.get(..width)?;
    let (mut low, mut high) = (0, table.len() / (width + VALUE));
    while low < high {
        let middle = low.midpoint(high);
        let (_, row) = table.split_at_checked(middle.checked_mul(width + VALUE)?)?;
        let (own, value) = row.split_at_checked(width)?;
        match own.cmp(key) {
            core::cmp::Ordering::Less => low = middle.saturating_add(1),
            core::cmp::Ordering::Greater => high = middle,
            core::cmp::Ordering::Equal => {
                let (identity, rest) = value.split_first_chunk()?;
                let name = u32::from_le_bytes(*rest.first_chunk()?);
                return Some(Owner {
                    identity: IdentityId(u32::from_le_bytes(*identity)),
                    name: (name != NO_NAME).then_some(name),
                });
            }
        }
    }
    None
}

/// Clears the bits behind the prefix.
fn mask(octets: &mut [u8; 16], length: u8) {
    for (position, octet) in (0_u32..).zip(octets) {
        let kept = u32::from(length).saturating_sub(position.saturating_mul(8)).min(8);
        *octet &= u8::MAX.checked_shl(8_u32.saturating_sub(kept)).unwrap_or(0);
    }
}

/// The section, from the prefixes of the cluster and from all others.
pub(super) fn section(in_cluster: Vec<(IpNet, Owner)>, external: Vec<(IpNet, Owner)>) -> Result<Vec<u8>, BundleError> {
    let (mut directory, mut rows) = (Vec::new(), Vec::new());
    let mut tables: usize = 0;
    for (part, mut prefixes) in [(0, in_cluster), (1, external)] {
        let table = |prefix: &IpNet| (prefix.addr().is_ipv6(), core::cmp::Reverse(prefix.prefix_len()));
        prefixes.sort_by_key(|(prefix, _)| (table(prefix), prefix.addr()));
        for same in prefixes.chunk_by(|(one, _), (other, _)| table(one) == table(other)) {
            let Some((first, _)) = same.first() else { continue };
            let version = if first.addr().is_ipv4() { 4 } else { 6 };
            directory.extend([part, version, first.prefix_len(), 0]);
            directory.extend(to_u32(same.len())?.to_le_bytes());
            tables = tables.saturating_add(1);
            for (prefix, owner) in same {
                match prefix.addr() {
                    IpAddr::V4(v4) => rows.extend(v4.octets()),
                    IpAddr::V6(v6) => rows.extend(v6.octets()),
                }
                rows.extend(owner.identity.0.to_le_bytes());
                rows.extend(owner.name.unwrap_or(NO_NAME).to_le_bytes());
            }
        }
    }
    Ok([&to_u32(tables)?.to_le_bytes()[..], &directory, &rows].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AddressTable;
    use alloc::format;
    use proptest::prelude::*;

    fn owner(number: u32) -> Owner {
        Owner {
            identity: IdentityId(number),
            name: (number.is_multiple_of(2)).then_some(number),
        }
    }

    /// Few addresses, so that prefixes hold each other and the addresses that are looked for.
    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0_u8..4, 0_u8..4, 0_u8..4).prop_map(|(a, b, c)| IpAddr::from([a << 6, b << 6, 0, c])),
            (0_u16..4, 0_u16..4).prop_map(|(a, b)| IpAddr::from([a << 14, 0, 0, 0, b << 14, 0, 0, 1])),
        ]
    }

    fn prefixes() -> impl Strategy<Value = Vec<IpNet>> {
        let prefix = (address(), 0_u8..=128).prop_map(|(address, length)| {
            let most = if address.is_ipv4() { 32 } else { 128 };
            IpNet::new(address, length.min(most)).expect("a length").trunc()
        });
        prop::collection::vec(prefix, 0..12)
    }

    proptest! {
        #[test]
        fn the_longest_prefix_wins_and_the_cluster_before_all(
            inside in prefixes(),
            outside in prefixes(),
            asked in prop::collection::vec(address(), 1..20),
        ) {
            let mut tables = [AddressTable::default(), AddressTable::default()];
            for (table, prefixes) in tables.iter_mut().zip([inside, outside]) {
                for (number, prefix) in (0..).zip(prefixes) {
                    table.insert(prefix, owner(number));
                }
            }
            let section = section(tables[0].iter(), tables[1].iter()).expect("small");
            for address in asked {
                let want = tables[0].lookup(address).or_else(|| tables[1].lookup(address));
                prop_assert_eq!(owner_of(&section, address), want, "{}", format!("{address}"));
            }
        }
    }
}

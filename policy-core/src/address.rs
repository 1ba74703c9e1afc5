//! Addresses: how the host writes them, and the table that finds what owns them.

use alloc::{format, string::String, vec::Vec};
use core::{net::IpAddr, str};
use hashbrown::{HashMap, hash_map::Entry};
use ipnet::IpNet;

/// Reads an address as proxies write it: `10.0.0.1`, `10.0.0.1:80`, `::1`, `[::1]:80`.
///
/// An IPv4 address mapped into IPv6 is the IPv4 address. Returns `None` for everything else.
pub fn parse_address(text: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    let text = str::from_utf8(text).ok()?;
    // An address of IPv6 has more colons than the one before a port.
    let (address, port) = match text.rsplit_once(':') {
        Some((v4, port)) if !v4.contains(':') => (IpAddr::V4(v4.parse().ok()?), Some(port)),
        Some((v6, port)) if v6.starts_with('[') => {
            let v6 = v6.strip_prefix('[')?.strip_suffix(']')?;
            (IpAddr::V6(v6.parse().ok()?), Some(port))
        }
        _ => (text.parse().ok()?, None),
    };
    let port = match port {
        Some(port) => Some(parse_port(port)?),
        None => None,
    };
    Some((address.to_canonical(), port))
}

/// Only digits: `u16::from_str` would also take a sign.
fn parse_port(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// Without host bits; a prefix of IPv4 addresses that are mapped into IPv6 is one of IPv4 addresses.
pub(crate) fn canonical_prefix(prefix: IpNet) -> IpNet {
    let prefix = prefix.trunc();
    let mapped = prefix
        .prefix_len()
        .checked_sub(96)
        .filter(|_| prefix.addr().to_canonical().is_ipv4());
    match mapped.map(|length| IpNet::new(prefix.addr().to_canonical(), length)) {
        Some(Ok(v4)) if !prefix.addr().is_ipv4() => v4,
        _ => prefix,
    }
}

/// A prefix as the key of a label, which has no colons: those of IPv6 are written `-`, with a `0` where the key would
/// otherwise begin or end in one.
pub(crate) fn key_of_prefix(prefix: IpNet) -> String {
    let address = format!("{}", prefix.addr()).replace(':', "-");
    let before = if address.starts_with('-') { "0" } else { "" };
    let after = if address.ends_with('-') { "0" } else { "" };
    format!("{before}{address}{after}/{}", prefix.prefix_len())
}

/// The prefix that the key of a label stands for; without a length it is a single address.
pub(crate) fn prefix_of_key(key: &str) -> Option<IpNet> {
    let text = key.replace('-', ":");
    text.parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        .map(canonical_prefix)
}

/// Prefixes and what they stand for; the longest prefix that holds an address wins.
///
/// Looking up costs one hash probe for each prefix length in use, at most.
#[derive(Clone, Debug)]
pub struct AddressTable<T> {
    /// Prefix lengths in use with their prefixes, longest first; one table for each IP version.
    v4: Vec<(u8, HashMap<u128, T>)>,
    v6: Vec<(u8, HashMap<u128, T>)>,
}

impl<T> Default for AddressTable<T> {
    fn default() -> Self {
        Self {
            v4: Vec::new(),
            v6: Vec::new(),
        }
    }
}

impl<T: Copy> AddressTable<T> {
    /// Adds a prefix (host bits are ignored). If it is there already, the table stays as it is and the value that
    /// the prefix has is returned.
    pub fn insert(&mut self, prefix: IpNet, value: T) -> Option<T> {
        self.claim(prefix, value).map(|present| *present)
    }

    /// As [`insert`](Self::insert), but the value that the prefix has may be changed.
    pub(crate) fn claim(&mut self, prefix: IpNet, value: T) -> Option<&mut T> {
        let length = prefix.prefix_len();
        let lengths = if prefix.addr().is_ipv4() {
            &mut self.v4
        } else {
            &mut self.v6
        };
        let at = lengths.partition_point(|(other, _)| *other > length);
        if lengths.get(at).is_none_or(|(other, _)| *other != length) {
            lengths.insert(at, (length, HashMap::new()));
        }
        let (_, prefixes) = lengths.get_mut(at)?;
        match prefixes.entry(masked(prefix.addr(), length)) {
            Entry::Occupied(present) => Some(present.into_mut()),
            Entry::Vacant(place) => {
                place.insert(value);
                None
            }
        }
    }

    /// Every prefix and its value.
    pub(crate) fn iter(&self) -> Vec<(IpNet, T)> {
        let v4 = self.v4.iter().map(|entry| (true, entry));
        let v6 = self.v6.iter().map(|entry| (false, entry));
        let prefixes = v4.chain(v6).flat_map(|(is_v4, (length, prefixes))| {
            let prefix = move |bits: &u128| {
                let v4_bits = u32::try_from(bits.wrapping_shr(96)).unwrap_or_default();
                let address = match is_v4 {
                    true => IpAddr::V4(v4_bits.into()),
                    false => IpAddr::V6((*bits).into()),
                };
                IpNet::new(address, *length).ok()
            };
            prefixes
                .iter()
                .filter_map(move |(bits, value)| Some((prefix(bits)?, *value)))
        });
        prefixes.collect()
    }

    /// The value of the longest prefix that holds the address.
    pub fn lookup(&self, address: IpAddr) -> Option<T> {
        let lengths = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        lengths
            .iter()
            .find_map(|(length, prefixes)| prefixes.get(&masked(address, *length)).copied())
    }
}

/// The address without the bits behind the prefix, at the top of 128 bits.
fn masked(address: IpAddr, length: u8) -> u128 {
    let bits = match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()).wrapping_shl(96),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let host_bits = 128_u32.saturating_sub(u32::from(length));
    let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
    bits & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_proxies_write_them() {
        for (text, want, why) in [
            ("10.0.0.1:80", Some(("10.0.0.1", Some(80))), "IPv4 with port"),
            ("10.0.0.1", Some(("10.0.0.1", None)), "IPv4 alone"),
            ("[::1]:65535", Some(("::1", Some(65535))), "IPv6 with port"),
            ("::1", Some(("::1", None)), "IPv6 alone"),
            (
                "[::ffff:10.0.0.1]:80",
                Some(("10.0.0.1", Some(80))),
                "a mapped address is IPv4",
            ),
            ("10.0.0.1:65536", None, "no such port"),
            ("10.0.0.1:+80", None, "a sign is no digit"),
            (
                "fd00::1:80",
                Some(("fd00::1:80", None)),
                "the last group of an address, not a port",
            ),
            ("[::1]", None, "brackets without a port"),
            (":80", None, "no address"),
            ("::1:80:", None, "empty port"),
            ("[10.0.0.1]:80", None, "brackets are for IPv6"),
            ("/tmp/socket", None, "a pipe"),
            ("", None, "nothing"),
        ] {
            let want = want.map(|(address, port)| (address.parse::<IpAddr>().expect(why), port));
            assert_eq!(parse_address(text.as_bytes()), want, "{text}: {why}");
        }
        assert_eq!(parse_address(b"\xff\xfe:80"), None, "not text");
    }

    #[test]
    fn mapped_prefixes_are_those_of_ipv4() {
        for (prefix, want) in [
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3/128", "10.1.2.3/32"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
            ("::ffff:0.0.0.0/95", "::fffe:0:0/95"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.1.2.3/32", "10.1.2.3/32"),
            ("fd00::1/64", "fd00::/64"),
        ] {
            let parse = |text: &str| text.parse::<IpNet>().expect("prefix");
            assert_eq!(canonical_prefix(parse(prefix)), parse(want), "{prefix}");
        }
    }

    #[test]
    fn prefixes_are_keys_of_labels() {
        for (prefix, key) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("::1/128", "0--1/128"),
            ("fd00::/8", "fd00--0/8"),
            ("::/0", "0--0/0"),
        ] {
            let prefix: IpNet = prefix.parse().expect("prefix");
            assert_eq!(key_of_prefix(prefix), key);
            assert_eq!(prefix_of_key(key), Some(prefix));
        }
        assert_eq!(prefix_of_key("10.0.0.1"), "10.0.0.1/32".parse().ok());
        assert_eq!(prefix_of_key("io.cilium"), None);
    }

    #[test]
    fn the_longest_prefix_wins_and_the_first_value_stays() {
        let mut table = AddressTable::default();
        for (prefix, value) in [
            ("10.0.0.0/8", 8),
            ("10.1.2.3/16", 16),
            ("10.1.2.3/32", 32),
            ("0.0.0.0/0", 0),
            ("::/0", 6),
        ] {
            assert_eq!(table.insert(prefix.parse().expect(prefix), value), None);
        }
        assert_eq!(table.insert("10.1.0.0/16".parse().expect("prefix"), 17), Some(16));
        for (address, want) in [
            ("10.1.2.3", 32),
            ("10.1.2.4", 16),
            ("10.2.0.0", 8),
            ("11.0.0.0", 0),
            ("::1", 6),
            ("255.255.255.255", 0),
        ] {
            assert_eq!(table.lookup(address.parse().expect(address)), Some(want), "{address}");
        }
        let empty = AddressTable::<u8>::default();
        assert_eq!(empty.lookup("10.0.0.1".parse().expect("address")), None);
    }
}

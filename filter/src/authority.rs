//! `:authority` as a destination: what Envoy will resolve and connect to.

use core::{net::IpAddr, net::Ipv4Addr, net::Ipv6Addr, str};
use policy_core::Destination;

/// The longest name that DNS knows.
const MAX_NAME: usize = 255;

/// The destination and port that an authority stands for; `default_port` if it names none.
///
/// `None` for everything a resolver might read differently than the policy does: several values joined by a comma,
/// user information, unbracketed IPv6, a number that is an address only to some (`127.1`, `0x7f000001`).
pub(crate) fn parse(authority: &[u8], default_port: u16) -> Option<(Destination<'_>, u16)> {
    let text = str::from_utf8(authority).ok()?;
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = if rest.is_empty() {
            default_port
        } else {
            parse_port(rest.strip_prefix(':')?)?
        };
        return Some((Destination::Address(IpAddr::V6(address).to_canonical()), port));
    }
    let (host, port) = match text.split_once(':') {
        None => (text, default_port),
        Some((host, port)) => (host, parse_port(port)?),
    };
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some((Destination::Address(IpAddr::V4(address)), port));
    }
    is_name(host).then_some((Destination::Name(host.as_bytes()), port))
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|port| *port != 0)
}

/// Labels of letters, digits, `-` and `_`; the last one is not a number, or resolvers may take it for an address.
fn is_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_number = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_digit())
            || label
                .strip_prefix("0x")
                .or_else(|| label.strip_prefix("0X"))
                .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    name.len() <= MAX_NAME
        && name.split('.').all(is_label)
        && name.rsplit('.').next().is_some_and(|last| !is_number(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_mean_one_thing() {
        let address = |text: &str| Destination::Address(text.parse().expect(text));
        for (text, want, why) in [
            ("cilium.io", (Destination::Name(b"cilium.io"), 80), "the default port"),
            ("cilium.io:443", (Destination::Name(b"cilium.io"), 443), "its own port"),
            (
                "Cilium.IO.:65535",
                (Destination::Name(b"Cilium.IO."), 65535),
                "case and final dot are for the engine",
            ),
            ("deathstar", (Destination::Name(b"deathstar"), 80), "one label"),
            (
                "0xfeed.example",
                (Destination::Name(b"0xfeed.example"), 80),
                "only the last label may not be a number",
            ),
            ("1.2.3.4", (address("1.2.3.4"), 80), "an address is an address"),
            ("1.2.3.4:8080", (address("1.2.3.4"), 8080), "with port"),
            ("[::1]", (address("::1"), 80), "IPv6"),
            ("[::1]:81", (address("::1"), 81), "IPv6 with port"),
            (
                "[::ffff:1.2.3.4]:81",
                (address("1.2.3.4"), 81),
                "a mapped address is IPv4",
            ),
        ] {
            assert_eq!(parse(text.as_bytes(), 80), Some(want), "{text}: {why}");
        }
    }

    #[test]
    fn authorities_that_could_mean_two_things_are_refused() {
        for (text, why) in [
            ("", "nothing"),
            (":80", "no host"),
            ("cilium.io:", "empty port"),
            ("cilium.io:0", "no port"),
            ("cilium.io:65536", "no port"),
            ("cilium.io:+80", "a sign is no digit"),
            ("good.com,bad.com", "two Host headers"),
            ("good.com@bad.com", "user information"),
            ("good.com:80@bad.com", "user information"),
            ("good.com/.bad.com", "a path"),
            ("good..com", "empty label"),
            (".", "only the root"),
            ("::1", "unbracketed: is the last group a port?"),
            ("::1:80", "unbracketed"),
            ("[::1", "unfinished"),
            ("[::1]80", "no colon"),
            ("[cilium.io]:80", "brackets are for addresses"),
            ("[fe80::1%25lo]:80", "a zone"),
            ("127.1", "127.0.0.1 for some resolvers"),
            ("2130706433", "127.0.0.1 for some resolvers"),
            ("0x7f000001", "127.0.0.1 for some resolvers"),
            ("0x7F.1.", "127.0.0.1 for some resolvers"),
            ("1.2.3.4.", "1.2.3.4 for some resolvers"),
            ("256.256.256.256", "not an address and not a name"),
        ] {
            assert_eq!(parse(text.as_bytes(), 80), None, "{text}: {why}");
        }
        assert_eq!(parse(b"caf\xe9.example", 80), None, "not text");
        assert_eq!(parse("café.example".as_bytes(), 80), None, "not ASCII");
        let label = "a".repeat(MAX_NAME);
        assert!(parse(label.as_bytes(), 80).is_some(), "the longest name");
        assert_eq!(parse(format!("{label}a").as_bytes(), 80), None, "longer than any name");
    }
}

//! The bytes in which the network filter hands its facts to the HTTP filter.
//!
//! Both are of one module, so nothing else ever reads them; what does not decode to the last byte is no facts.

use core::net::{IpAddr, Ipv6Addr};

use policy_core::{Protocol, Scope};

use super::{ConnectionDestination, ConnectionFacts, LocalWorkload};
use crate::claim::Claim;

const VERSION: u8 = 5;
const SCOPES: [Scope; 3] = [Scope::Ingress, Scope::Egress, Scope::Both];
const TRANSPORTS: [Protocol; 5] = [
    Protocol::Tcp,
    Protocol::Udp,
    Protocol::Sctp,
    Protocol::Icmp,
    Protocol::IcmpV6,
];
const ADDRESS_SIZE: usize = 16;

const ABSENT: u8 = 0;
const PRESENT: u8 = 1;
const AUTHORITY: u8 = 2;
const UPSTREAM: u8 = 3;
const ENDPOINT: u8 = 4;

/// Version, settings, scope, transport, authenticated, port, source, source port, destination, workload, claim. An
/// alternative begins with a byte that says which; numbers have their most significant byte first. The claim is the rest.
pub(super) fn encode(facts: &ConnectionFacts) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.push(VERSION);
    bytes.extend(facts.settings.to_be_bytes());
    bytes.push(position(&SCOPES, &facts.scope));
    bytes.push(position(&TRANSPORTS, &facts.transport));
    bytes.push(u8::from(facts.authenticated));
    put_port(&mut bytes, facts.port);
    match facts.source {
        None => bytes.push(ABSENT),
        Some(address) => put_address(&mut bytes, address),
    }
    put_port(&mut bytes, facts.source_port);
    match facts.destination {
        ConnectionDestination::Address(address) => put_address(&mut bytes, address),
        ConnectionDestination::Authority => bytes.push(AUTHORITY),
        ConnectionDestination::Upstream => bytes.push(UPSTREAM),
    }
    match &facts.workload {
        None => bytes.push(ABSENT),
        Some(LocalWorkload::Address(address)) => put_address(&mut bytes, *address),
        Some(LocalWorkload::Endpoint(name)) => {
            bytes.push(ENDPOINT);
            // No configuration is so long that this saturates, and if one were, nothing would decode.
            bytes.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend(name.as_bytes());
        }
    }
    if let Some(claim) = &facts.claim {
        claim.encode(&mut bytes);
    }
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Option<ConnectionFacts> {
    let mut rest = Rest(bytes);
    if rest.byte()? != VERSION {
        return None;
    }
    Some(ConnectionFacts {
        settings: u64::from_be_bytes(rest.array()?),
        scope: *SCOPES.get(usize::from(rest.byte()?))?,
        transport: *TRANSPORTS.get(usize::from(rest.byte()?))?,
        authenticated: match rest.byte()? {
            0 => false,
            1 => true,
            _ => return None,
        },
        port: rest.port()?,
        source: match rest.byte()? {
            ABSENT => None,
            PRESENT => Some(rest.address()?),
            _ => return None,
        },
        source_port: rest.port()?,
        destination: match rest.byte()? {
            PRESENT => ConnectionDestination::Address(rest.address()?),
            AUTHORITY => ConnectionDestination::Authority,
            UPSTREAM => ConnectionDestination::Upstream,
            _ => return None,
        },
        workload: match rest.byte()? {
            ABSENT => None,
            PRESENT => Some(LocalWorkload::Address(rest.address()?)),
            ENDPOINT => Some(LocalWorkload::Endpoint(rest.text()?)),
            _ => return None,
        },
        claim: match rest.0 {
            [] => None,
            claim => Some(Claim::decode(claim)?),
        },
    })
}

/// The position in a list, which no list above lets exceed a byte; a value that is in no list would not be decoded.
fn position<T: PartialEq>(list: &[T], value: &T) -> u8 {
    list.iter()
        .position(|other| other == value)
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(u8::MAX)
}

fn put_port(bytes: &mut Vec<u8>, port: Option<u16>) {
    match port {
        None => bytes.push(ABSENT),
        Some(port) => {
            bytes.push(PRESENT);
            bytes.extend(port.to_be_bytes());
        }
    }
}

/// In its IPv6 form.
fn put_address(bytes: &mut Vec<u8>, address: IpAddr) {
    let v6 = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    bytes.push(PRESENT);
    bytes.extend(v6.octets());
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn port(&mut self) -> Option<Option<u16>> {
        match self.byte()? {
            ABSENT => Some(None),
            PRESENT => Some(Some(u16::from_be_bytes(self.array()?))),
            _ => None,
        }
    }

    fn address(&mut self) -> Option<IpAddr> {
        let octets: [u8; ADDRESS_SIZE] = self.array()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(u32::from_be_bytes(self.array()?)).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

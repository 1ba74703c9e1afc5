//! What the host knows of a connection, and how the network filter hands it to the HTTP filter.
//!
//! Only the network filter reads addresses from the host: in an HTTP filter, `source.address` may come from the
//! client's `X-Forwarded-For`.

use core::net::{IpAddr, Ipv6Addr};
use core::str;

use policy_core::{AddressFacts, Destination, Protocol, Scope, parse_address};

use crate::{
    config::{DestinationSetting, DirectionSetting, Settings},
    host::Host,
    report::Refusal,
};

/// Filter state with the facts of a connection, private to the two filters.
const STATE: &str = "portcullis_conn";
const STATE_PROPERTY: &str = "filter_state\0wasm.portcullis_conn";

const SOURCE: &str = "source\0address";
const DESTINATION: &str = "destination\0address";
const LISTENER_DIRECTION: &str = "xds\0listener_direction";

/// The keys that a listener may set in its metadata, namespace `portcullis`; all values are strings.
const DIRECTION_KEY: &str = "xds\0listener_metadata\0filter_metadata\0portcullis\0direction";
const DESTINATION_KEY: &str = "xds\0listener_metadata\0filter_metadata\0portcullis\0destination";
const PORT_KEY: &str = "xds\0listener_metadata\0filter_metadata\0portcullis\0port";
const PROTOCOL_KEY: &str = "xds\0listener_metadata\0filter_metadata\0portcullis\0protocol";
const AUTHENTICATION_KEY: &str = "xds\0listener_metadata\0filter_metadata\0portcullis\0authentication";
const TRANSPORT_KEY: &str = "xds\0listener_metadata\0filter_metadata\0portcullis\0transport";

/// The destination port of an authority without one, unless the listener says otherwise.
const HTTP_PORT: u16 = 80;

/// The facts of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ConnectionFacts {
    /// How they were read. A policy with other settings would have read others, so it must not judge by these.
    pub(crate) settings: Settings,
    /// Whose policies are asked.
    pub(crate) scope: Scope,
    /// The peer that opened the connection; `None` if the host says that it has none.
    pub(crate) source: Option<IpAddr>,
    pub(crate) destination: ConnectionDestination,
    pub(crate) transport: Protocol,
    /// The logical destination port, which may be another than the listener's; for ICMP, the message type.
    pub(crate) port: u16,
    /// Whether the peer has proven who it is.
    pub(crate) authenticated: bool,
}

/// Where a connection goes, as far as the connection itself tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ConnectionDestination {
    Address(IpAddr),
    /// Each of its requests says so.
    Authority,
}

/// What stands behind the network filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Chain {
    /// The HTTP connection manager with the HTTP filter of this plugin, which decides on each request.
    Http,
    /// Anything else: what passes here is decided here.
    Tcp,
}

impl ConnectionFacts {
    /// Reads what the host knows of the connection whose callback runs.
    ///
    /// A value that is present but not understood is an error, never the default. A source may be
    /// absent; what that means is for the policy to say.
    pub(crate) fn gather<H: Host>(host: &H, settings: Settings) -> Result<Self, Refusal> {
        let direction = word(host, DIRECTION_KEY, DirectionSetting::from_bytes)?.unwrap_or(settings.direction);
        let scope = direction
            .scope()
            .or_else(|| listener_scope(host))
            .ok_or(Refusal::UnknownDirection)?;
        let destination = word(host, DESTINATION_KEY, DestinationSetting::from_bytes)?.unwrap_or(settings.destination);
        let transport = word(host, TRANSPORT_KEY, |text| str::from_utf8(text).ok()?.parse().ok())?;
        let port = word(host, PORT_KEY, parse_port)?;
        // Not `connection.mtls`, which is true for certificates that nobody verified, too.
        let authenticated = word(host, AUTHENTICATION_KEY, |text| (text == b"network").then_some(true))?;
        let source = address(host, SOURCE)?.map(|(address, _)| address);
        let (destination, port) = match destination {
            DestinationSetting::Authority => (ConnectionDestination::Authority, port.unwrap_or(HTTP_PORT)),
            DestinationSetting::Address => {
                let (address, bound) = address(host, DESTINATION)?.ok_or(Refusal::UnknownDestination)?;
                let port = port.or(bound).ok_or(Refusal::UnknownDestination)?;
                (ConnectionDestination::Address(address), port)
            }
        };
        Ok(Self {
            settings,
            scope,
            source,
            destination,
            transport: transport.unwrap_or(Protocol::Tcp),
            port,
            authenticated: authenticated.unwrap_or(false),
        })
    }

    /// The question for the engine about this destination and port.
    pub(crate) fn to<'a>(&self, destination: Destination<'a>, port: u16) -> AddressFacts<'a> {
        AddressFacts {
            source: self.source,
            destination,
            protocol: self.transport,
            port,
            authenticated: self.authenticated,
        }
    }

    /// Hands the facts to the HTTP filter. If that fails, it has none, and denies.
    pub(crate) fn hand_over<H: Host>(&self, host: &H) {
        let _ = host.set_state(STATE, &self.encode());
    }

    /// What the network filter handed over, for a policy with these settings.
    ///
    /// There is nothing if it did not run on this connection, and nothing of use if it had other settings.
    pub(crate) fn take_over<H: Host>(host: &H, settings: Settings) -> Result<Self, Refusal> {
        let bytes = host.property(STATE_PROPERTY).ok().flatten();
        let facts = bytes.and_then(|bytes| Self::decode(&bytes));
        let facts = facts.ok_or(Refusal::NoConnectionFacts)?;
        if facts.settings == settings {
            Ok(facts)
        } else {
            Err(Refusal::OutdatedConnectionFacts)
        }
    }

    /// Version, settings (direction, destination), scope, transport, port (most significant byte first),
    /// authenticated, source, destination; see [`encode_address`].
    fn encode(&self) -> [u8; SIZE] {
        let [port_high, port_low] = self.port.to_be_bytes();
        let destination = match self.destination {
            ConnectionDestination::Address(address) => Some(address),
            ConnectionDestination::Authority => None,
        };
        let mut bytes = [0; SIZE];
        let head = [
            VERSION,
            position(&DIRECTIONS, &self.settings.direction),
            position(&DESTINATIONS, &self.settings.destination),
            position(&SCOPES, &self.scope),
            position(&TRANSPORTS, &self.transport),
            port_high,
            port_low,
            u8::from(self.authenticated),
        ];
        let fields = head
            .into_iter()
            .chain(encode_address(self.source))
            .chain(encode_address(destination));
        bytes.iter_mut().zip(fields).for_each(|(place, byte)| *place = byte);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SIZE] = bytes.try_into().ok()?;
        let (head, addresses) = bytes.split_first_chunk::<HEAD_SIZE>()?;
        let (source, destination) = addresses.split_first_chunk::<ADDRESS_SIZE>()?;
        let [
            version,
            direction,
            resolved,
            scope,
            transport,
            port_high,
            port_low,
            authenticated,
        ] = *head;
        if version != VERSION {
            return None;
        }
        let settings = Settings {
            direction: *DIRECTIONS.get(usize::from(direction))?,
            destination: *DESTINATIONS.get(usize::from(resolved))?,
        };
        let destination = decode_address(destination.try_into().ok()?)?;
        Some(Self {
            settings,
            scope: *SCOPES.get(usize::from(scope))?,
            source: decode_address(source)?,
            destination: destination.map_or(ConnectionDestination::Authority, ConnectionDestination::Address),
            transport: *TRANSPORTS.get(usize::from(transport))?,
            port: u16::from_be_bytes([port_high, port_low]),
            authenticated: match authenticated {
                0 => false,
                1 => true,
                _ => return None,
            },
        })
    }
}

impl Chain {
    /// What the listener says; without a word it is taken for a chain where nobody looks at requests.
    pub(crate) fn of_listener<H: Host>(host: &H) -> Result<Self, Refusal> {
        let chain = |text: &[u8]| match text {
            b"http" => Some(Self::Http),
            b"tcp" => Some(Self::Tcp),
            _ => None,
        };
        Ok(word(host, PROTOCOL_KEY, chain)?.unwrap_or(Self::Tcp))
    }
}

/// A value of the listener's metadata; `None` if it is absent.
fn word<H: Host, T>(host: &H, key: &str, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>, Refusal> {
    match host.property(key) {
        Ok(None) => Ok(None),
        Ok(Some(text)) => parse(&text).map(Some).ok_or(Refusal::BadListenerMetadata),
        Err(_) => Err(Refusal::BadListenerMetadata),
    }
}

/// Inbound traffic arrives at its destination, outbound traffic leaves its source.
fn listener_scope<H: Host>(host: &H) -> Option<Scope> {
    let value = host.property(LISTENER_DIRECTION).ok()??;
    match i64::from_le_bytes(value.try_into().ok()?) {
        1 => Some(Scope::Ingress),
        2 => Some(Scope::Egress),
        _ => None,
    }
}

/// `None` only if the host says that there is none: an address that it cannot tell, or that nobody understands, is
/// not the same, or else rules about it would be skipped.
fn address<H: Host>(host: &H, property: &str) -> Result<Option<(IpAddr, Option<u16>)>, Refusal> {
    match host.property(property) {
        Ok(None) => Ok(None),
        Ok(Some(text)) => parse_address(&text).map(Some).ok_or(Refusal::UnknownAddress),
        Err(_) => Err(Refusal::UnknownAddress),
    }
}

fn parse_port(text: &[u8]) -> Option<u16> {
    let text = str::from_utf8(text).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

const VERSION: u8 = 3;
const DIRECTIONS: [DirectionSetting; 4] = [
    DirectionSetting::Listener,
    DirectionSetting::Ingress,
    DirectionSetting::Egress,
    DirectionSetting::Both,
];
const DESTINATIONS: [DestinationSetting; 2] = [DestinationSetting::Address, DestinationSetting::Authority];
const SCOPES: [Scope; 3] = [Scope::Ingress, Scope::Egress, Scope::Both];
const TRANSPORTS: [Protocol; 5] = [
    Protocol::Tcp,
    Protocol::Udp,
    Protocol::Sctp,
    Protocol::Icmp,
    Protocol::IcmpV6,
];
/// One byte that says whether there is an address, then the address in its IPv6 form.
const ADDRESS_SIZE: usize = 17;
/// What comes before the addresses.
const HEAD_SIZE: usize = 8;
const SIZE: usize = HEAD_SIZE + 2 * ADDRESS_SIZE;

/// The position in a list, which no list above lets exceed a byte; a value that is in no list would not be decoded.
fn position<T: PartialEq>(list: &[T], value: &T) -> u8 {
    list.iter()
        .position(|other| other == value)
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(u8::MAX)
}

fn encode_address(address: Option<IpAddr>) -> impl Iterator<Item = u8> {
    let v6 = match address {
        None => Ipv6Addr::UNSPECIFIED,
        Some(IpAddr::V4(v4)) => v4.to_ipv6_mapped(),
        Some(IpAddr::V6(v6)) => v6,
    };
    core::iter::once(u8::from(address.is_some())).chain(v6.octets())
}

/// The outer `None` is for bytes that [`encode_address`] does not make.
fn decode_address(bytes: &[u8; ADDRESS_SIZE]) -> Option<Option<IpAddr>> {
    let (present, octets) = bytes.split_first()?;
    let octets: [u8; 16] = octets.try_into().ok()?;
    match present {
        0 => Some(None),
        1 => Some(Some(IpAddr::V6(octets.into()).to_canonical())),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

//! What the host knows of a connection, and how the network filter hands it to the HTTP filter.
//!
//! Only the network filter reads who is at the ends: in an HTTP filter, `source.address` may come from the client's
//! `X-Forwarded-For`.

mod encoding;
mod identity;
mod listener;

use core::{net::IpAddr, str};

use policy_core::{AddressFacts, Destination, Protocol, Scope, Workload, parse_address};

use crate::{
    claim::Claim,
    config::{CertificateSetting, DestinationSetting, DirectionSetting, Settings, WorkloadSetting},
    host::Host,
    report::Refusal,
};
pub(crate) use listener::{Chain, Listener};

/// Filter state with the facts of a connection, private to the two filters. It is also a property of this name, which
/// Envoy finds sooner than the same one below `filter_state`.
const STATE: &str = "portcullis_conn";

const SOURCE: &str = "source\0address";
const DESTINATION: &str = "destination\0address";
const UPSTREAM: &str = "upstream\0address";
const NODE_METADATA: &str = "xds\0node\0metadata\0";

/// The destination port of an authority without one, unless the listener says otherwise.
const HTTP_PORT: u16 = 80;

/// The facts of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ConnectionFacts {
    /// By which settings they were read. A policy with others would have read other facts, so it must not judge by
    /// these.
    pub(crate) settings: u64,
    /// Whose policies are asked.
    pub(crate) scope: Scope,
    /// The peer that opened the connection; `None` if the host says that it has none.
    pub(crate) source: Option<IpAddr>,
    /// For logs only.
    pub(crate) source_port: Option<u16>,
    pub(crate) destination: ConnectionDestination,
    /// The workload that the proxy serves, if it serves but one.
    pub(crate) workload: Option<LocalWorkload>,
    pub(crate) transport: Protocol,
    /// The logical destination port, which may be another than the listener's; for ICMP, the message type.
    pub(crate) port: Option<u16>,
    /// What is known of the peer beside its address.
    pub(crate) claim: Option<Claim>,
    /// Whether the peer has proven who it is.
    pub(crate) authenticated: bool,
}

/// Where a connection goes, as far as the connection itself tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ConnectionDestination {
    Address(IpAddr),
    /// Each of its requests says so.
    Authority,
    /// Wherever Envoy sends it, or each of its requests.
    Upstream,
}

/// The workload that the proxy serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum LocalWorkload {
    Endpoint(String),
    Address(IpAddr),
}

/// What the connection tells once there are bytes on it, and not before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Later {
    certificate: CertificateSetting,
    /// Whether the destination is the upstream of the connection.
    upstream: bool,
}

impl Later {
    /// Whether there is anything to wait for.
    pub(crate) fn matters(self) -> bool {
        self.upstream || self.certificate != CertificateSetting::Ignored
    }
}

impl ConnectionFacts {
    /// Reads what the host knows of the connection whose callback runs, when it is new; and what it will know later.
    ///
    /// A value that is present but not understood is an error, never the default. A source may be
    /// absent; what that means is for the policy to say.
    ///
    /// `id` is [`Settings::of_facts`] of these settings, which the policy has at hand.
    pub(crate) fn gather<H: Host>(
        host: &H,
        listener: &Listener,
        settings: &Settings,
        id: u64,
    ) -> Result<(Self, Chain, Later), Refusal> {
        let chain = listener.chain()?;
        let direction = listener
            .word("direction", DirectionSetting::from_bytes)?
            .unwrap_or(settings.direction);
        let scope = direction
            .scope()
            .or_else(|| listener::scope(host))
            .ok_or(Refusal::UnknownDirection)?;
        let destination = listener
            .word("destination", DestinationSetting::from_bytes)?
            .unwrap_or(settings.destination);
        let transport = listener.word("transport", |text| str::from_utf8(text).ok()?.parse().ok())?;
        let port = listener.word("port", listener::parse_port)?;
        // Not `connection.mtls`, which is true for certificates that nobody verified, too.
        let authenticated = listener.word("authentication", |text| (text == b"network").then_some(true))?;
        let certificate = listener.word("certificate", CertificateSetting::from_bytes)?;
        let (source, source_port) = address(host, SOURCE)?.unzip();
        let (destination, port) = match destination {
            DestinationSetting::Authority => (ConnectionDestination::Authority, Some(port.unwrap_or(HTTP_PORT))),
            DestinationSetting::Upstream => (ConnectionDestination::Upstream, port),
            DestinationSetting::Address => {
                let (address, bound) = address(host, DESTINATION)?.ok_or(Refusal::UnknownDestination)?;
                let port = port.or(bound).ok_or(Refusal::UnknownDestination)?;
                (ConnectionDestination::Address(address), Some(port))
            }
        };
        let later = Later {
            certificate: certificate.unwrap_or(settings.identity.certificate),
            upstream: destination == ConnectionDestination::Upstream && chain == Chain::Tcp,
        };
        let facts = Self {
            settings: id,
            scope,
            source,
            source_port: source_port.flatten(),
            destination,
            workload: local_workload(host, settings)?,
            transport: transport.unwrap_or(Protocol::Tcp),
            port,
            claim: None,
            authenticated: authenticated.unwrap_or(false),
        };
        Ok((facts, chain, later))
    }

    /// Reads the rest, which must be there by now: who the peer is, and where the connection goes.
    pub(crate) fn complete<H: Host>(
        &mut self,
        host: &H,
        listener: &Listener,
        settings: &Settings,
        later: Later,
    ) -> Result<(), Refusal> {
        let peer = identity::of_peer(host, listener, &settings.identity, later.certificate)?;
        self.authenticated |= peer.authenticated;
        self.claim = peer.claim;
        if later.upstream {
            let (address, port) = upstream(host)?.ok_or(Refusal::UnknownDestination)?;
            self.destination = ConnectionDestination::Address(address);
            self.port = self.port.or(port);
        }
        Ok(())
    }

    /// The question for the engine about this destination and port.
    pub(crate) fn to<'a>(&'a self, destination: Destination<'a>, port: u16) -> AddressFacts<'a> {
        AddressFacts {
            source: self.source,
            claim: self.claim.as_ref().map(Claim::for_engine),
            workload: self.workload.as_ref().map(|workload| match workload {
                LocalWorkload::Endpoint(name) => Workload::Endpoint(name),
                LocalWorkload::Address(address) => Workload::Address(*address),
            }),
            destination,
            protocol: self.transport,
            port,
            authenticated: self.authenticated,
        }
    }

    /// Where it goes, if the connection tells.
    pub(crate) fn address_and_port(&self) -> Option<(Destination<'_>, u16)> {
        match self.destination {
            ConnectionDestination::Address(address) => Some((Destination::Address(address), self.port?)),
            ConnectionDestination::Authority | ConnectionDestination::Upstream => None,
        }
    }

    /// Makes the facts visible to the HTTP filter. Should that fail, it has none, and denies.
    pub(crate) fn hand_over<H: Host>(&self, host: &H) {
        let _ = host.set_state(STATE, &encoding::encode(self));
    }

    /// What the network filter handed over. There is nothing if it did not run on this connection.
    pub(crate) fn handed_over<H: Host>(host: &H) -> Result<Vec<u8>, Refusal> {
        let bytes = host.property(STATE).ok().flatten();
        bytes.ok_or(Refusal::NoConnectionFacts)
    }

    /// The facts in what was handed over, for a policy with these settings. They are of no use if the network filter
    /// had others.
    pub(crate) fn read(bytes: &[u8], settings: u64) -> Result<Self, Refusal> {
        let facts = encoding::decode(bytes).ok_or(Refusal::NoConnectionFacts)?;
        if facts.settings == settings {
            Ok(facts)
        } else {
            Err(Refusal::OutdatedConnectionFacts)
        }
    }
}

/// The address of the upstream that Envoy chose; `None` as long as it has not.
pub(crate) fn upstream<H: Host>(host: &H) -> Result<Option<(IpAddr, Option<u16>)>, Refusal> {
    match host.property(UPSTREAM) {
        Ok(Some(text)) if text.is_empty() => Ok(None),
        _ => address(host, UPSTREAM),
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

fn local_workload<H: Host>(host: &H, settings: &Settings) -> Result<Option<LocalWorkload>, Refusal> {
    let node = |key: &str| {
        let value = host.property(&format!("{NODE_METADATA}{key}")).ok().flatten()?;
        String::from_utf8(value).ok().filter(|value| !value.is_empty())
    };
    Ok(match &settings.workload {
        None => None,
        Some(WorkloadSetting::Endpoint(name)) => Some(LocalWorkload::Endpoint(name.clone())),
        Some(WorkloadSetting::Address(address)) => Some(LocalWorkload::Address(*address)),
        Some(WorkloadSetting::NodeMetadata(keys)) => {
            let (namespace, name) = node(&keys.namespace)
                .zip(node(&keys.name))
                .ok_or(Refusal::UnknownWorkload)?;
            Some(LocalWorkload::Endpoint(format!("{namespace}/{name}")))
        }
    })
}

#[cfg(test)]
mod tests;

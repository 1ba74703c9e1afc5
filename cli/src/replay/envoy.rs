//! Lines of Envoy's access log: those of our own configuration, and the keys that Istio and most others use.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

use policy_core::Protocol;
use serde::Deserialize;

use super::{
    reason,
    record::{Asked, ClaimWords, End, Message, Record, Request, ServerName, Then, To},
    skip::{Skip, Why},
};
use crate::args::{LoggedDestination, PortMap};

/// How lines are to be read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) destination: LoggedDestination,
    pub(super) port_maps: Vec<PortMap>,
}

/// The fields that are read, ours first; all others have no meaning here.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Line<'a> {
    source: Option<Cow<'a, str>>,
    downstream_direct_remote_address: Option<Cow<'a, str>>,
    downstream_remote_address: Option<Cow<'a, str>>,
    destination: Option<Cow<'a, str>>,
    downstream_local_address: Option<Cow<'a, str>>,
    upstream: Option<Cow<'a, str>>,
    upstream_host: Option<Cow<'a, str>>,
    traffic_direction: Option<Cow<'a, str>>,
    peer: Option<Cow<'a, str>>,
    method: Option<Cow<'a, str>>,
    path: Option<Cow<'a, str>>,
    authority: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sni: Told<'a>,
    #[serde(borrow)]
    requested_server_name: Told<'a>,
    verdict: Option<Cow<'a, str>>,
    reason: Option<Cow<'a, str>>,
    rule: Option<Cow<'a, str>>,
    l4: Option<Cow<'a, str>>,
    http: Option<Cow<'a, str>>,
    details: Option<Cow<'a, str>>,
    response_code_details: Option<Cow<'a, str>>,
    connection_termination_details: Option<Cow<'a, str>>,
}

/// A field of which it matters whether it is there, though it be null.
#[derive(Default)]
enum Told<'a> {
    #[default]
    Not,
    As(Option<Cow<'a, str>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Told<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::As)
    }
}

impl Line<'_> {
    /// The flow, or why it cannot be judged.
    pub(super) fn record(self, reading: &Reading) -> Result<Record, Skip> {
        let sources = [
            &self.source,
            &self.downstream_direct_remote_address,
            &self.downstream_remote_address,
        ];
        let Some(source) = first(sources) else {
            return Err(Why::NoFlow.into());
        };
        let then = self.then()?;
        let (destination, port) = self.destination(reading)?;
        let message = self.request();
        Ok(Record {
            source: End::at(address(source)?.0),
            destination,
            protocol: Protocol::Tcp,
            port,
            asked: match self.traffic_direction.as_deref() {
                Some("INBOUND" | "INGRESS") => Some(Asked::Ingress),
                Some("OUTBOUND" | "EGRESS") => Some(Asked::Egress),
                _ => None,
            },
            claim: known(&self.peer).map(ClaimWords::parse).transpose()?,
            names: Vec::new(),
            server_name: self.server_name(),
            is_authenticated: then.is_authenticated(),
            has_lines_for_messages: false,
            message,
            then,
        })
    }

    /// What was decided: the plugin's verdict on the request or the connection, or else what shows in the rest of the
    /// line: a native RBAC filter refused, or Envoy had an upstream for it.
    fn then(&self) -> Result<Then, Skip> {
        let is_request = known(&self.method).is_some();
        let layer = if is_request { &self.http } else { &self.l4 };
        let reason = known(&self.reason);
        let own = |text: &Option<Cow<'_, str>>| known(text).map(str::to_owned);
        let allowed = match known(&self.verdict).or_else(|| known(layer)) {
            Some("allow") if reason == Some("left-to-upstream") => {
                return Err(Skip::new(Why::DecidedElsewhere, "left-to-upstream"));
            }
            // Of a connection with requests the plugin says only that it may be, and nothing of where it goes.
            Some("allow") if !is_request && known(&self.verdict).is_none() => {
                return Err(Why::ToldByRequests.into());
            }
            Some("allow") => true,
            Some("deny" | "conflict") => {
                reason::of_policy(reason)?;
                false
            }
            Some("pending") => return Err(Skip::new(Why::NoVerdict, "pending")),
            Some(other) => {
                return Err(Skip::new(Why::Malformed, format!("verdict: `{other}` is none")));
            }
            None => return self.inferred(),
        };
        Ok(Then {
            allowed,
            reason: own(&self.reason),
            rule: own(&self.rule),
        })
    }

    fn inferred(&self) -> Result<Then, Skip> {
        let details = [
            &self.details,
            &self.response_code_details,
            &self.connection_termination_details,
        ];
        let refused =
            |details: &&str| details.starts_with("rbac_access_denied") || details.starts_with("portcullis_denied");
        let elsewhere =
            |details: &&str| details.starts_with("ext_authz_denied") || details.starts_with("jwt_authn_access_denied");
        let mut details = details.into_iter().filter_map(known);
        if let Some(details) = details.clone().find(refused) {
            return Ok(Then {
                allowed: false,
                reason: Some(details.to_owned()),
                rule: None,
            });
        }
        if let Some(details) = details.find(elsewhere) {
            return Err(Skip::new(Why::DecidedElsewhere, details.to_owned()));
        }
        match first([&self.upstream, &self.upstream_host]) {
            Some(_) => Ok(Then {
                allowed: true,
                ..Then::default()
            }),
            None => Err(Skip::new(Why::NoVerdict, "no verdict, and no upstream")),
        }
    }

    fn destination(&self, reading: &Reading) -> Result<(To, u16), Skip> {
        let listened = first([&self.destination, &self.downstream_local_address]);
        let place = match reading.destination {
            LoggedDestination::Address | LoggedDestination::Authority => listened,
            LoggedDestination::Upstream => first([&self.upstream, &self.upstream_host]),
        };
        let Some(place) = place else {
            return Err(Skip::new(Why::UnknownPeer, "no destination"));
        };
        let (address, Some(port)) = address(place)? else {
            return Err(Skip::new(Why::NoPort, place.to_owned()));
        };
        let mapped = reading.port_maps.iter().find(|map| map.from == port);
        let port = mapped.map_or(port, |map| map.to);
        if reading.destination != LoggedDestination::Authority {
            return Ok((To::End(End::at(address)), port));
        }
        match known(&self.authority) {
            Some(authority) => Ok((To::Name(host(authority).to_owned()), port)),
            None => Err(Skip::new(Why::UnknownPeer, "no authority")),
        }
    }

    fn server_name(&self) -> ServerName {
        let told = match (&self.sni, &self.requested_server_name) {
            (Told::As(told), _) | (Told::Not, Told::As(told)) => told,
            (Told::Not, Told::Not) => return ServerName::NotRecorded,
        };
        known(told).map_or(ServerName::Absent, |name| ServerName::Name(name.to_owned()))
    }

    fn request(&self) -> Option<Message> {
        Some(Message::Http(Request {
            method: known(&self.method)?.to_owned(),
            path: known(&self.path)?.to_owned(),
            authority: known(&self.authority).map(str::to_owned),
            headers: None,
        }))
    }
}

/// What Envoy knew: it writes `null`, `-` or nothing for what it did not.
fn known<'a>(text: &'a Option<Cow<'_, str>>) -> Option<&'a str> {
    text.as_deref().filter(|text| !text.is_empty() && *text != "-")
}

fn first<'a, const N: usize>(texts: [&'a Option<Cow<'_, str>>; N]) -> Option<&'a str> {
    texts.into_iter().find_map(known)
}

/// `10.0.0.1:80`, `[::1]:80`, or an address alone.
fn address(text: &str) -> Result<(IpAddr, Option<u16>), Skip> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((
            address.ip().to_canonical(),
            Some(address.port()).filter(|port| *port != 0),
        ));
    }
    match text.parse::<IpAddr>() {
        Ok(address) => Ok((address.to_canonical(), None)),
        // A pipe, or a listener inside Envoy.
        Err(_) => Err(Skip::new(Why::UnknownPeer, format!("`{text}` is no address"))),
    }
}

/// The name in an authority, without port.
fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

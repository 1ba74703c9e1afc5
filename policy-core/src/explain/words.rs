//! A condition that failed, in words.

mod labels;
mod ports;

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    fmt::{self, Display},
    net::IpAddr,
};

use ipnet::IpNet;

use super::{Found, Missed};
use crate::{engine::CLUSTER_KEY, kafka, selector::Selector};

impl Missed {
    /// The condition in words: one line, lower case, without full stop. `address` is that of the peer, if somebody knows
    /// it; the engine itself knows peers by what rules can tell apart.
    pub fn words(&self, address: Option<IpAddr>) -> String {
        match self {
            Self::NoPeer => "the rule is for no peer at all".into(),
            Self::Labels { labels: missed } => labels::unmet(missed),
            Self::Endpoints { wanted, found } => format!("{}, the rule is for {}", peer(found), endpoints(wanted)),
            Self::Entity { wanted, found } => {
                format!("{}, the rule is for the entity {}", peer(found), wanted.as_str())
            }
            Self::Cidr {
                wanted,
                except,
                within,
                found,
            } => match found {
                Found::Outside { .. } => outside(address, *wanted, except, *within),
                _ => format!(
                    "{}, the rule is for addresses outside, in {wanted}{}",
                    peer(found),
                    but(except)
                ),
            },
            Self::Address {
                wanted, except, within, ..
            } => outside(address, *wanted, except, *within),
            Self::CidrGroup {
                wanted, within, found, ..
            } => match (found, within) {
                (Found::Outside { .. }, Some(within)) => excepted(address, *within, &wanted.to_string()),
                (Found::Outside { .. }, None) => format!("{} is in no CIDR group with {wanted}", the(address)),
                (found, _) => format!("{}, the rule is for addresses outside, with {wanted}", peer(found)),
            },
            Self::Name { wanted, found } => name(address, wanted, found),
            Self::NoPort => "the rule names no port at all".into(),
            Self::Port { .. } => ports::port(self),
            Self::ServerName { wanted, found } => match found {
                Some(found) => format!("server name {found} is not {}", either(wanted, "or")),
                None => format!(
                    "the client asks for no TLS server name, wanted {}",
                    either(wanted, "or")
                ),
            },
            Self::Method { wanted, found } => field("method", wanted, found.as_deref()),
            Self::Path { wanted, found } => field("path", wanted, found.as_deref()),
            Self::Host { wanted, found } => field("host", wanted, found.as_deref()),
            Self::Header { .. } | Self::Secret { .. } => self.header(),
            Self::Query { wanted, found } => format!("the query for {found} does not match {wanted}"),
            Self::ApiKey { .. } | Self::ApiVersion { .. } | Self::ClientId { .. } | Self::Topic { .. } => {
                self.message()
            }
        }
    }

    fn header(&self) -> String {
        match self {
            Self::Header {
                name,
                wanted,
                secret,
                missing,
            } => {
                let state = if *missing { "is missing" } else { "differs" };
                match wanted {
                    Some(wanted) if *missing => format!("header {name} is missing, wanted `{wanted}`"),
                    Some(wanted) => format!("header {name} is not `{wanted}`"),
                    None if *secret && !missing => format!("header {name} is not as its secret"),
                    None => format!("header {name} {state}"),
                }
            }
            Self::Secret { name } => format!("the secret for header {name} cannot be read"),
            _ => String::new(),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::ApiKey { wanted, found } => {
                let wanted: Vec<_> = wanted.iter().copied().map(kafka::name_of).collect();
                format!("request {} is not {}", kafka::name_of(*found), either(&wanted, "or"))
            }
            Self::ApiVersion { wanted, found } => format!("API version {found} is not {wanted}"),
            Self::ClientId { wanted, found } if found.is_empty() => {
                format!("the client gives no name, wanted {wanted}")
            }
            Self::ClientId { wanted, found } => format!("client {found} is not {wanted}"),
            Self::Topic { wanted, found } => match found.as_slice() {
                [] => format!("the request is about all topics, the rule is for {wanted}"),
                [topic] => format!("topic {topic} is not {wanted}"),
                topics => format!("the topics {} are not all {wanted}", topics.join(", ")),
            },
            _ => String::new(),
        }
    }
}

impl Display for Missed {
    /// [`Missed::words`] without an address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(None))
    }
}

fn peer(found: &Found) -> String {
    match found {
        Found::Workload => "the peer is in the cluster".into(),
        Found::Reserved { labels } => format!("the peer is {labels}"),
        Found::Outside { names } if names.is_empty() => "the peer is outside the cluster".into(),
        Found::Outside { names } => format!("the peer is {}, outside the cluster", known_as(names)),
        Found::Name { name } => format!("the peer is {name}"),
        Found::Unknown => "the peer is not known".into(),
    }
}

fn the(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "the peer's address".into(), |address| format!("address {address}"))
}

fn outside(address: Option<IpAddr>, wanted: IpNet, except: &[IpNet], within: Option<IpNet>) -> String {
    match within {
        Some(within) => excepted(address, within, &wanted.to_string()),
        None => format!("{} is outside {wanted}{}", the(address), but(except)),
    }
}

fn excepted(address: Option<IpAddr>, within: IpNet, wanted: &str) -> String {
    format!("{} is in {within}, which the rule excepts from {wanted}", the(address))
}

fn but(except: &[IpNet]) -> String {
    let except: Vec<String> = except.iter().map(ToString::to_string).collect();
    let but = if except.is_empty() { "" } else { " except " };
    format!("{but}{}", except.join(", "))
}

fn name(address: Option<IpAddr>, wanted: &str, found: &Found) -> String {
    match found {
        Found::Name { name } => format!("name {name} does not match {wanted}"),
        Found::Outside { names } => {
            let address = address.map_or_else(|| "the peer's address".into(), |address| address.to_string());
            let unknown = format!("no DNS answer seen that gives {address} for {wanted}");
            match names.as_slice() {
                [] => unknown,
                names => format!("{unknown}, only for {}", known_as(names)),
            }
        }
        found => format!("{}, the rule is for {wanted}, outside", peer(found)),
    }
}

fn known_as(names: &[String]) -> String {
    let names: Vec<&str> = names.iter().map(|name| name.trim_end_matches('.')).collect();
    either(&names, "and")
}

/// `a, b or c`.
fn either<T: AsRef<str>>(all: &[T], word: &str) -> String {
    let all: Vec<&str> = all.iter().map(AsRef::as_ref).collect();
    match all.split_last() {
        None => "nothing".into(),
        Some((last, [])) => (*last).into(),
        Some((last, others)) => format!("{} {word} {last}", others.join(", ")),
    }
}

/// Whom a selector is for. That they are in the cluster goes without saying.
fn endpoints(selector: &Selector) -> String {
    let all = selector.requirements().iter();
    let said: Vec<String> = all
        .filter(|requirement| requirement.key().key() != CLUSTER_KEY)
        .map(labels::wanted)
        .collect();
    match said.is_empty() {
        true => "endpoints of the cluster".into(),
        false => format!("endpoints with {}", said.join(", ")),
    }
}

fn field(what: &str, wanted: &str, found: Option<&str>) -> String {
    match found {
        Some(found) => format!("{what} {found} is not {wanted}"),
        None => format!("the request has no {what}, wanted {wanted}"),
    }
}

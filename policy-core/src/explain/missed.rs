//! A condition that failed, with what the rule wants and what there was instead.

use alloc::{boxed::Box, string::String, vec::Vec};

use ipnet::IpNet;

use crate::{
    bundle::{NamedPort, PortPattern, ReservedEntity},
    flow::Protocol,
    labels::Labels,
    selector::{Requirement, Selector},
};

/// A condition of a rule that failed. `Display` says it in words; the JSON form has its kind in `condition`.
///
/// Where a question met several patterns of a rule, of which one would be enough, it is the one that came closest.
/// Secrets are in neither form.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(tag = "condition", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Missed {
    /// The rule is for no peer at all.
    NoPeer,
    /// The peer has other labels: every requirement that does not hold, at least one.
    Labels {
        /// What is wanted, and found.
        labels: Vec<MissedLabel>,
    },
    /// The rule is for endpoints, and the peer is none.
    Endpoints {
        /// The endpoints.
        wanted: Selector,
        /// The peer.
        found: Found,
    },
    /// The rule is for peers of another kind.
    Entity {
        /// The kind.
        wanted: ReservedEntity,
        /// The peer.
        found: Found,
    },
    /// The rule is for addresses outside the cluster, and the peer has none of them.
    Cidr {
        /// The addresses.
        wanted: IpNet,
        /// Those that do not match all the same.
        except: Vec<IpNet>,
        /// Of those, what the address of the peer is in.
        within: Option<IpNet>,
        /// The peer.
        found: Found,
    },
    /// The rule is for addresses wherever they are, and the peer has none of them.
    Address {
        /// The addresses.
        wanted: IpNet,
        /// Those that do not match all the same.
        except: Vec<IpNet>,
        /// Of those, what the address of the peer is in.
        within: Option<IpNet>,
        /// The peer.
        found: Found,
    },
    /// The rule is for addresses outside the cluster that have labels, and the peer has none of them.
    CidrGroup {
        /// The labels.
        wanted: Selector,
        /// Addresses that do not match all the same.
        except: Vec<IpNet>,
        /// Of those, what the address of the peer is in.
        within: Option<IpNet>,
        /// The peer.
        found: Found,
    },
    /// The rule is for addresses that DNS gave for a name, and no known answer gives that of the peer.
    Name {
        /// The name or pattern.
        wanted: Box<str>,
        /// The peer.
        found: Found,
    },
    /// The rule is for no port at all.
    NoPort,
    /// The rule is for other protocols or ports.
    Port {
        /// All that the rule is for.
        wanted: Vec<PortPattern>,
        /// The protocol of the flow.
        protocol: Protocol,
        /// Its port; for ICMP the type of the message.
        port: u16,
        /// Who gives the names of `wanted` their numbers.
        owner: PortOwner,
        /// The numbers that the owner gives to those names.
        named: Vec<NamedPort>,
    },
    /// The rule is for other TLS server names.
    ServerName {
        /// The names and patterns.
        wanted: Vec<Box<str>>,
        /// What the client asks for; `None` if it asks for no name, or does not speak TLS.
        found: Option<Box<str>>,
    },
    /// The rule is for requests with another method.
    Method {
        /// The expression.
        wanted: Box<str>,
        /// The method of the request, if it has one.
        found: Option<Box<str>>,
    },
    /// The rule is for requests with another path.
    Path {
        /// The expression.
        wanted: Box<str>,
        /// The path of the request, if it has one.
        found: Option<Box<str>>,
    },
    /// The rule is for requests to another host.
    Host {
        /// The expression.
        wanted: Box<str>,
        /// The host of the request, if it has one.
        found: Option<Box<str>>,
    },
    /// The rule is for requests with a header. Its value in the request is not told.
    Header {
        /// The name of the header.
        name: Box<str>,
        /// The value; `None` if any will do, or it is a secret.
        wanted: Option<Box<str>>,
        /// Whether the value is a secret.
        secret: bool,
        /// Whether the request has no such header at all.
        missing: bool,
    },
    /// The rule is for requests with a header whose value is a secret that nobody could read. It matches nothing.
    Secret {
        /// The name of the header.
        name: Box<str>,
    },
    /// The rule is for queries for other names.
    Query {
        /// The name or pattern.
        wanted: Box<str>,
        /// The name that is asked for.
        found: Box<str>,
    },
    /// The rule is for other kinds of Kafka requests.
    ApiKey {
        /// Their keys.
        wanted: Vec<i16>,
        /// The key of the request.
        found: i16,
    },
    /// The rule is for Kafka requests of another version.
    ApiVersion {
        /// The version.
        wanted: i16,
        /// That of the request.
        found: i16,
    },
    /// The rule is for another Kafka client.
    ClientId {
        /// Its name.
        wanted: Box<str>,
        /// The name that the client gives.
        found: Box<str>,
    },
    /// The rule is for another Kafka topic.
    Topic {
        /// The topic.
        wanted: Box<str>,
        /// Those of the request; none if it is about all of them.
        found: Vec<Box<str>>,
    },
}

/// A requirement on labels that does not hold.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct MissedLabel {
    /// What is wanted.
    pub wanted: Requirement,
    /// The labels with that key, from whatever source.
    pub found: Labels,
}

/// A peer, as far as it is known.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Found {
    /// A workload of the cluster.
    Workload,
    /// A part of the cluster that has a name of its own, such as a node.
    Reserved {
        /// Its labels.
        labels: Labels,
    },
    /// An address outside the cluster.
    Outside {
        /// The names that DNS gave it for.
        names: Vec<String>,
    },
    /// A destination of which only the name is known.
    Name {
        /// The name.
        name: Box<str>,
    },
    /// Nobody knows.
    Unknown,
}

/// Whose port names a rule means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortOwner {
    /// Those of the subject, into which the flow goes.
    Subject,
    /// Those of the peer, to which the flow goes.
    Peer,
    /// Those of a peer whose ports nobody knows.
    Unknown,
}

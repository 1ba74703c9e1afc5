//! The words of a flow: direction, protocol, and the peer as far as it is known.

use core::{fmt, str::FromStr};

use crate::{engine::IdentityId, http::HttpFacts, kafka::KafkaRequest};

/// Seen from the subject: does the flow arrive or leave?
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// The peer opened the flow to the subject.
    Ingress,
    /// The subject opened the flow to the peer.
    Egress,
}

impl Direction {
    /// `ingress` or `egress`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The IP version that an ICMP message belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum IcmpFamily {
    /// ICMP.
    #[serde(rename = "IPv4")]
    V4,
    /// ICMPv6.
    #[serde(rename = "IPv6")]
    V6,
}

/// The transport protocol of a flow. For ICMP the "port" of a flow is the message type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum Protocol {
    /// TCP.
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP.
    #[serde(rename = "SCTP")]
    Sctp,
    /// ICMP over IPv4.
    #[serde(rename = "ICMP")]
    Icmp,
    /// ICMP over IPv6.
    #[serde(rename = "ICMPv6")]
    IcmpV6,
}

impl Protocol {
    /// The name as policies write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
            Self::Icmp => "ICMP",
            Self::IcmpV6 => "ICMPv6",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Tcp, Self::Udp, Self::Sctp, Self::Icmp, Self::IcmpV6]
            .into_iter()
            .find(|protocol| protocol.as_str().eq_ignore_ascii_case(text))
            .ok_or(())
    }
}

/// The other side of a flow, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer<'a> {
    /// A peer of known identity.
    Identity(IdentityId),
    /// A destination that the proxy resolves itself: only its name is known. The name is as the client wrote it,
    /// without port; it matches names and nothing else.
    Name(&'a [u8]),
    /// Nothing is known. A deny rule matches, an allow rule does not, unless it is for any peer.
    Unknown,
}

/// The question for one side: may `subject` and `peer` talk, in this direction, on this port?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow<'a> {
    /// Seen from the subject.
    pub direction: Direction,
    /// The endpoint whose policy is asked.
    pub subject: IdentityId,
    /// The other side.
    pub peer: Peer<'a>,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The destination port after service translation; the message type for ICMP.
    pub port: u16,
    /// Whether the peer has proven who it is.
    pub authenticated: bool,
}

/// What a connection carries, as far as it was looked at.
#[derive(Clone, Copy)]
pub enum Carried<'a> {
    /// An HTTP request.
    Http(&'a dyn HttpFacts),
    /// A DNS query for this name.
    Dns(&'a [u8]),
    /// A Kafka request.
    Kafka(&'a KafkaRequest<'a>),
}

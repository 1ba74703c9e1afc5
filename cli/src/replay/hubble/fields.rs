//! The JSON of a flow.

use std::borrow::Cow;

use serde::Deserialize;

/// The fields that are read; all others have no meaning here.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::replay) struct Flow<'a> {
    pub(super) verdict: Option<Cow<'a, str>>,
    pub(super) drop_reason: Option<u32>,
    pub(super) drop_reason_desc: Option<Cow<'a, str>>,
    #[serde(rename = "IP")]
    pub(super) ip: Option<Ip>,
    pub(super) l4: Option<Layer4>,
    pub(super) source: Option<Endpoint>,
    pub(super) destination: Option<Endpoint>,
    pub(super) l7: Option<Layer7>,
    pub(super) reply: Option<bool>,
    pub(super) is_reply: Option<bool>,
    pub(super) traffic_direction: Option<Cow<'a, str>>,
    pub(super) destination_names: Option<Vec<String>>,
    pub(super) ingress_allowed_by: Option<Vec<Policy>>,
    pub(super) egress_allowed_by: Option<Vec<Policy>>,
    pub(super) ingress_denied_by: Option<Vec<Policy>>,
    pub(super) egress_denied_by: Option<Vec<Policy>>,
    pub(super) portcullis: Option<Ours>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Ip {
    pub(super) source: Option<String>,
    pub(super) destination: Option<String>,
}

#[derive(Deserialize)]
pub(super) enum Layer4 {
    #[serde(rename = "TCP")]
    Tcp(Ports),
    #[serde(rename = "UDP")]
    Udp(Ports),
    #[serde(rename = "SCTP")]
    Sctp(Ports),
    #[serde(rename = "ICMPv4")]
    Icmp(Icmp),
    #[serde(rename = "ICMPv6")]
    IcmpV6(Icmp),
}

#[derive(Deserialize)]
pub(super) struct Ports {
    #[serde(default)]
    pub(super) destination_port: u16,
}

#[derive(Deserialize)]
pub(super) struct Icmp {
    /// Absent for 0, as every number of this form.
    #[serde(default, rename = "type")]
    pub(super) kind: u8,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Endpoint {
    pub(super) namespace: Option<String>,
    pub(super) pod_name: Option<String>,
    pub(super) labels: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Layer7 {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) dns: Option<Dns>,
    pub(super) http: Option<Http>,
    pub(super) kafka: Option<Kafka>,
}

#[derive(Deserialize)]
pub(super) struct Dns {
    #[serde(default)]
    pub(super) query: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Http {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Option<Vec<Header>>,
}

#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Kafka {
    pub(super) api_key: String,
    pub(super) api_version: Option<i16>,
    pub(super) topic: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Policy {
    pub(super) kind: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
}

/// What the plugin adds.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Ours {
    pub(super) reason: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) peer: Option<String>,
}

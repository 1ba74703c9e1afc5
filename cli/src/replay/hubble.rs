//! Flows in the form of Hubble, which the plugin's flow log has too. The names are those of `flow.proto` in JSON.

mod fields;

use std::net::IpAddr;

use policy_core::{Protocol, kafka};

pub(super) use fields::Flow;

use fields::{Endpoint, Header, Http, Ip, Kafka, Layer4, Layer7, Policy};

use super::{
    reason,
    record::{Asked, ClaimWords, End, Message, Record, Request, ServerName, Then, To},
    skip::{Skip, Why},
};

/// What stands for a value that Hubble was told not to show.
const REDACTED: &str = "HUBBLE_REDACTED";
/// The reasons for which a policy drops a packet, and their numbers.
const DENIED: [(&str, u32); 2] = [("POLICY_DENIED", 133), ("POLICY_DENY", 181)];

impl Flow<'_> {
    /// The flow, or why it cannot be judged.
    pub(super) fn record(self) -> Result<Record, Skip> {
        let answer = self
            .l7
            .as_ref()
            .and_then(|l7| l7.kind.as_deref())
            .is_some_and(|kind| kind != "REQUEST");
        if self.is_reply.or(self.reply) == Some(true) || answer {
            return Err(Why::Reply.into());
        }
        let passed = self.passed()?;
        let then = self.then(passed);
        let (protocol, port) = match &self.l4 {
            Some(Layer4::Tcp(ports)) => (Protocol::Tcp, ports.destination_port),
            Some(Layer4::Udp(ports)) => (Protocol::Udp, ports.destination_port),
            Some(Layer4::Sctp(ports)) => (Protocol::Sctp, ports.destination_port),
            Some(Layer4::Icmp(icmp)) => (Protocol::Icmp, icmp.kind.into()),
            Some(Layer4::IcmpV6(icmp)) => (Protocol::IcmpV6, icmp.kind.into()),
            None => return Err(Why::NoPort.into()),
        };
        if port == 0 && !matches!(protocol, Protocol::Icmp | Protocol::IcmpV6) {
            return Err(Why::NoPort.into());
        }
        let asked = match self.traffic_direction.as_deref() {
            Some("INGRESS") => Some(Asked::Ingress),
            Some("EGRESS") => Some(Asked::Egress),
            _ => None,
        };
        let Ip { source, destination } = self.ip.unwrap_or_default();
        let claim = self
            .portcullis
            .and_then(|ours| ours.peer)
            .filter(|peer| !peer.is_empty());
        let claim = claim.map(|words| ClaimWords::parse(&words)).transpose()?;
        // What was proven is told apart from what the address said, which it must agree with.
        let known = self.source.filter(|_| claim.is_none());
        let (destination, names) = (
            end(self.destination, destination)?,
            self.destination_names.unwrap_or_default(),
        );
        Ok(Record {
            source: end(known, source)?,
            destination: match names.first() {
                Some(name) if destination == End::default() => To::Name(name.clone()),
                _ => To::End(destination),
            },
            protocol,
            port,
            asked,
            claim,
            names,
            is_authenticated: then.is_authenticated(),
            server_name: ServerName::NotRecorded,
            message: self.l7.map(message).transpose()?.flatten(),
            has_lines_for_messages: self.verdict.as_deref() == Some("REDIRECTED"),
            then,
        })
    }

    /// Whether it passed. What was only audited did.
    fn passed(&self) -> Result<bool, Skip> {
        match self.verdict.as_deref() {
            Some("FORWARDED") if self.own_reason() == Some("left-to-upstream") => {
                Err(Skip::new(Why::DecidedElsewhere, "left-to-upstream"))
            }
            Some("FORWARDED" | "REDIRECTED" | "AUDIT") => Ok(true),
            // A proxy drops requests without giving a number.
            Some("DROPPED") if self.l7.is_some() || self.portcullis.is_some() || self.is_denied() => {
                self.denied_by_policy()
            }
            Some("DROPPED") => {
                let reason = self.drop_reason_desc.as_deref().unwrap_or("no reason is told");
                Err(Skip::new(Why::DroppedOtherwise, reason.to_owned()))
            }
            Some(other) => Err(Skip::new(Why::NoVerdict, other.to_owned())),
            None => Err(Why::NoVerdict.into()),
        }
    }

    fn is_denied(&self) -> bool {
        DENIED.iter().any(|(name, number)| {
            self.drop_reason_desc.as_deref() == Some(name)
                || self.drop_reason_desc.is_none() && self.drop_reason == Some(*number)
        })
    }

    /// The plugin also refuses what no policy is about; it says so.
    fn denied_by_policy(&self) -> Result<bool, Skip> {
        reason::of_policy(self.own_reason()).map(|()| false)
    }

    fn own_reason(&self) -> Option<&str> {
        self.portcullis.as_ref()?.reason.as_deref()
    }

    fn then(&self, allowed: bool) -> Then {
        let policies = match allowed {
            true => [&self.egress_allowed_by, &self.ingress_allowed_by],
            false => [&self.egress_denied_by, &self.ingress_denied_by],
        };
        let policies = policies.into_iter().flatten().flatten().map(Policy::words);
        let policies: Vec<String> = policies.filter(|words| !words.is_empty()).collect();
        let ours = self.portcullis.as_ref();
        let told = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
        let dropped = self.drop_reason_desc.as_deref().map(str::to_owned);
        let audited = (self.verdict.as_deref() == Some("AUDIT")).then(|| "audited".to_owned());
        Then {
            allowed,
            reason: told(ours.and_then(|ours| ours.reason.as_ref())).or(dropped).or(audited),
            rule: told(ours.and_then(|ours| ours.rule.as_ref()))
                .or_else(|| (!policies.is_empty()).then(|| policies.join("; "))),
        }
    }
}

impl Policy {
    /// `kind/namespace/name`, as far as it is told.
    fn words(&self) -> String {
        let parts = [&self.kind, &self.namespace, &self.name].into_iter().flatten();
        let parts: Vec<&str> = parts.map(String::as_str).filter(|part| !part.is_empty()).collect();
        parts.join("/")
    }
}

fn end(endpoint: Option<Endpoint>, address: Option<String>) -> Result<End, Skip> {
    let Endpoint {
        namespace,
        pod_name,
        labels,
    } = endpoint.unwrap_or_default();
    let parse = |text: String| match text.parse::<IpAddr>() {
        Ok(address) => Ok(address.to_canonical()),
        Err(_) => Err(Skip::new(Why::Malformed, format!("IP: `{text}` is not an address"))),
    };
    let address = address.filter(|text| !text.is_empty()).map(parse).transpose()?;
    let mut labels = labels.unwrap_or_default();
    labels.sort_unstable();
    labels.dedup();
    let pod = match (namespace, pod_name) {
        (Some(namespace), Some(name)) if !namespace.is_empty() && !name.is_empty() => {
            Some(format!("{namespace}/{name}"))
        }
        _ => None,
    };
    Ok(End { pod, labels, address })
}

fn message(l7: Layer7) -> Result<Option<Message>, Skip> {
    Ok(match (l7.http, l7.dns, l7.kafka) {
        (Some(http), ..) => Some(Message::Http(request(http)?)),
        (None, Some(dns), _) => Some(Message::Dns(dns.query)),
        (None, None, Some(kafka)) => Some(kafka_request(kafka)?),
        (None, None, None) => None,
    })
}

/// The URL is whole, or a path alone.
fn request(Http { method, url, headers }: Http) -> Result<Request, Skip> {
    if method.is_empty() || url.is_empty() {
        return Err(Skip::new(Why::Malformed, "l7.http: no method, or no url"));
    }
    let (authority, path) = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            // Nobody's name and password are part of a host.
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            let slash = if path.starts_with('/') { "" } else { "/" };
            (Some(host.to_owned()), format!("{slash}{path}"))
        }
        Some(_) | None => (None, url),
    };
    let shown = |Header { key, value }| (key, (value != REDACTED).then_some(value));
    Ok(Request {
        method,
        path,
        authority: authority.filter(|host| !host.is_empty()),
        headers: headers.map(|headers| headers.into_iter().map(shown).collect()),
    })
}

fn kafka_request(
    Kafka {
        api_key: kind,
        api_version,
        topic,
    }: Kafka,
) -> Result<Message, Skip> {
    let Some(api_key) = kafka::api_key(&kind).or_else(|| kind.parse().ok()) else {
        return Err(Skip::new(
            Why::Malformed,
            format!("l7.kafka.api_key: no request is named `{kind}`"),
        ));
    };
    Ok(Message::Kafka {
        kind,
        api_key,
        api_version,
        topic: topic.filter(|topic| !topic.is_empty()),
    })
}

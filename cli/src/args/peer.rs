//! A side of a flow as people and corpora write it.

use std::{fmt, net::IpAddr, str::FromStr};

/// Who is at one end of a flow.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Peer {
    /// `ns/pod`: a pod among the objects.
    Pod {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// An address, whoever owns it.
    Address(IpAddr),
    /// `ns=NAMESPACE,key=value…`: a pod that could be in that namespace.
    Labels {
        /// Its namespace.
        namespace: String,
        /// Its labels, in the order written.
        labels: Vec<(String, String)>,
    },
    /// `reserved:NAME`.
    Reserved(Reserved),
}

/// The peers that have no object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Reserved {
    Host,
    RemoteNode,
    KubeApiserver,
    Health,
    Init,
    Ingress,
    Unmanaged,
    World,
    WorldIpv4,
    WorldIpv6,
}

impl Reserved {
    const ALL: [Self; 10] = [
        Self::Host,
        Self::RemoteNode,
        Self::KubeApiserver,
        Self::Health,
        Self::Init,
        Self::Ingress,
        Self::Unmanaged,
        Self::World,
        Self::WorldIpv4,
        Self::WorldIpv6,
    ];

    /// The name of its label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::RemoteNode => "remote-node",
            Self::KubeApiserver => "kube-apiserver",
            Self::Health => "health",
            Self::Init => "init",
            Self::Ingress => "ingress",
            Self::Unmanaged => "unmanaged",
            Self::World => "world",
            Self::WorldIpv4 => "world-ipv4",
            Self::WorldIpv6 => "world-ipv6",
        }
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        if let Some(name) = text.strip_prefix("reserved:") {
            return match Reserved::ALL.into_iter().find(|reserved| reserved.as_str() == name) {
                Some(reserved) => Ok(Self::Reserved(reserved)),
                None => {
                    let known: Vec<&str> = Reserved::ALL.iter().map(|reserved| reserved.as_str()).collect();
                    Err(format!(
                        "no reserved peer is named `{name}`; known are {}",
                        known.join(", ")
                    ))
                }
            };
        }
        if text.contains('=') {
            return labels(text);
        }
        match text.split_once('/') {
            // No namespace has a dot or a colon: `10.0.0.0/8` and `::/0` are prefixes.
            Some((namespace, name))
                if !namespace.is_empty()
                    && !namespace.contains(['.', ':'])
                    && !name.is_empty()
                    && !name.contains('/') =>
            {
                Ok(Self::Pod {
                    namespace: namespace.into(),
                    name: name.into(),
                })
            }
            _ => Err(format!(
                "`{text}` is not a peer: write `namespace/pod`, an IP address, `ns=NAMESPACE,key=value` or `reserved:NAME`"
            )),
        }
    }
}

fn labels(text: &str) -> Result<Peer, String> {
    let mut namespace = None;
    let mut labels = Vec::new();
    for part in text.split(',') {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` is not of the form key=value"))?;
        match key {
            "" => return Err(format!("`{part}` has no key")),
            "ns" if namespace.is_some() => return Err("a peer has one namespace, `ns` is there twice".into()),
            "ns" => namespace = Some(value.to_owned()),
            _ => labels.push((key.to_owned(), value.to_owned())),
        }
    }
    let namespace = namespace.filter(|namespace| !namespace.is_empty());
    let namespace = namespace.ok_or_else(|| format!("`{text}` has no namespace: add `ns=NAMESPACE`"))?;
    Ok(Peer::Labels { namespace, labels })
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod { namespace, name } => write!(f, "{namespace}/{name}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Labels { namespace, labels } => {
                write!(f, "ns={namespace}")?;
                labels.iter().try_for_each(|(key, value)| write!(f, ",{key}={value}"))
            }
            Self::Reserved(reserved) => write!(f, "reserved:{}", reserved.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_read_and_print_every_form() {
        for (text, why) in [
            ("empire/deathstar", "a pod"),
            ("10.0.0.1", "IPv4"),
            ("fd00::1", "IPv6"),
            ("ns=empire", "any pod of a namespace"),
            (
                "ns=empire,org=empire,app.kubernetes.io/name=x",
                "labels; a slash in a key is no pod",
            ),
            ("ns=empire,empty=", "an empty value"),
            ("reserved:world", "a reserved peer"),
        ] {
            assert_eq!(
                text.parse::<Peer>().map(|peer| peer.to_string()),
                Ok(text.to_owned()),
                "{why}"
            );
        }
        assert_eq!(
            "::ffff:10.0.0.1".parse(),
            Ok(Peer::Address([10, 0, 0, 1].into())),
            "a mapped address is IPv4"
        );
        for (text, why) in [
            ("deathstar", "no namespace"),
            ("/deathstar", "an empty namespace"),
            ("empire/", "an empty name"),
            ("a/b/c", "too many parts"),
            ("10.0.0.0/8", "a prefix"),
            ("::/0", "a prefix of IPv6"),
            ("app=web", "labels without a namespace"),
            ("ns=,app=web", "an empty namespace"),
            ("ns=a,ns=b", "two namespaces"),
            ("ns=a,app", "a label without value"),
            ("reserved:nobody", "an unknown name"),
            ("", "nothing"),
        ] {
            assert!(text.parse::<Peer>().is_err(), "{text}: {why}");
        }
    }
}

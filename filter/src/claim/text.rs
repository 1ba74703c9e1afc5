//! Claims as text, as native filters and Istio write them.

use core::net::IpAddr;

use super::{Claim, Spiffe, Unreadable, has_twins, spiffe};

/// The length of a text, in bytes. Whoever says more about a peer says something else.
const MAX_TEXT: usize = 8192;

impl Claim {
    /// What the value of a filter state or of the PROXY protocol says.
    ///
    /// It is a SPIFFE id of a trusted domain, an IP address without port, or `key=value,key=value`. There, the keys
    /// `namespace`, `serviceaccount` and `pod` name the workload, and every other key is a label.
    pub(crate) fn from_text(text: &[u8], trust_domains: &[String]) -> Result<Self, Unreadable> {
        if spiffe::has_scheme(text) {
            return match Self::from_spiffe(text, trust_domains) {
                Spiffe::Workload(claim) => Ok(claim),
                Spiffe::Foreign | Spiffe::Invalid => Err(Unreadable),
            };
        }
        let text = readable(text)?;
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self {
                address: Some(address.to_canonical()),
                ..Self::default()
            });
        }
        let mut claim = Self::default();
        for pair in text.split(',') {
            let (key, value) = pair.split_once('=').ok_or(Unreadable)?;
            match key {
                "namespace" => say(&mut claim.namespace, value)?,
                "serviceaccount" => say(&mut claim.service_account, value)?,
                "pod" => say(&mut claim.pod, value)?,
                // No label of Kubernetes has such a value, so the text was meant in another way.
                "" => return Err(Unreadable),
                _ if value.contains('=') => return Err(Unreadable),
                _ => claim.labels.push((key.to_owned(), value.to_owned())),
            }
        }
        claim.labels.sort_unstable();
        if has_twins(&claim.labels) {
            return Err(Unreadable);
        }
        claim.with_named_pod()
    }

    /// What a peer of Istio tells of itself: `type=…,workload=…,name=…,namespace=…,identity=…`.
    ///
    /// Of its keys, `namespace`, `name` (of the pod) and `identity` count. The identity must be of a trusted domain and
    /// of the same namespace. A text without any of them says nothing, which is not what it was sent for.
    pub(crate) fn from_peer_metadata(text: &[u8], trust_domains: &[String]) -> Result<Self, Unreadable> {
        let mut claim = Self::default();
        let mut identity = None;
        for pair in readable(text)?.split(',') {
            let (key, value) = pair.split_once('=').ok_or(Unreadable)?;
            match key {
                "namespace" => say(&mut claim.namespace, value)?,
                "name" => say(&mut claim.pod, value)?,
                "identity" => say(&mut identity, value)?,
                _ => {}
            }
        }
        let claim = match identity.map(|id| Self::from_spiffe(id.as_bytes(), trust_domains)) {
            None => claim,
            Some(Spiffe::Workload(workload)) => claim.merge(workload).map_err(|_| Unreadable)?,
            Some(Spiffe::Foreign | Spiffe::Invalid) => return Err(Unreadable),
        };
        if claim == Self::default() {
            return Err(Unreadable);
        }
        claim.with_named_pod()
    }

    /// A pod has its name from its namespace: without it, the name is nobody's.
    fn with_named_pod(self) -> Result<Self, Unreadable> {
        if self.pod.is_some() && self.namespace.is_none() {
            Err(Unreadable)
        } else {
            Ok(self)
        }
    }
}

/// Text without blanks, controls and letters that look like others, so that every log shows what it says.
fn readable(text: &[u8]) -> Result<&str, Unreadable> {
    if text.len() <= MAX_TEXT && text.iter().all(u8::is_ascii_graphic) {
        str::from_utf8(text).map_err(|_| Unreadable)
    } else {
        Err(Unreadable)
    }
}

/// Fills in a field, once, with something.
fn say(field: &mut Option<String>, value: &str) -> Result<(), Unreadable> {
    if value.is_empty() || value.contains('=') || field.replace(value.to_owned()).is_some() {
        Err(Unreadable)
    } else {
        Ok(())
    }
}

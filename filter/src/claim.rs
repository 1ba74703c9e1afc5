//! What a source beside the address says about who the peer is.
//!
//! There are several: a certificate, a filter state that a native filter set, a value of the PROXY protocol, what
//! Istio's peers tell of themselves. Each of them is read into a [`Claim`], and all claims about one peer must agree.

mod codec;
mod spiffe;
mod text;

use core::fmt;
use core::net::IpAddr;

use spiffe::Spiffe;
pub(crate) use spiffe::is_trust_domain;

/// What is said of one workload: all of it is true of it. `None` and no labels say nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Claim {
    pub(crate) namespace: Option<String>,
    pub(crate) service_account: Option<String>,
    /// The name of its pod, which is one within its namespace.
    pub(crate) pod: Option<String>,
    /// By key, each key once.
    pub(crate) labels: Vec<(String, String)>,
    /// In its canonical form.
    pub(crate) address: Option<IpAddr>,
}

/// A certificate with several SPIFFE ids, or with one that is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AmbiguousCertificate;

/// A value that is present, but is not understood: it must not count as absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unreadable;

/// Two claims that cannot be true of the same peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Contradiction;

impl Claim {
    /// What the URIs among the names of a validated certificate say.
    ///
    /// Only those of the scheme `spiffe` count. There may be one of them: with two, even the same twice, the
    /// certificate breaks the SPIFFE standard, and each of its readers may choose another one. `None` if there is
    /// none, and if it belongs to another trust domain or names no workload of Kubernetes.
    pub(crate) fn from_certificate(
        uris: &[Vec<u8>],
        trust_domains: &[String],
    ) -> Result<Option<Self>, AmbiguousCertificate> {
        let mut ids = uris.iter().filter(|uri| spiffe::has_scheme(uri));
        match (ids.next(), ids.next()) {
            (None, _) => Ok(None),
            (Some(id), None) => match Self::from_spiffe(id, trust_domains) {
                Spiffe::Workload(claim) => Ok(Some(claim)),
                Spiffe::Foreign => Ok(None),
                Spiffe::Invalid => Err(AmbiguousCertificate),
            },
            (Some(_), Some(_)) => Err(AmbiguousCertificate),
        }
    }

    /// The same, in the words of the engine.
    pub(crate) fn for_engine(&self) -> policy_core::Claim<'_> {
        policy_core::Claim {
            address: self.address,
            namespace: self.namespace.as_deref(),
            pod: self.pod.as_deref(),
            service_account: self.service_account.as_deref(),
            labels: &self.labels,
        }
    }

    /// What both claims say together.
    pub(crate) fn merge(self, other: Self) -> Result<Self, Contradiction> {
        Ok(Self {
            namespace: agreed(self.namespace, other.namespace)?,
            service_account: agreed(self.service_account, other.service_account)?,
            pod: agreed(self.pod, other.pod)?,
            labels: united(self.labels, other.labels)?,
            address: agreed(self.address, other.address)?,
        })
    }
}

/// What one of them says, or both.
fn agreed<T: PartialEq>(one: Option<T>, other: Option<T>) -> Result<Option<T>, Contradiction> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(Contradiction),
        (one, other) => Ok(one.or(other)),
    }
}

fn united(
    mut one: Vec<(String, String)>,
    other: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, Contradiction> {
    one.extend(other);
    one.sort_unstable();
    one.dedup();
    // What is left of one key has two values.
    if has_twins(&one) { Err(Contradiction) } else { Ok(one) }
}

/// Whether there are two labels of one key, given that they are sorted.
fn has_twins(sorted: &[(String, String)]) -> bool {
    sorted
        .iter()
        .zip(sorted.iter().skip(1))
        .any(|((one, _), (next, _))| one == next)
}

/// In words, for access logs: `ns=empire sa=tie pod=tie-7 address=10.0.0.1 app=x`. What is longer than
/// [`MAX_WORDS`] bytes is cut off, and ends with `...`.
impl fmt::Display for Claim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CUT_OFF: &str = "...";

        let words = self.words();
        if words.len() <= MAX_WORDS {
            return formatter.write_str(&words);
        }
        let end = words.floor_char_boundary(MAX_WORDS - CUT_OFF.len());
        formatter.write_str(words.get(..end).unwrap_or_default())?;
        formatter.write_str(CUT_OFF)
    }
}

/// The length of a claim in words, in bytes: access logs have many lines.
const MAX_WORDS: usize = 256;

impl Claim {
    fn words(&self) -> String {
        let address = self.address.map(|address| address.to_string());
        let fields = [
            ("ns", &self.namespace),
            ("sa", &self.service_account),
            ("pod", &self.pod),
            ("address", &address),
        ];
        let fields = fields
            .into_iter()
            .filter_map(|(key, value)| value.as_deref().map(|value| (key, value)));
        let labels = self.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let mut words = String::new();
        for (key, value) in fields.chain(labels) {
            if !words.is_empty() {
                words.push(' ');
            }
            words.extend([key, "=", value]);
        }
        words
    }
}

#[cfg(test)]
mod tests;

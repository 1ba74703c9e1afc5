//! SPIFFE ids, and the workloads of Kubernetes that they name.

use super::Claim;

const SCHEME: &[u8] = b"spiffe:";
/// The length of an id, and of the trust domain in it, in bytes: the standard asks for support of no longer ones.
const MAX_ID: usize = 2048;
const MAX_TRUST_DOMAIN: usize = 255;

/// What a URI says as a SPIFFE id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Spiffe {
    /// A service account of a namespace, in a trusted domain.
    Workload(Claim),
    /// An id of another trust domain, or that is written in another way: nothing is known of who that is.
    Foreign,
    /// Not what the standard calls a SPIFFE id.
    Invalid,
}

impl Claim {
    /// What `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` says if its domain is among the trusted ones.
    ///
    /// The scheme may be in any case, as in every URI; trust domains are in lower case and compared byte by byte.
    pub(crate) fn from_spiffe(uri: &[u8], trust_domains: &[String]) -> Spiffe {
        let Some(id) = SpiffeId::parse(uri) else {
            return Spiffe::Invalid;
        };
        if !trust_domains.iter().any(|trusted| trusted == id.trust_domain) {
            return Spiffe::Foreign;
        }
        let mut segments = id.segments();
        match [(); 5].map(|()| segments.next()) {
            [Some("ns"), Some(namespace), Some("sa"), Some(service_account), None] => Spiffe::Workload(Self {
                namespace: Some(namespace.to_owned()),
                service_account: Some(service_account.to_owned()),
                ..Self::default()
            }),
            _ => Spiffe::Foreign,
        }
    }
}

/// Whether a URI wants to be a SPIFFE id, valid or not.
pub(super) fn has_scheme(uri: &[u8]) -> bool {
    uri.get(..SCHEME.len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

/// A valid SPIFFE id, in its parts.
struct SpiffeId<'a> {
    trust_domain: &'a str,
    /// Empty, or a slash and segments between slashes.
    path: &'a str,
}

impl<'a> SpiffeId<'a> {
    fn parse(uri: &'a [u8]) -> Option<Self> {
        let uri = (uri.len() <= MAX_ID && has_scheme(uri)).then_some(uri)?;
        let rest = uri.get(SCHEME.len()..)?.strip_prefix(b"//")?;
        let rest = str::from_utf8(rest).ok()?;
        let (trust_domain, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
        let id = Self { trust_domain, path };
        (is_trust_domain(trust_domain) && id.segments().all(is_segment)).then_some(id)
    }

    fn segments(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.path.split('/').skip(1)
    }
}

/// Whether ids may have it as their trust domain: no port, no user information, nothing encoded, no upper case.
pub(crate) fn is_trust_domain(text: &str) -> bool {
    (1..=MAX_TRUST_DOMAIN).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
}

/// No query, no fragment, and nothing encoded.
fn is_segment(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

//! Who the peer is, beside its address: what its certificate proves, and what native filters say.
//!
//! Every source narrows what the others say; two that contradict each other are an error. Nothing here comes from a
//! request.

use crate::{
    certificate,
    claim::Claim,
    config::{CertificateSetting, IdentitySettings},
    host::Host,
    report::Refusal,
};

use super::Listener;

/// True for every certificate that was presented, whoever signed it.
const MTLS: &str = "connection\0mtls";
const CERTIFICATE: &str = "connection\0peer_certificate";
/// What the native RBAC filter in front says, whose rules are for show and match verified certificates only.
const WITNESS: &str = "metadata\0filter_metadata\0envoy.filters.network.rbac\0portcullis_shadow_engine_result";
const TESTIMONY: &[u8] = b"allowed";
const FILTER_STATE: &str = "filter_state\0";
/// The two places where the listener filter of the PROXY protocol puts its TLVs.
const TLV: [&str; 2] = [
    "filter_state\0envoy.network.proxy_protocol.tlv\0",
    "metadata\0filter_metadata\0envoy.filters.listener.proxy_protocol\0",
];

/// What is known of a peer.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// `None` if nothing says anything.
    pub(super) claim: Option<Claim>,
    /// Whether it has proven something.
    pub(super) authenticated: bool,
}

/// Reads everything that the settings, or the listener, want to be read.
pub(super) fn of_peer<H: Host>(
    host: &H,
    listener: &Listener,
    settings: &IdentitySettings,
    certificate: CertificateSetting,
) -> Result<Peer, Refusal> {
    let key = |word, configured: &Option<String>| key(listener, word, configured.as_deref());
    let proven = proof(host, settings, certificate)?;
    let mut claim = proven.claim.clone();
    let said = [
        (key("filter_state", &settings.filter_state)?, &[FILTER_STATE][..]),
        (key("proxy_protocol_tlv", &settings.proxy_protocol_tlv)?, &TLV),
    ];
    for (key, places) in said {
        if let Some(text) = key.map(|key| value(host, places, &key)).transpose()?.flatten() {
            let said = Claim::from_text(&text, &settings.trust_domains).map_err(|_| Refusal::UnreadableIdentity)?;
            claim = Some(merge(claim, said)?);
        }
    }
    if let Some(key) = key("peer_metadata", &settings.peer_metadata)?
        && let Some(text) = value(host, &[FILTER_STATE], &key)?
    {
        let said =
            Claim::from_peer_metadata(&text, &settings.trust_domains).map_err(|_| Refusal::UnreadableIdentity)?;
        let agrees = |proven: &Claim| proven.namespace.is_some() && proven.namespace == said.namespace;
        if settings.trust_peer_metadata || proven.claim.as_ref().is_some_and(agrees) {
            claim = Some(merge(claim, said)?);
        } else if claim.as_ref().is_some_and(|claim| claim.clone().merge(said).is_err()) {
            return Err(Refusal::ContradictingIdentity);
        }
    }
    Ok(Peer { claim, ..proven })
}

/// What the certificate of the peer proves.
fn proof<H: Host>(host: &H, settings: &IdentitySettings, certificate: CertificateSetting) -> Result<Peer, Refusal> {
    if !is_verified(host, certificate) {
        return Ok(Peer::default());
    }
    let pem = host.property(CERTIFICATE).ok().flatten();
    let pem = pem.ok_or(Refusal::AmbiguousCertificate)?;
    let uris = certificate::uri_sans(&pem).map_err(|_| Refusal::AmbiguousCertificate)?;
    let claim = Claim::from_certificate(&uris, &settings.trust_domains).map_err(|_| Refusal::AmbiguousCertificate)?;
    Ok(Peer {
        claim,
        authenticated: true,
    })
}

fn is_verified<H: Host>(host: &H, certificate: CertificateSetting) -> bool {
    let property = |path| host.property(path).ok().flatten();
    let presented = || property(MTLS).is_some_and(|mtls| mtls == [1]);
    match certificate {
        CertificateSetting::Ignored => false,
        CertificateSetting::Witnessed => presented() && property(WITNESS).is_some_and(|word| word == TESTIMONY),
        CertificateSetting::Verified => presented(),
    }
}

/// The key under which something is to be found: the listener knows better than the configuration.
fn key(listener: &Listener, word: &str, configured: Option<&str>) -> Result<Option<String>, Refusal> {
    let of_listener = listener.word(word, |text| String::from_utf8(text.to_vec()).ok())?;
    Ok(of_listener.or_else(|| configured.map(str::to_owned)))
}

/// The value in the first of the places that has one.
fn value<H: Host>(host: &H, places: &[&str], key: &str) -> Result<Option<Vec<u8>>, Refusal> {
    for place in places {
        match host.property(&format!("{place}{key}")) {
            Ok(Some(value)) if !value.is_empty() => return Ok(Some(value)),
            Ok(_) => {}
            Err(_) => return Err(Refusal::UnreadableIdentity),
        }
    }
    Ok(None)
}

fn merge(known: Option<Claim>, said: Claim) -> Result<Claim, Refusal> {
    match known {
        None => Ok(said),
        Some(known) => known.merge(said).map_err(|_| Refusal::ContradictingIdentity),
    }
}

//! What a listener may believe of a connection: certificates, proxies in front of it, and where it was meant to go.

use super::super::{Certificate, ClientCertificates, Cluster, Direction, Listener, ListenerKind, Route};

/// Why a listener would believe what nobody vouches for, judge what is not contacted, or never decide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustProblem {
    /// There would never be one.
    #[error("certificates shall count, and no client is asked for one")]
    NoCertificates,
    /// Anyone may forge a certificate that is not validated, or come without.
    #[error("certificates shall count as verified, and not every client needs a validated one")]
    NotRequired,
    /// The endpoint is connected to before the handshake: the server's first bytes would find nobody identified.
    #[error("the endpoint is chosen before a certificate is known: one of the two can be judged")]
    CertificateAfterEndpoint,
    /// The name of the TLV would never be there.
    #[error("no TLV of the PROXY protocol has the key `{0}`")]
    UnknownTlv(String),
    /// Filter state that starts with `wasm.` is the plugin's own word; an empty key is none.
    #[error("`{0}` is not the key of a native filter's state")]
    Key(String),
    /// A proxy's word would choose which address Envoy connects to.
    #[error("the PROXY protocol and the original destination both say where the connection goes")]
    TwoDestinations,
    /// The policy would be asked about the address that the client meant, and another would be contacted.
    #[error("the original destination would be judged, and cluster `{0}` contacted")]
    JudgedElsewhere(String),
    /// Envoy would connect to the listener itself, and to that again.
    #[error("the cluster is the original destination, and the listener does not know it")]
    NoOriginalDst,
    /// Connections to all ports come in, and would be judged as if to this one.
    #[error("the original destination has its own port, and port {0} would be judged")]
    OnePort(u16),
    /// An address that nobody knows has no ingress policy, so the source's own would let it through to the cluster.
    #[error("the PROXY protocol names the destination, so only ingress can be judged by address")]
    ProxyNamesDestination,
    /// The plugin would judge any connection as if to the port that the proxy names.
    #[error("the PROXY protocol names the port, so the one that policies speak of has to be said")]
    NoPort,
}

/// Everything that `listener` should not believe.
pub(super) fn problems(listener: &Listener) -> impl Iterator<Item = TrustProblem> {
    let certificate = certificate(listener);
    certificate
        .into_iter()
        .chain(values(listener))
        .chain(destination(listener))
}

fn certificate(listener: &Listener) -> Vec<TrustProblem> {
    let wanted = listener.identity.certificate;
    if wanted == Certificate::Ignored {
        return vec![];
    }
    let mut problems = Vec::new();
    let clients = listener.tls.as_ref().map(|tls| &tls.clients);
    match clients {
        None | Some(ClientCertificates::NotAsked) => problems.push(TrustProblem::NoCertificates),
        Some(ClientCertificates::Required(_)) => {}
        Some(ClientCertificates::Optional(_) | ClientCertificates::Unverified(_)) => {
            if wanted == Certificate::Verified {
                problems.push(TrustProblem::NotRequired);
            }
        }
    }
    if matches!(listener.kind, ListenerKind::TcpUpstream { .. }) {
        problems.push(TrustProblem::CertificateAfterEndpoint);
    }
    problems
}

fn values(listener: &Listener) -> Vec<TrustProblem> {
    let identity = &listener.identity;
    let own = |key: &&String| key.is_empty() || key.starts_with("wasm.");
    let keys = identity.native_values().map(|value| &value.key);
    let mut problems: Vec<_> = keys.filter(own).cloned().map(TrustProblem::Key).collect();
    let tlvs = listener.proxy_protocol.iter().flat_map(|protocol| &protocol.tlvs);
    let known: Vec<_> = tlvs.map(|(_, key)| key).collect();
    problems.extend(
        known
            .iter()
            .filter(|key| key.is_empty())
            .map(|key| TrustProblem::Key((*key).clone())),
    );
    if let Some(key) = identity.proxy_protocol_tlv.as_ref().filter(|key| !known.contains(key)) {
        problems.push(TrustProblem::UnknownTlv(key.clone()));
    }
    problems
}

fn destination(listener: &Listener) -> Vec<TrustProblem> {
    let mut problems = Vec::new();
    let judged_by_address = match &listener.kind {
        ListenerKind::Http {
            route: Route::Cluster(cluster),
        }
        | ListenerKind::Tcp { cluster } => Some(cluster),
        ListenerKind::Http { .. } | ListenerKind::TcpUpstream { .. } => None,
    };
    let elsewhere = judged_by_address.filter(|cluster| *cluster != Cluster::ORIGINAL_DST);
    match (listener.original_dst, elsewhere) {
        (Some(_), Some(cluster)) => problems.push(TrustProblem::JudgedElsewhere(cluster.clone())),
        (None, None) if leads_to_original_dst(listener) => problems.push(TrustProblem::NoOriginalDst),
        _ => {}
    }
    if listener.original_dst.is_some() {
        problems.extend(listener.logical_port.map(TrustProblem::OnePort));
        if listener.proxy_protocol.is_some() {
            problems.push(TrustProblem::TwoDestinations);
        }
    } else if listener.proxy_protocol.is_some() && judged_by_address.is_some() {
        if listener.logical_port.is_none() {
            problems.push(TrustProblem::NoPort);
        }
        if listener.direction != Direction::Ingress {
            problems.push(TrustProblem::ProxyNamesDestination);
        }
    }
    problems
}

fn leads_to_original_dst(listener: &Listener) -> bool {
    match &listener.kind {
        ListenerKind::Http {
            route: Route::Cluster(cluster) | Route::Upstream(cluster),
        }
        | ListenerKind::Tcp { cluster }
        | ListenerKind::TcpUpstream { cluster } => cluster == Cluster::ORIGINAL_DST,
        ListenerKind::Http { .. } => false,
    }
}

#[cfg(test)]
mod tests;

//! Whether a certificate proves what the plugin takes it to prove.

use serde_json::Value;

use super::{
    super::{
        envoy::{Chain, Filter, Listener, Snapshot, kind, message},
        fault,
        finding::Findings,
        json::Json as _,
    },
    tcp,
};

/// Under which prefix the witness testifies.
const WITNESS: &str = "portcullis_";

/// Checks every chain of a listener that goes by certificates.
pub(super) fn check(snapshot: &Snapshot, listener: &Listener<'_>, found: &mut Findings) {
    match listener.certificate().as_str() {
        "verified" => verified(snapshot, listener, found),
        "witnessed" => witnessed(snapshot, listener, found),
        _ => return,
    }
    for chain in &listener.chains {
        if chain.tls().is_some_and(resumes) {
            let message = "TLS sessions are resumed without showing the certificate again";
            found.add(&fault::RESUMPTION_ON, &listener.name, &chain.place, message);
        }
    }
}

/// Whether a client may come back without its certificate; Envoy lets it, unless it is told otherwise, twice.
fn resumes(tls: &Value) -> bool {
    !(tls.flag("/disable_stateless_session_resumption") && tls.flag("/disable_stateful_session_resumption"))
}

/// The operator promised that every chain validates.
fn verified(snapshot: &Snapshot, listener: &Listener<'_>, found: &mut Findings) {
    let leading = listener
        .chains
        .iter()
        .filter(|chain| !tcp::is_dead_end(snapshot, chain));
    for chain in leading {
        let broken = match chain.tls() {
            None => Some("the chain has no TLS"),
            Some(tls) if !tls.flag("/require_client_certificate") => Some("`require_client_certificate` is off"),
            Some(tls) => unvalidated(snapshot, tls),
        };
        if let Some(broken) = broken {
            let message = format!("`certificate: verified`, and {broken}");
            found.add(&fault::CERTIFICATE_UNVERIFIED, &listener.name, &chain.place, message);
        }
    }
}

/// A native filter tells for each connection; but it must be there, and have something to tell.
fn witnessed(snapshot: &Snapshot, listener: &Listener<'_>, found: &mut Findings) {
    let with_tls = || listener.chains.iter().filter_map(|chain| Some((chain, chain.tls()?)));
    if with_tls().next().is_none() {
        let message = "`certificate: witnessed`, and no filter chain has TLS";
        found.add(&fault::CERTIFICATE_UNUSED, &listener.name, "filter_chains", message);
    }
    for (chain, tls) in with_tls() {
        if let Some(broken) = unvalidated(snapshot, tls) {
            let message = format!("`certificate: witnessed`, and {broken}");
            found.add(&fault::CERTIFICATE_UNUSED, &listener.name, &chain.place, message);
        }
        let mut before = chain.filters.iter().take_while(|filter| !filter.is_plugin());
        if has_plugin(chain) && !before.any(is_witness) {
            let message = "no RBAC filter in front of the plugin testifies that certificates were validated";
            found.add(&fault::WITNESS_MISSING, &listener.name, &chain.place, message);
        }
    }
}

fn has_plugin(chain: &Chain<'_>) -> bool {
    chain.filters.iter().any(Filter::is_plugin)
}

/// Why a client can come through the handshake with a certificate of its own making, if it can.
fn unvalidated(snapshot: &Snapshot, tls: &Value) -> Option<&'static str> {
    let common = tls.at("/common_tls_context");
    let inline = [
        "/validation_context",
        "/combined_validation_context/default_validation_context",
    ];
    let named = [
        "/validation_context_sds_secret_config/name",
        "/combined_validation_context/validation_context_sds_secret_config/name",
    ];
    let names: Vec<&str> = named
        .iter()
        .map(|path| common.text(path))
        .filter(|name| !name.is_empty())
        .collect();
    let secrets = names
        .iter()
        .filter_map(|name| snapshot.secret(name))
        .map(|secret| secret.at("/validation_context"));
    let contexts: Vec<&Value> = inline
        .iter()
        .map(|path| common.at(path))
        .chain(secrets.clone())
        .collect();
    if contexts
        .iter()
        .any(|context| context.text("/trust_chain_verification") == "ACCEPT_UNTRUSTED")
    {
        return Some("`trust_chain_verification` is ACCEPT_UNTRUSTED");
    }
    // A secret that has not come yet lets nobody in.
    let awaited = secrets.count() < names.len();
    let has_authority = |context: &&Value| {
        let authorities = [
            "trusted_ca",
            "custom_validator_config",
            "ca_certificate_provider_instance",
        ];
        authorities.iter().any(|authority| context.get(authority).is_some())
    };
    let validates = awaited || contexts.iter().any(has_authority);
    (!validates).then_some("there is no `trusted_ca`")
}

/// Whether a filter says of connections with a validated certificate, and of no others, that it would allow them.
fn is_witness(filter: &Filter<'_>) -> bool {
    let rbac = filter.message;
    let rules = rbac.at("/shadow_rules");
    let allows = ["", "ALLOW"].contains(&rules.text("/action"));
    let mut policies = rules.values("/policies").peekable();
    let counts = filter.kind == kind::NETWORK_RBAC && rbac.text("/shadow_rules_stat_prefix") == WITNESS;
    counts
        && allows
        && policies.peek().is_some()
        && policies.all(|policy| {
            let mut principals = policy.items("/principals").peekable();
            principals.peek().is_some() && principals.all(is_validated)
        })
}

fn is_validated(principal: &Value) -> bool {
    let (kind, config) = message(principal.at("/custom/typed_config"));
    kind == kind::MTLS_PRINCIPAL && config.flag("/any_validated_client_certificate")
}

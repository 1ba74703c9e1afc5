//! What the Envoy cannot do that the configuration is for.

use super::super::Certificate;
use super::{EnvoyVersion, Listener};

/// What `listener` needs, and this version does not have.
pub(super) fn lacks(version: EnvoyVersion, listener: &Listener) -> Option<&'static str> {
    if listener.named_port().is_some() && !version.guards_names() {
        return Some("cannot judge the address that a name led to");
    }
    if listener.identity.certificate != Certificate::Ignored && !version.shows_certificates() {
        return Some("does not show the plugin whole certificates");
    }
    None
}

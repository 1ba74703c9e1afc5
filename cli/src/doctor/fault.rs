//! What can be wrong. `docs/doctor.md` lists the same.

use policy_compiler::Severity;

/// A kind of fault: how bad it is, what follows from it, and what to do.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// Stable, for programs.
    pub(super) code: &'static str,
    pub(super) severity: Severity,
    pub(super) consequence: &'static str,
    pub(super) remedy: &'static str,
}

const fn error(code: &'static str, consequence: &'static str, remedy: &'static str) -> Fault {
    Fault {
        code,
        severity: Severity::Error,
        consequence,
        remedy,
    }
}

const fn warning(code: &'static str, consequence: &'static str, remedy: &'static str) -> Fault {
    Fault {
        code,
        severity: Severity::Warning,
        consequence,
        remedy,
    }
}

// The plugin and its guards.

pub(super) const NOTHING_GUARDED: Fault = error(
    "nothing-guarded",
    "no policy is enforced by this Envoy",
    "generate its listeners, or give them the plugin and metadata of namespace `portcullis`",
);
pub(super) const NETWORK_PLUGIN_MISSING: Fault = error(
    "network-plugin-missing",
    "no policy decides on its connections; with a guard none gets through, without one all do",
    "put the plugin in front of the network filters of every filter chain",
);
pub(super) const HTTP_PLUGIN_MISSING: Fault = error(
    "http-plugin-missing",
    "no policy decides on its requests; with a guard none gets through, without one all do",
    "put the plugin in front of the HTTP filters of every connection manager",
);
pub(super) const MANAGER_MISSING: Fault = error(
    "http-manager-missing",
    "the plugin lets connections pass whose requests it wants to see, and nobody looks at requests here",
    "give the chain an HTTP connection manager, or the listener another `protocol` in its metadata",
);
pub(super) const PROTOCOL_UNSAID: Fault = warning(
    "protocol-unsaid",
    "the plugin cannot know that requests will be judged, and denies every connection that depends on them",
    "set `protocol: http` in the metadata of the listener",
);
pub(super) const FILTER_ORDER: Fault = error(
    "filter-order",
    "traffic is answered, forwarded or turned away before a policy has decided",
    "put the plugin first, its guard directly behind it, and everything that answers or forwards after both",
);
pub(super) const GUARD_MISSING: Fault = error(
    "guard-missing",
    "Envoy goes on without a plugin that fails in a worker, and then everything passes unjudged",
    "put the native RBAC filter behind the plugin that passes only what it said `allow` to",
);
pub(super) const GUARD_WRONG: Fault = error(
    "guard-wrong",
    "it does not pass exactly what the plugin allowed: without the plugin it is open, or it is closed for ever",
    "let its only principal be the filter state of this layer with the exact value `allow`; copy the guard in Lua",
);
pub(super) const GUARD_NOT_BEHIND: Fault = error(
    "guard-not-behind",
    "what stands between them handles traffic that a failed plugin did not judge",
    "move the guard directly behind the plugin",
);
pub(super) const UPSTREAM_GUARD_MISSING: Fault = error(
    "upstream-guard-missing",
    "the upstream is contacted, and heard, before the guard looks at the first byte of the client",
    "let the native filter set_filter_state behind the plugin select the cluster by `wasm.portcullis_l4`",
);
pub(super) const ROUTE_OVERRIDE: Fault = error(
    "route-override",
    "requests of this route may pass without the plugin or its guard",
    "remove the filter from `typed_per_filter_config`",
);

// The plugin itself.

pub(super) const PLUGIN_NOT_LOADED: Fault = error(
    "plugin-not-loaded",
    "Envoy closes connections and answers 500 until there is one that it accepts",
    "publish a configuration that the plugin accepts; Envoy's log says why the last one was refused",
);
pub(super) const CONFIGURATION_UNREADABLE: Fault = error(
    "configuration-unreadable",
    "the plugin refuses it, and stays with an earlier policy or denies everything",
    "configure it with what `portcullis pack` writes, in a StringValue or BytesValue",
);
pub(super) const FAILS_OPEN: Fault = error(
    "fails-open",
    "after one crash of the plugin Envoy goes on without it",
    "set `failure_policy: FAIL_RELOAD`",
);
pub(super) const FAILS_FOR_GOOD: Fault = warning(
    "fails-for-good",
    "after one crash of the plugin everything is denied until its configuration changes",
    "set `failure_policy: FAIL_RELOAD`",
);
pub(super) const CODE_DIFFERS: Fault = error(
    "code-differs",
    "plugins that should share a VM run different code, so what one layer hands over the other may not understand",
    "give all of them the same `vm_config.code`",
);
pub(super) const CAPABILITY_CUT: Fault = error(
    "capability-cut",
    "Envoy never calls a callback that is missing there, and refuses the host function: what depends on it is denied \
     or not done",
    "allow all that `envoy/src/config/plugin.rs` lists, or nothing in particular",
);
pub(super) const VM_MISSING: Fault = error(
    "vm-missing",
    "the plugin failed after Envoy had accepted it; such a worker runs without it, and only the guards deny",
    "read Envoy's log, publish a configuration with another `vm_id`, or restart Envoy",
);
pub(super) const PLUGIN_CRASHED: Fault = warning(
    "plugin-crashed",
    "what it was asked about at that time was denied",
    "read Envoy's log and report the message",
);
pub(super) const GUARD_HELD: Fault = warning(
    "guard-held",
    "the plugin did not judge them: it failed in a worker, or Envoy does not call it",
    "see whether the number grows; if so, restart Envoy and read its log",
);

// Policy.

pub(super) const BUNDLE_OLD: Fault = error(
    "bundle-old",
    "another policy is enforced than the one that should be",
    "publish the bundle, and see in Envoy's log whether it was refused",
);
pub(super) const NOTHING_ENFORCED: Fault = warning(
    "nothing-enforced",
    "everything passes, whatever the policies say",
    "when you have seen enough, compile without `--audit`, or with another enforcement mode",
);
pub(super) const LAYERS_DIFFER: Fault = error(
    "layers-differ",
    "connections and requests are judged by different policies, or requests are denied for it",
    "publish one configuration for both filters of a listener, with one rename or one snapshot",
);
pub(super) const BUNDLE_DIFFERS: Fault = warning(
    "bundle-differs",
    "some listeners may enforce an older policy than others",
    "publish to all of them, or compare each with `--digest`",
);
pub(super) const UPDATE_REFUSED: Fault = error(
    "update-refused",
    "the policy before it stays in force, and Envoy shows nobody which one that is",
    "read in Envoy's log why, correct it, and publish it again",
);
pub(super) const UPDATE_UNCLEAR: Fault = warning(
    "update-unclear",
    "what Envoy shows may not be in force, or not be the last that was published: its counters cannot tell",
    "publish again with another `revision`, and see in Envoy's log that it is accepted",
);
pub(super) const LISTENER_REFUSED: Fault = warning(
    "listener-refused",
    "the listener runs with its configuration from before",
    "correct it and send it again",
);
pub(super) const NOT_LIVE: Fault = warning(
    "not-live",
    "it is still starting, or about to end: what it shows may change",
    "ask again later",
);

// What the listener tells the plugin.

pub(super) const NO_DIRECTION: Fault = error(
    "no-direction",
    "everything is denied with `unknown-direction`",
    "set `direction` in the metadata of the listener, or its `traffic_direction`",
);
pub(super) const BAD_METADATA: Fault = error(
    "bad-metadata",
    "everything is denied with `bad-listener-metadata`",
    "write one of the values in docs/plugin.md",
);
pub(super) const PROXY_PROTOCOL: Fault = warning(
    "proxy-protocol",
    "whoever can reach this port names the address that it comes from",
    "let only the load balancer reach the port, or remove the listener filter",
);
pub(super) const SERVER_NAMES_UNKNOWN: Fault = warning(
    "server-names-unknown",
    "rules that want a TLS server name match no connection here",
    "add the listener filter tls_inspector",
);

// Who the peer is.

pub(super) const WITNESS_MISSING: Fault = error(
    "witness-missing",
    "no certificate counts, and rules that ask for one deny",
    "put the RBAC filter with `shadow_rules_stat_prefix: portcullis_` and the principal mtls_authenticated first",
);
pub(super) const CERTIFICATE_UNVERIFIED: Fault = error(
    "certificate-unverified",
    "the plugin believes certificates that nobody validated: every client can name itself",
    "require client certificates and validate them against a CA on every filter chain, or use `witnessed`",
);
pub(super) const CERTIFICATE_UNUSED: Fault = warning(
    "certificate-unused",
    "no certificate is validated here, so none counts",
    "give the TLS context a `trusted_ca` without ACCEPT_UNTRUSTED, or set `certificate: ignored`",
);
pub(super) const RESUMPTION_ON: Fault = warning(
    "resumption-on",
    "a resumed TLS session proves no certificate to `witnessed`, and to `verified` it does so for as long as it lives",
    "set `disable_stateless_session_resumption` and `disable_stateful_session_resumption`",
);
pub(super) const CONNECT_MODE: Fault = error(
    "connect-mode",
    "the upstream is contacted before the plugin knows what it decides by",
    "use ON_DOWNSTREAM_DATA, or ON_DOWNSTREAM_TLS_HANDSHAKE with `certificate: verified` if the server speaks first",
);

// What the policy sees must be what the application gets.

pub(super) const TRUSTS_FORWARDED_FOR: Fault = error(
    "trusts-forwarded-for",
    "clients choose the address that native filters, `x-envoy-*` headers and access logs go by",
    "set `use_remote_address: true`, `xff_num_trusted_hops: 0` and no `original_ip_detection_extensions`",
);
pub(super) const PATHS_NOT_NORMALISED: Fault = error(
    "paths-not-normalised",
    "the application may take a path that the policy allows for one that it denies",
    "set `normalize_path`, `merge_slashes` and `path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD`",
);
pub(super) const UNDERSCORES_ALLOWED: Fault = warning(
    "underscores-allowed",
    "many servers take the header `x_user` for `x-user`, and the policy does not",
    "set `headers_with_underscores_action: REJECT_REQUEST`, unless the applications keep them apart",
);

// The destination after load balancing.

pub(super) const UPSTREAM_PLUGIN_MISSING: Fault = error(
    "upstream-plugin-missing",
    "the endpoint that load balancing chose is judged by nobody: the plugin in front only passes",
    "put the plugin, the guard in Lua of the template and upstream_codec into `upstream_http_filters`",
);
pub(super) const UPSTREAM_OVERRIDDEN: Fault = error(
    "upstream-overridden",
    "requests to this cluster do not go through the `upstream_http_filters` of the router",
    "give the cluster's `http_filters` the plugin and its guard, or remove them",
);

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    /// Codes with their severity, in the order of this file.
    fn written() -> BTreeMap<String, String> {
        let code = include_str!("fault.rs")
            .lines()
            .zip(include_str!("fault.rs").lines().skip(1));
        let starts = code.filter_map(|(first, second)| {
            let severity = first.strip_prefix("pub(super) const ")?.split_once("Fault = ")?.1;
            let code = second.trim().strip_prefix('"')?.strip_suffix("\",")?;
            Some((code.to_owned(), severity.trim_end_matches('(').to_owned()))
        });
        starts.collect()
    }

    #[test]
    fn the_documentation_lists_every_fault() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/doctor.md");
        let text = fs::read_to_string(path).expect("the documentation");
        let rows = text.lines().filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, code, severity, ..] = cells[..] else {
                return None;
            };
            let code = code.strip_prefix('`')?.strip_suffix('`')?;
            ["error", "warning"]
                .contains(&severity)
                .then(|| (code.to_owned(), severity.to_owned()))
        });
        assert_eq!(rows.collect::<BTreeMap<_, _>>(), written());
    }
}

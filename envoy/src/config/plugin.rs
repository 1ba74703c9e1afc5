//! The plugin: how listeners subscribe to it, and the resource that the subscription delivers.

use std::path::Path;

use serde::Serialize;
use serde_saphyr::Commented;

use super::Node;
use super::any::{Any, Empty, type_url};
use crate::ecds::{Encoded, Layer};

/// The root context and the VM are named once; both layers share one VM.
const NAME: &str = "portcullis";

/// A filter whose configuration Envoy reads from the watched folder.
#[derive(Serialize)]
pub(super) struct Subscription {
    name: &'static str,
    config_discovery: ConfigDiscovery,
}

#[derive(Serialize)]
struct ConfigDiscovery {
    config_source: ConfigSource,
    type_urls: Vec<String>,
}

#[derive(Serialize)]
struct ConfigSource {
    resource_api_version: &'static str,
    path_config_source: PathConfigSource,
}

#[derive(Serialize)]
struct PathConfigSource {
    path: String,
    watched_directory: Directory,
}

#[derive(Serialize)]
struct Directory {
    path: Commented<String>,
}

impl Subscription {
    /// The plugin for one layer, from the state folder.
    pub(super) fn new(layer: Layer, state_dir: &Path) -> Self {
        let watched = Directory {
            path: Commented(
                state_dir.display().to_string(),
                "a rename here reloads both layers".into(),
            ),
        };
        let path = state_dir.join(layer.file_name()).display().to_string();
        Self {
            name: layer.resource_name(),
            config_discovery: ConfigDiscovery {
                config_source: ConfigSource {
                    resource_api_version: "V3",
                    path_config_source: PathConfigSource {
                        path,
                        watched_directory: watched,
                    },
                },
                type_urls: vec![type_url(layer.message_type())],
            },
        }
    }
}

/// What the folder holds for one layer: a discovery response with one extension, the plugin.
#[derive(Serialize)]
pub(crate) struct Response {
    version_info: String,
    resources: [Any<Resource>; 1],
}

#[derive(Serialize)]
struct Resource {
    name: &'static str,
    typed_config: Any<Wasm>,
}

#[derive(Serialize)]
struct Wasm {
    config: PluginConfig,
}

#[derive(Serialize)]
struct PluginConfig {
    name: &'static str,
    root_id: &'static str,
    /// After a trap the VM is made anew, and until then everything is denied. `FAIL_OPEN` would let traffic pass,
    /// `FAIL_CLOSED` would stay dead until the next update.
    failure_policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    capability_restriction_config: Option<Capabilities>,
    vm_config: VmConfig,
    configuration: Any<Encoded>,
}

#[derive(Serialize)]
struct VmConfig {
    vm_id: &'static str,
    runtime: &'static str,
    code: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    capability_restriction_config: Option<Capabilities>,
}

#[derive(Serialize)]
struct Code {
    local: LocalFile,
}

#[derive(Serialize)]
struct LocalFile {
    filename: String,
}

#[derive(Serialize)]
struct Capabilities {
    #[serde(serialize_with = "as_map")]
    allowed_capabilities: &'static [Capability],
}

impl Response {
    /// The node's plugin with this configuration, as version `version`.
    pub(crate) fn new(layer: Layer, node: &Node, configuration: Encoded, version: &str) -> Self {
        // In the wrong place they would be ignored without a word.
        let capabilities = |right_place: bool| {
            right_place.then_some(Capabilities {
                allowed_capabilities: CAPABILITIES,
            })
        };
        let of_the_vm = node.envoy.restricts_vms();
        let plugin = PluginConfig {
            name: NAME,
            root_id: NAME,
            failure_policy: "FAIL_RELOAD",
            capability_restriction_config: capabilities(!of_the_vm),
            vm_config: VmConfig {
                vm_id: NAME,
                runtime: "envoy.wasm.runtime.v8",
                code: Code {
                    local: LocalFile {
                        filename: node.plugin_wasm.display().to_string(),
                    },
                },
                capability_restriction_config: capabilities(of_the_vm),
            },
            configuration: Any::new(configuration.message_type(), configuration),
        };
        let resource = Resource {
            name: layer.resource_name(),
            typed_config: Any::new(layer.message_type(), Wasm { config: plugin }),
        };
        Self {
            version_info: version.to_owned(),
            resources: [Any::new("envoy.config.core.v3.TypedExtensionConfig", resource)],
        }
    }
}

/// A function of the proxy-wasm interface, and why the plugin may have it.
#[derive(Clone, Copy, Debug)]
pub struct Capability {
    /// The function's name, as imported or exported by the module.
    pub function: &'static str,
    /// What would break without it.
    pub reason: &'static str,
}

/// All that the plugin may do. Envoy links nothing else, so a bug in the plugin cannot call out or speak to another
/// plugin. **A missing callback is not an error but a hole**: Envoy then never asks that layer
/// (the guards turn the hole into a denial of everything).
pub const CAPABILITIES: &[Capability] = &[
    // Callbacks, Envoy to plugin.
    allow(
        "proxy_on_context_create",
        "every connection, stream and root starts with it",
    ),
    allow("proxy_on_configure", "the policy arrives"),
    allow(
        "proxy_on_tick",
        "established connections are judged again after a policy change",
    ),
    allow(
        "proxy_on_new_connection",
        "L3, L4: deny before the upstream is contacted",
    ),
    allow(
        "proxy_on_downstream_data",
        "L4: verdicts that need the first bytes (SNI, Kafka, DNS)",
    ),
    allow(
        "proxy_on_upstream_data",
        "L4: server-first protocols, DNS answers, Kafka errors",
    ),
    allow("proxy_on_request_headers", "L7: deny before the request is routed"),
    allow("proxy_on_delete", "without it contexts are never freed"),
    // Host functions, plugin to Envoy.
    allow("proxy_log", "why a configuration was refused, why something was denied"),
    allow("proxy_get_current_time_nanoseconds", "names learned from DNS expire"),
    allow("proxy_set_tick_period_milliseconds", "asks for proxy_on_tick"),
    allow(
        "proxy_get_buffer_bytes",
        "the configuration, and payload of parsed protocols",
    ),
    allow(
        "proxy_set_buffer_bytes",
        "replaces a denied message by the protocol's own error",
    ),
    allow("proxy_get_header_map_value", "method, path, authority and headers"),
    allow("proxy_get_header_map_pairs", "all values of a repeated header"),
    allow(
        "proxy_add_header_map_value",
        "a rule adds a header to the requests it allows",
    ),
    allow("proxy_replace_header_map_value", "a rule replaces a header"),
    allow("proxy_remove_header_map_value", "a rule removes a header"),
    allow("proxy_get_property", "addresses, certificates, direction: the facts"),
    allow("proxy_set_property", "the verdict, for the guards and the access log"),
    allow("proxy_send_local_response", "403"),
    allow("proxy_close_stream", "closes a denied connection"),
    allow(
        "proxy_continue_stream",
        "resumes a connection that was paused for its first bytes",
    ),
    allow(
        "proxy_set_effective_context",
        "lets a tick close the connections it judged again",
    ),
    allow("proxy_define_metric", "counters"),
    allow("proxy_increment_metric", "counters"),
    allow("proxy_record_metric", "gauges"),
    // WASI. Nothing is in the environment, but a module built with std may import these two.
    allow("environ_get", "the environment, which is empty"),
    allow("environ_sizes_get", "the environment, which is empty"),
];

const fn allow(function: &'static str, reason: &'static str) -> Capability {
    Capability { function, reason }
}

/// The map that Envoy wants: function names to settings, of which there are none.
fn as_map<S: serde::Serializer>(list: &[Capability], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(list.iter().map(|capability| (capability.function, Empty {})))
}

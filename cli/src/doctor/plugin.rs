//! The plugin in a Wasm filter, and the configuration it has.

mod settings;

use std::rc::Rc;

use serde_json::Value;

use super::{envoy::kind, json::Json as _};
pub(super) use settings::Settings;

/// How the plugin, its root context and its VM are called.
const NAME: &str = "portcullis";

/// The plugin.
#[derive(Debug)]
pub(super) struct Plugin<'a> {
    /// `envoy.extensions.wasm.v3.PluginConfig`.
    pub(super) config: &'a Value,
    /// What it is configured to do, or why nobody can tell.
    pub(super) settings: Result<Settings, String>,
    pub(super) delivery: Delivery<'a>,
}

/// How Envoy got the plugin. What it shows of a resource is what it received last, whether it accepted it or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Delivery<'a> {
    /// In the listener, which Envoy would not have without it.
    Inline,
    /// By this name, and it is in force.
    Accepted(&'a str),
    /// By this name, and it was refused: an earlier one, which nobody can see, is in force.
    Refused(&'a str),
    /// By this name, and it was refused as all others before it.
    NeverAccepted(&'a str),
}

/// The plugin, if the message is that of a Wasm filter with it.
pub(super) fn find<'a>(kind: &str, message: &'a Value, delivery: Delivery<'a>) -> Option<Rc<Plugin<'a>>> {
    let config = message.at("/config");
    let wasm = [kind::NETWORK_WASM, kind::HTTP_WASM].contains(&kind);
    let names = ["/root_id", "/name", "/vm_config/vm_id"];
    let ours = wasm && names.iter().any(|name| config.text(name) == NAME);
    ours.then(|| {
        Rc::new(Plugin {
            config,
            settings: Settings::read(config.at("/configuration")),
            delivery,
        })
    })
}

impl Plugin<'_> {
    /// Whether it is what runs.
    pub(super) fn is_in_force(&self) -> bool {
        matches!(self.delivery, Delivery::Inline | Delivery::Accepted(_))
    }

    /// The name under which Envoy got it.
    pub(super) fn resource(&self) -> Option<&str> {
        match self.delivery {
            Delivery::Inline => None,
            Delivery::Accepted(name) | Delivery::Refused(name) | Delivery::NeverAccepted(name) => Some(name),
        }
    }

    /// Its own name, as in statistics.
    pub(super) fn name(&self) -> &str {
        self.config.text("/name")
    }

    /// What makes Envoy give it the same VM as another plugin, but for the code.
    pub(super) fn vm(&self) -> (&str, &Value) {
        (
            self.config.text("/vm_config/vm_id"),
            self.config.at("/vm_config/configuration"),
        )
    }

    /// The code that Envoy runs.
    pub(super) fn code(&self) -> &Value {
        self.config.at("/vm_config/code")
    }

    /// The digest of its policy.
    pub(super) fn digest(&self) -> Option<&str> {
        Some(&self.settings.as_ref().ok()?.bundle.digest)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_wasm_filters_with_its_name_are_the_plugin() {
        for (kind, config, ours, why) in [
            (kind::NETWORK_WASM, json!({ "root_id": "portcullis" }), true, "its root"),
            (
                kind::HTTP_WASM,
                json!({ "vm_config": { "vm_id": "portcullis" } }),
                true,
                "its VM",
            ),
            (
                kind::HTTP_WASM,
                json!({ "name": "stats", "root_id": "stats" }),
                false,
                "somebody else's",
            ),
            (kind::HTTP_RBAC, json!({ "name": "portcullis" }), false, "no Wasm"),
        ] {
            assert_eq!(
                find(kind, &json!({ "config": config }), Delivery::Inline).is_some(),
                ours,
                "{why}"
            );
        }
    }
}

//! Plugin configurations in their wire form, written by hand: these tests do not depend on a compiler of policies.

use serde_json::{Value, json};

use super::World;

/// How access logs name the one rule that there is.
pub(crate) const RULE: &str = "CiliumNetworkPolicy/test/p spec";

/// The services of the world, as subject or peer: the application and the TCP service.
pub(crate) const SERVICES: u32 = 0;
/// [`World::client`]. [`World::stranger`] is no endpoint, but outside of the cluster.
pub(crate) const CLIENT: u32 = 1;

/// A plugin configuration for the hosts of a world.
#[derive(Clone, Debug)]
pub(crate) struct Configuration(Value);

impl Configuration {
    /// No policy is looked at.
    pub(crate) fn allow_all(world: &World) -> Self {
        Self::new(world, "never", &json!([]))
    }

    /// Every endpoint is isolated, and nothing allows.
    pub(crate) fn deny_all(world: &World) -> Self {
        Self::new(world, "always", &json!([]))
    }

    /// `subject` is isolated on ingress, except from `elements`.
    pub(crate) fn ingress(world: &World, subject: u32, elements: Value) -> Self {
        let fields = json!({ "defaultDeny": { "ingress": true, "egress": false }, "ingress": elements });
        Self::rule(world, subject, fields)
    }

    /// `subject` is isolated on egress, except to `elements`.
    pub(crate) fn egress(world: &World, subject: u32, elements: Value) -> Self {
        let fields = json!({ "defaultDeny": { "ingress": false, "egress": true }, "egress": elements });
        Self::rule(world, subject, fields)
    }

    /// From the client to the services: these requests to port 80, and any connection to port 7.
    pub(crate) fn requests(world: &World, http: Value) -> Self {
        let elements = json!([from_client(80, Some(http)), from_client(7, None)]);
        Self::ingress(world, SERVICES, elements)
    }

    /// One rule with these fields.
    pub(crate) fn rule(world: &World, subject: u32, fields: Value) -> Self {
        let mut rule = json!({ "path": "spec", "subject": subject });
        for (name, value) in fields.as_object().unwrap() {
            rule[name] = value.clone();
        }
        let policy = json!({ "kind": "CiliumNetworkPolicy", "namespace": "test", "name": "p", "rules": [rule] });
        Self::new(world, "default", &json!([policy]))
    }

    fn new(world: &World, enforcement: &str, policies: &Value) -> Self {
        let endpoint = |name, identity, host| json!({ "name": name, "identity": identity, "addresses": [host] });
        Self(json!({ "version": 1, "bundle": {
            "version": 1,
            "options": { "enforcement": enforcement },
            "selectors": [
                [{ "equals": { "key": "any:app", "value": "service" } }],
                [{ "equals": { "key": "any:app", "value": "client" } }],
            ],
            "policies": policies,
            "identities": [{ "labels": ["k8s:app=service"] }, { "labels": ["k8s:app=client"] }],
            "endpoints": [
                endpoint("test/app", SERVICES, world.network.host(2)),
                endpoint("test/echo", SERVICES, world.network.host(3)),
                endpoint("test/client", CLIENT, world.client()),
            ],
        }}))
    }

    /// The same with these readings of paths, and no others, beside the policy's own.
    pub(crate) fn reading(self, readings: &[&str]) -> Self {
        self.with("ambiguousPaths", json!(readings))
    }

    /// The same with another setting of the plugin.
    pub(crate) fn with(mut self, setting: &str, value: Value) -> Self {
        self.0[setting] = value;
        self
    }

    /// The same with all of its policies in audit mode, each by itself.
    pub(crate) fn audited(mut self) -> Self {
        let policies = self.0["bundle"]["policies"].as_array_mut().unwrap();
        policies.iter_mut().for_each(|policy| policy["mode"] = json!("audit"));
        self
    }

    /// The same with the one switch that puts all policies in audit mode.
    pub(crate) fn all_audited(mut self) -> Self {
        self.0["bundle"]["options"]["audit"] = json!(true);
        self
    }

    /// The text, as the plugin gets it.
    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }
}

/// The client to a port, with these requests only, if any are named.
pub(crate) fn from_client(port: u16, http: Option<Value>) -> Value {
    let ports = json!([{ "port": { "protocol": "TCP", "numbers": { "range": [port, port] } } }]);
    let mut ports = json!({ "ports": ports });
    if let Some(http) = http {
        ports["rules"] = json!({ "http": http });
    }
    json!({ "peers": { "oneOf": [{ "selector": CLIENT }] }, "ports": [ports] })
}

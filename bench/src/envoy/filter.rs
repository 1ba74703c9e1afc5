//! What decides in an Envoy, put in the places where the project's own configuration has the plugin.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::stage::CLIENT;
use crate::world::{Carries, Shape, prefix};

/// One way to decide.
#[derive(Clone, Copy, Debug)]
pub(super) enum Filter {
    /// Everything passes.
    Nothing,
    /// Envoy's own access control, with so many policies.
    Rbac(u32),
    /// A plugin that is called and does nothing.
    NoOp {
        /// Also as network filter.
        connections: bool,
    },
    /// The real plugin, for connections and requests.
    Plugin(Policies),
    /// A gRPC service beside Envoy, which says yes.
    Authorizer,
}

/// What the real plugin decides by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policies {
    pub(super) number: u32,
    pub(super) carries: Carries,
    /// Whether the native guards are behind it.
    pub(super) guard: bool,
}

/// What an Envoy needs to know to decide in one of these ways.
pub(super) struct Around<'a> {
    pub(super) no_op: &'a Path,
    pub(super) authorizer: u16,
}

/// The names that the project's configuration gives to the plugin and its guards.
const PLUGINS: [&str; 2] = ["portcullis-network", "portcullis-http"];
const GUARDS: [&str; 2] = ["portcullis-guard", "portcullis-guard-upstream"];
const AUTHORIZER: &str = "authorizer";

impl Filter {
    /// For tables.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Nothing => "no filter".into(),
            Self::Rbac(policies) => format!("RBAC, {policies}"),
            Self::NoOp { connections: false } => "no-op plugin, requests only".into(),
            Self::NoOp { connections: true } => "no-op plugin".into(),
            Self::Plugin(Policies { number, carries, guard }) => {
                let rules = match carries {
                    Carries::Connections => "L4",
                    Carries::Prefixes | Carries::Patterns => "HTTP",
                };
                let guard = if *guard { " and guard" } else { "" };
                format!("Portcullis, {rules}{guard}, {number}")
            }
            Self::Authorizer => "ext_authz".into(),
        }
    }

    /// Puts it into a bootstrap of the project, and takes out what all of them do without: access logs.
    pub(super) fn put_into(&self, bootstrap: &mut Value, around: &Around<'_>) -> Result<()> {
        let listeners = bootstrap["static_resources"]["listeners"].as_array_mut();
        for listener in listeners.context("a bootstrap has listeners")? {
            let port = listener["address"]["socket_address"]["port_value"].as_u64();
            let port = port.context("a listener has a port")?;
            remove(listener, "access_log");
            for chain in listener["filter_chains"].as_array_mut().into_iter().flatten() {
                self.put_into_chain(&mut chain["filters"], Position::Connection, port, around);
                let last = chain["filters"].as_array_mut().and_then(|filters| filters.last_mut());
                let last = &mut last.context("a chain has filters")?["typed_config"];
                remove(last, "access_log");
                if last["http_filters"].is_array() {
                    self.put_into_chain(&mut last["http_filters"], Position::Request, port, around);
                } else if !self.is_guarded() {
                    // What the guard would have chosen.
                    last["cluster"] = json!("allow:echo");
                }
            }
        }
        if let (Self::Authorizer, Some(clusters)) = (self, bootstrap["static_resources"]["clusters"].as_array_mut()) {
            clusters.push(authorizer_cluster(around.authorizer));
        }
        Ok(())
    }

    fn is_guarded(&self) -> bool {
        matches!(self, Self::Plugin(Policies { guard: true, .. }))
    }

    fn put_into_chain(&self, filters: &mut Value, position: Position, port: u64, around: &Around<'_>) {
        let Some(filters) = filters.as_array_mut() else { return };
        let is_one_of = |filter: &Value, names: &[&str]| filter["name"].as_str().is_some_and(|n| names.contains(&n));
        if !self.is_guarded() {
            filters.retain(|filter| !is_one_of(filter, &GUARDS));
        }
        if !matches!(self, Self::Plugin(_)) {
            filters.retain(|filter| !is_one_of(filter, &PLUGINS));
            // A list for connections stands in front of TCP alone: in front of requests, one list is enough.
            let tcp = filters
                .iter()
                .any(|filter| is_one_of(filter, &["envoy.filters.network.tcp_proxy"]));
            if let Some(own) = self.own(position, tcp, port, around) {
                filters.insert(0, own);
            }
        }
    }

    fn own(&self, position: Position, tcp: bool, port: u64, around: &Around<'_>) -> Option<Value> {
        match (self, position) {
            (Self::Nothing | Self::Plugin(_), _) => None,
            (Self::NoOp { connections: false }, Position::Connection) if !tcp => None,
            (Self::NoOp { .. }, _) => Some(no_op(position, around.no_op)),
            (Self::Rbac(_) | Self::Authorizer, Position::Connection) if !tcp => None,
            (Self::Rbac(policies), _) => Some(rbac(*policies, position, port)),
            (Self::Authorizer, _) => Some(authorizer(position)),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Connection,
    Request,
}

impl Position {
    /// The package of filters in this place.
    fn kind(self) -> &'static str {
        match self {
            Self::Connection => "network",
            Self::Request => "http",
        }
    }
}

fn remove(from: &mut Value, member: &str) {
    if let Some(members) = from.as_object_mut() {
        members.remove(member);
    }
}

fn typed(name: &str, message: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!("type.googleapis.com/{message}"));
    json!({ "name": name, "typed_config": config })
}

fn no_op(position: Position, module: &Path) -> Value {
    let vm =
        json!({ "vm_id": "no-op", "runtime": "envoy.wasm.runtime.v8", "code": { "local": { "filename": module } } });
    let message = format!("envoy.extensions.filters.{}.wasm.v3.Wasm", position.kind());
    typed(
        "no-op",
        &message,
        json!({ "config": { "name": "no-op", "root_id": "no-op", "vm_config": vm } }),
    )
}

fn rbac(policies: u32, position: Position, port: u64) -> Value {
    let shape = Shape::workload(policies, Carries::Prefixes);
    let policies = (0..policies).map(|policy| {
        let (source, bits) = match policy == shape.asked() {
            true => (CLIENT, 32),
            false => (crate::world::address(shape.peer(policy)), 32),
        };
        let port = json!({ "destination_port": port });
        let permission = match position {
            Position::Connection => port,
            Position::Request => {
                let method = json!({ "header": { "name": ":method", "string_match": { "exact": "GET" } } });
                let path = json!({ "url_path": { "path": { "prefix": prefix(policy) } } });
                json!({ "and_rules": { "rules": [port, method, path] } })
            }
        };
        let principal = json!({ "direct_remote_ip": { "address_prefix": source, "prefix_len": bits } });
        // In the order of their numbers: Envoy tries them in the order of their names.
        (
            format!("p{policy:05}"),
            json!({ "permissions": [permission], "principals": [principal] }),
        )
    });
    let rules = json!({ "action": "ALLOW", "policies": policies.collect::<serde_json::Map<_, _>>() });
    let mut config = json!({ "rules": rules });
    if position == Position::Connection {
        config["stat_prefix"] = json!("list");
    }
    let message = format!("envoy.extensions.filters.{}.rbac.v3.RBAC", position.kind());
    typed("list", &message, config)
}

fn authorizer(position: Position) -> Value {
    let mut config = json!({
        "transport_api_version": "V3",
        "grpc_service": { "envoy_grpc": { "cluster_name": AUTHORIZER }, "timeout": "5s" },
    });
    if position == Position::Connection {
        config["stat_prefix"] = json!(AUTHORIZER);
    }
    let message = format!("envoy.extensions.filters.{}.ext_authz.v3.ExtAuthz", position.kind());
    typed(AUTHORIZER, &message, config)
}

fn authorizer_cluster(port: u16) -> Value {
    let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let endpoints = json!([{ "lb_endpoints": [{ "endpoint": { "address": address } }] }]);
    let message = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let http2 = json!({
        "@type": format!("type.googleapis.com/{message}"),
        "explicit_http_config": { "http2_protocol_options": {} },
    });
    json!({
        "name": AUTHORIZER,
        "type": "STATIC",
        "load_assignment": { "cluster_name": AUTHORIZER, "endpoints": endpoints },
        "typed_extension_protocol_options": { message: http2 },
    })
}

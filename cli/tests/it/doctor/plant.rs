//! The faults that are planted.

use std::fs;

use serde_json::{Value, json};

use super::world::{Draft, World, compile, packed};

/// A change of a healthy Envoy's configuration, and what shall be found.
pub(super) struct Planted {
    pub(super) code: &'static str,
    /// The listeners that have it, in the order of their names.
    pub(super) listeners: &'static [&'static str],
    pub(super) before: fn(&mut Draft),
    /// What happens when it runs.
    pub(super) after: fn(&World),
}

const ALL: &[&str] = &["echo", "gateway", "mesh", "mesh-tcp", "web"];
const WITH_HTTP: &[&str] = &["gateway", "mesh", "web"];

/// Each is the only fault of its Envoy.
pub(super) const PLANTED: &[Planted] = &[
    planted("network-plugin-missing", &["echo"], |draft| {
        remove(filters(draft, "echo"), "portcullis-network");
    }),
    planted("http-plugin-missing", &["web"], |draft| {
        remove(http_filters(draft, "web"), "portcullis-http");
    }),
    planted("http-manager-missing", &["echo"], |draft| {
        metadata(draft, "echo")["protocol"] = "http".into();
    }),
    planted("filter-order", &["web"], |draft| filters(draft, "web").swap(0, 1)),
    planted("guard-missing", &["web"], |draft| {
        remove(http_filters(draft, "web"), "portcullis-guard");
    }),
    planted("guard-wrong", &["mesh-tcp"], |draft| {
        let guard = find(filters(draft, "mesh-tcp"), "portcullis-guard");
        let principals = &mut guard["typed_config"]["rules"]["policies"]["plugin-said-allow"]["principals"];
        principals[0]["filter_state"]["key"] = "wasm.portcullis_http".into();
    }),
    planted("guard-not-behind", &["web"], |draft| {
        let buffer = typed("http.buffer.v3.Buffer", json!({ "max_request_bytes": 1000 }));
        http_filters(draft, "web").insert(1, json!({ "name": "buffer", "typed_config": buffer }));
    }),
    planted("upstream-guard-missing", &["echo"], |draft| {
        let filters = filters(draft, "echo");
        remove(filters, "portcullis-guard-upstream");
        find(filters, "envoy.filters.network.tcp_proxy")["typed_config"]["cluster"] = "allow:echo".into();
    }),
    planted("route-override", &["web"], |draft| {
        let manager = find(filters(draft, "web"), MANAGER);
        let route = &mut manager["typed_config"]["route_config"]["virtual_hosts"][0]["routes"][0];
        route["typed_per_filter_config"]["portcullis-guard"] = typed("http.rbac.v3.RBACPerRoute", json!({}));
    }),
    planted("plugin-not-loaded", WITH_HTTP, |draft| {
        plugin(&mut draft.http)["configuration"]["value"] = "{}".into();
    }),
    planted("fails-open", ALL, |draft| {
        plugin(&mut draft.network)["failure_policy"] = "FAIL_OPEN".into();
    }),
    planted("fails-for-good", ALL, |draft| {
        plugin(&mut draft.network)["failure_policy"] = "FAIL_CLOSED".into();
    }),
    planted("code-differs", ALL, |draft| {
        let copy = draft.dir.join("copy.wasm");
        let code = &mut plugin(&mut draft.http)["vm_config"]["code"]["local"]["filename"];
        fs::copy(code.as_str().expect("a path"), &copy).expect("a copy");
        *code = copy.to_str().expect("text").into();
    }),
    planted("capability-cut", WITH_HTTP, |draft| {
        let list = &mut plugin(&mut draft.http)["vm_config"]["capability_restriction_config"]["allowed_capabilities"];
        list.as_object_mut().expect("a map").remove("proxy_on_request_headers");
    }),
    planted("bundle-old", ALL, |draft| {
        let old = packed(&compile(&["--plugin-config", "listener", "--cluster", "another"]));
        for document in [&mut draft.network, &mut draft.http] {
            plugin(document)["configuration"]["value"] = old.as_str().into();
        }
    }),
    planted("layers-differ", WITH_HTTP, |draft| {
        plugin(&mut draft.http)["configuration"]["value"] = packed(&compile(&["--plugin-config", "both"])).into();
    }),
    planted("no-direction", &["echo"], |draft| {
        metadata(draft, "echo")
            .as_object_mut()
            .expect("a map")
            .remove("direction");
        listener(draft, "echo")["traffic_direction"] = "UNSPECIFIED".into();
    }),
    planted("bad-metadata", &["echo"], |draft| {
        metadata(draft, "echo")["direction"] = "inbound".into()
    }),
    planted("proxy-protocol", &["echo"], |draft| {
        let filter = typed("listener.proxy_protocol.v3.ProxyProtocol", json!({}));
        listener(draft, "echo")["listener_filters"] = json!([{ "name": "proxy", "typed_config": filter }]);
    }),
    planted("witness-missing", &["mesh"], |draft| {
        remove(filters(draft, "mesh"), "portcullis-witness")
    }),
    planted("certificate-unverified", &["mesh-tcp"], |draft| {
        validation(draft, "mesh-tcp")["trust_chain_verification"] = "ACCEPT_UNTRUSTED".into();
    }),
    planted("certificate-unused", &["mesh"], |draft| {
        validation(draft, "mesh")["trust_chain_verification"] = "ACCEPT_UNTRUSTED".into();
    }),
    planted("resumption-on", &["mesh"], |draft| {
        tls(draft, "mesh")["disable_stateless_session_resumption"] = false.into();
    }),
    planted("connect-mode", &["mesh-tcp"], |draft| {
        let proxy = find(filters(draft, "mesh-tcp"), "envoy.filters.network.tcp_proxy");
        proxy["typed_config"]["upstream_connect_mode"] = "IMMEDIATE".into();
    }),
    planted("trusts-forwarded-for", &["web"], |draft| {
        manager(draft, "web")["use_remote_address"] = false.into();
    }),
    planted("paths-not-normalised", &["web"], |draft| {
        manager(draft, "web")["merge_slashes"] = false.into();
    }),
    planted("underscores-allowed", &["web"], |draft| {
        manager(draft, "web")["common_http_protocol_options"]["headers_with_underscores_action"] = "ALLOW".into();
    }),
    planted("upstream-plugin-missing", &["gateway"], |draft| {
        let router = find(http_filters(draft, "gateway"), "envoy.filters.http.router");
        let filters = router["typed_config"]["upstream_http_filters"]
            .as_array_mut()
            .expect("a list");
        remove(filters, "portcullis-http");
    }),
    planted("upstream-overridden", &["gateway"], |draft| {
        let clusters = draft.bootstrap["static_resources"]["clusters"]
            .as_array_mut()
            .expect("a list");
        let options = &mut find(clusters, "backends")["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
        let codec = typed("http.upstream_codec.v3.UpstreamCodec", json!({}));
        options["http_filters"] = json!([{ "name": "envoy.filters.http.upstream_codec", "typed_config": codec }]);
    }),
    Planted {
        after: |world| world.push("{}"),
        ..planted("update-refused", ALL, |_| ())
    },
    Planted {
        after: |world| world.publish_garbage(),
        ..planted("update-unclear", ALL, |_| ())
    },
    planted("vm-missing", ALL, |draft| {
        let module = draft.dir.join("module.wasm");
        fs::write(&module, wat::parse_str(REFUSES_LATER).expect("a module")).expect("a file");
        for document in [&mut draft.network, &mut draft.http] {
            let vm = &mut plugin(document)["vm_config"];
            vm["code"]["local"]["filename"] = module.to_str().expect("text").into();
            vm["capability_restriction_config"]["allowed_capabilities"]["proxy_get_metric"] = json!({});
        }
    }),
];

/// A plugin that accepts its first two configurations, those of Envoy's test VMs for the two filters, and refuses
/// later ones. Metrics are what all VMs share.
const REFUSES_LATER: &str = r#"(module
    (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
    (import "env" "proxy_get_metric" (func $get (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 300) "configured")
    (func (export "_initialize"))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 4096))
    (func (export "proxy_on_context_create") (param i32 i32))
    (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $define (i32.const 0) (i32.const 300) (i32.const 10) (i32.const 400)))
        (drop (call $increment (i32.load (i32.const 400)) (i64.const 1)))
        (drop (call $get (i32.load (i32.const 400)) (i32.const 408)))
        (i64.le_u (i64.load (i32.const 408)) (i64.const 2))))"#;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

const fn planted(code: &'static str, listeners: &'static [&'static str], before: fn(&mut Draft)) -> Planted {
    Planted {
        code,
        listeners,
        before,
        after: |_| (),
    }
}

fn listener<'a>(draft: &'a mut Draft, name: &str) -> &'a mut Value {
    find(
        draft.bootstrap["static_resources"]["listeners"]
            .as_array_mut()
            .expect("a list"),
        name,
    )
}

fn metadata<'a>(draft: &'a mut Draft, name: &str) -> &'a mut Value {
    &mut listener(draft, name)["metadata"]["filter_metadata"]["portcullis"]
}

/// The network filters of the last chain, which is that for traffic.
fn filters<'a>(draft: &'a mut Draft, name: &str) -> &'a mut Vec<Value> {
    let chains = listener(draft, name)["filter_chains"].as_array_mut().expect("a list");
    chains.last_mut().expect("a chain")["filters"]
        .as_array_mut()
        .expect("a list")
}

/// The TLS of the last chain.
fn tls<'a>(draft: &'a mut Draft, name: &str) -> &'a mut Value {
    let chains = listener(draft, name)["filter_chains"].as_array_mut().expect("a list");
    &mut chains.last_mut().expect("a chain")["transport_socket"]["typed_config"]
}

/// How the last chain validates certificates.
fn validation<'a>(draft: &'a mut Draft, name: &str) -> &'a mut Value {
    &mut tls(draft, name)["common_tls_context"]["validation_context"]
}

fn manager<'a>(draft: &'a mut Draft, name: &str) -> &'a mut Value {
    &mut find(filters(draft, name), MANAGER)["typed_config"]
}

fn http_filters<'a>(draft: &'a mut Draft, name: &str) -> &'a mut Vec<Value> {
    manager(draft, name)["http_filters"].as_array_mut().expect("a list")
}

/// The plugin in what is published for a kind of filter.
fn plugin(document: &mut Value) -> &mut Value {
    &mut document["resources"][0]["typed_config"]["config"]
}

fn find<'a>(list: &'a mut [Value], name: &str) -> &'a mut Value {
    let found = list.iter_mut().find(|item| item["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

fn remove(list: &mut Vec<Value>, name: &str) {
    let before = list.len();
    list.retain(|item| item["name"] != name);
    assert_eq!(list.len() + 1, before, "{name}");
}

fn typed(message: &str, mut fields: Value) -> Value {
    fields["@type"] = format!("type.googleapis.com/envoy.extensions.filters.{message}").into();
    fields
}

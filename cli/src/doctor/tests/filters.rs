//! Filters and listeners.

use serde_json::{Value, json};

use super::{Pages, check, filter, list, typed};

const UPSTREAM: &str = "filters.http.upstream_codec.v3.UpstreamCodec";
/// The guard in front of it.
const SCRIPT: &str = r#"-- A comment.
function envoy_on_request(handle)
  local known, word = pcall(function()
    return handle:streamInfo():filterState():get("wasm.portcullis_upstream")
  end)
  if not known or word ~= "WORD" then
    handle:respond({[":status"] = "403"}, "Access denied\r\n")
  end
end
"#;

#[test]
fn the_plugin_and_its_guards() {
    check(&[
        (
            |pages| drop(list(&mut pages.web()["filter_chains"][0]["filters"]).remove(0)),
            &["network-plugin-missing"],
            "connections",
        ),
        (
            |pages| pages.web()["filter_chains"] = json!([]),
            &["network-plugin-missing"],
            "no chain, no plugin",
        ),
        (
            |pages| {
                let chain = pages.web()["filter_chains"][0].clone();
                pages.web()["default_filter_chain"] = chain;
                list(&mut pages.web()["default_filter_chain"]["filters"]).remove(0);
            },
            &["network-plugin-missing"],
            "the default chain is one, too",
        ),
        (
            |pages| drop(list(&mut pages.manager()["http_filters"]).remove(0)),
            &["http-plugin-missing"],
            "requests",
        ),
        (
            |pages| pages.manager()["http_filters"][0]["disabled"] = true.into(),
            &["http-plugin-missing"],
            "switched off",
        ),
        (
            |pages| list(&mut pages.manager()["http_filters"]).swap(0, 2),
            &["filter-order"],
            "router, guard, plugin: both are too early",
        ),
        (
            |pages| {
                let resolve = filter("dfp", "filters.http.dynamic_forward_proxy.v3.FilterConfig", json!({}));
                list(&mut pages.manager()["http_filters"]).insert(0, resolve);
            },
            &["filter-order"],
            "a query for a name that nobody allowed",
        ),
        (
            |pages| {
                let early = filter("lua", "filters.http.lua.v3.Lua", json!({}));
                list(&mut pages.manager()["http_filters"]).insert(0, early);
            },
            &[],
            "what neither answers nor forwards may stand first",
        ),
        (
            |pages| {
                let between = filter("lua", "filters.http.lua.v3.Lua", json!({}));
                list(&mut pages.manager()["http_filters"]).insert(1, between);
            },
            &["guard-not-behind"],
            "a filter between",
        ),
        (
            |pages| pages.manager()["http_filters"][1]["typed_config"]["rules"] = json!(null),
            &["guard-missing"],
            "no rules",
        ),
        (
            |pages| {
                let rbac = pages.manager()["http_filters"][1].clone();
                let filters = list(&mut pages.manager()["http_filters"]);
                filters.insert(2, rbac);
                filters[1]["typed_config"]["rules"]["policies"]["plugin-said-allow"]["principals"] =
                    json!([{ "any": true }]);
            },
            &["guard-not-behind"],
            "another RBAC filter comes first",
        ),
        (
            |pages| drop(list(&mut pages.db()["filter_chains"][0]["filters"]).remove(2)),
            &[],
            "the cluster does not exist: a dead end",
        ),
        (
            |pages| {
                list(&mut pages.db()["filter_chains"][0]["filters"]).remove(2);
                pages.db()["filter_chains"][0]["filters"][2]["typed_config"]["cluster"] = "web".into();
            },
            &["upstream-guard-missing"],
            "contacted after the handshake, whatever the plugin says",
        ),
        (
            |pages| pages.routes()["virtual_hosts"][0]["typed_per_filter_config"] = json!({ "portcullis-http": {} }),
            &["route-override"],
            "the plugin, by routes that came by name",
        ),
        (
            |pages| pages.routes()["virtual_hosts"][0]["typed_per_filter_config"] = json!({ "router": {} }),
            &[],
            "somebody else's settings",
        ),
    ]);
}

#[test]
fn what_listeners_say() {
    fn metadata(listener: &mut Value) -> &mut Value {
        &mut listener["metadata"]["filter_metadata"]["portcullis"]
    }
    check(&[
        (
            |pages| *metadata(pages.web()) = json!({}),
            &["protocol-unsaid"],
            "HTTP, and nobody says so",
        ),
        (
            |pages| metadata(pages.db())["protocol"] = "http".into(),
            &["http-manager-missing"],
            "no HTTP",
        ),
        (
            |pages| pages.web()["traffic_direction"] = json!(null),
            &["no-direction"],
            "nothing says whose policy decides",
        ),
        (
            |pages| metadata(pages.db())["direction"] = "inbound".into(),
            &["bad-metadata"],
            "Envoy's word",
        ),
        (
            |pages| metadata(pages.db())["port"] = json!(80),
            &["bad-metadata"],
            "a number",
        ),
        (|pages| metadata(pages.db())["port"] = "80".into(), &[], "as text"),
        (
            |pages| metadata(pages.db())["port"] = "0".into(),
            &["bad-metadata"],
            "nobody's port",
        ),
        (
            |pages| metadata(pages.db())["filter_state"] = "my.peer".into(),
            &[],
            "a name of something else",
        ),
        (
            |pages| {
                pages.db()["listener_filters"] = json!([filter(
                    "p",
                    "filters.listener.proxy_protocol.v3.ProxyProtocol",
                    json!({})
                )])
            },
            &["proxy-protocol"],
            "clients say where they are",
        ),
        (
            |pages| pages.db()["filter_chains"][0]["use_proxy_proto"] = true.into(),
            &["proxy-protocol"],
            "as it was once said",
        ),
        (
            |pages| {
                pages.part("ListenersConfigDump")["dynamic_listeners"][0]["error_state"] = json!({ "details": "no" })
            },
            &["listener-refused"],
            "an update that Envoy did not take",
        ),
    ]);
}

#[test]
fn what_the_policy_and_the_application_see() {
    check(&[
        (
            |pages| pages.manager()["use_remote_address"] = json!(null),
            &["trusts-forwarded-for"],
            "off by default",
        ),
        (
            |pages| pages.manager()["xff_num_trusted_hops"] = 1.into(),
            &["trusts-forwarded-for"],
            "one hop",
        ),
        (
            |pages| pages.manager()["original_ip_detection_extensions"] = json!([{ "name": "xff" }]),
            &["trusts-forwarded-for"],
            "by other means",
        ),
        (
            |pages| pages.manager()["normalize_path"] = false.into(),
            &["paths-not-normalised"],
            "dots",
        ),
        (
            |pages| pages.manager()["merge_slashes"] = json!(null),
            &["paths-not-normalised"],
            "off by default",
        ),
        (
            |pages| pages.manager()["path_with_escaped_slashes_action"] = "KEEP_UNCHANGED".into(),
            &["paths-not-normalised"],
            "escaped slashes",
        ),
        (
            |pages| pages.manager()["path_with_escaped_slashes_action"] = "REJECT_REQUEST".into(),
            &[],
            "strict is fine",
        ),
        (
            |pages| pages.manager()["common_http_protocol_options"] = json!({}),
            &["underscores-allowed"],
            "by default",
        ),
    ]);
}

#[test]
fn what_certificates_prove() {
    fn say(pages: &mut Pages, certificate: &str) {
        pages.db()["metadata"]["filter_metadata"]["portcullis"]["certificate"] = certificate.into();
        let mode = if certificate == "witnessed" {
            "ON_DOWNSTREAM_DATA"
        } else {
            "ON_DOWNSTREAM_TLS_HANDSHAKE"
        };
        pages.proxy()["upstream_connect_mode"] = mode.into();
    }
    fn witness(pages: &mut Pages, principal: Value, prefix: &str) {
        say(pages, "witnessed");
        let rules = json!({ "policies": { "p": { "principals": [principal] } } });
        let fields = json!({ "shadow_rules": rules, "shadow_rules_stat_prefix": prefix });
        let witness = filter("witness", "filters.network.rbac.v3.RBAC", fields);
        list(&mut pages.db()["filter_chains"][0]["filters"]).insert(0, witness);
    }
    fn validated() -> Value {
        let fields = json!({ "any_validated_client_certificate": true });
        json!({ "custom": { "typed_config": typed("rbac.principals.mtls_authenticated.v3.Config", fields) } })
    }
    check(&[
        (
            |pages| pages.tls()["require_client_certificate"] = false.into(),
            &["certificate-unverified"],
            "optional",
        ),
        (
            |pages| pages.db()["filter_chains"][0]["transport_socket"] = json!(null),
            &["certificate-unverified"],
            "no TLS",
        ),
        (
            |pages| pages.validation()["trust_chain_verification"] = "ACCEPT_UNTRUSTED".into(),
            &["certificate-unverified"],
            "anybody's certificate, in a secret",
        ),
        (
            |pages| *pages.validation() = json!({}),
            &["certificate-unverified"],
            "no authority",
        ),
        (
            |pages| pages.tls()["disable_stateful_session_resumption"] = false.into(),
            &["resumption-on"],
            "half is not enough",
        ),
        (
            |pages| pages.part("SecretsConfigDump")["dynamic_active_secrets"] = json!([]),
            &[],
            "nobody gets in without it",
        ),
        (
            |pages| pages.tls()["common_tls_context"] = json!({}),
            &["certificate-unverified"],
            "no validation at all",
        ),
        (
            |pages| say(pages, "witnessed"),
            &["witness-missing"],
            "nobody testifies",
        ),
        (
            |pages| witness(pages, validated(), "portcullis_"),
            &[],
            "a native filter does",
        ),
        (
            |pages| witness(pages, validated(), "other_"),
            &["witness-missing"],
            "where the plugin does not listen",
        ),
        (
            |pages| witness(pages, json!({ "any": true }), "portcullis_"),
            &["witness-missing"],
            "to anything",
        ),
        (
            |pages| {
                witness(pages, validated(), "portcullis_");
                *pages.validation() = json!({});
            },
            &["certificate-unused"],
            "and has nothing to testify",
        ),
        (
            |pages| {
                witness(pages, validated(), "portcullis_");
                pages.db()["filter_chains"][0]["transport_socket"] = json!(null);
            },
            &["certificate-unused"],
            "no TLS",
        ),
        (
            |pages| {
                witness(pages, validated(), "portcullis_");
                let proxy = &mut pages.db()["filter_chains"][0]["filters"][4]["typed_config"];
                proxy["upstream_connect_mode"] = "ON_DOWNSTREAM_TLS_HANDSHAKE".into();
            },
            &["connect-mode"],
            "testified when the server has spoken already",
        ),
        (
            |pages| pages.proxy()["upstream_connect_mode"] = json!(null),
            &["connect-mode"],
            "at once, by default",
        ),
        (|pages| say(pages, "ignored"), &[], "certificates do not matter"),
    ]);
}

#[test]
fn the_endpoint_that_was_chosen() {
    fn upstream(pages: &mut Pages, word: &str) {
        pages.web()["metadata"]["filter_metadata"]["portcullis"]["destination"] = "upstream".into();
        let script = SCRIPT.replace("WORD", word);
        let guard = json!({ "default_source_code": { "inline_string": script } });
        let filters = json!([
            pages.manager()["http_filters"][0],
            filter("guard", "filters.http.lua.v3.Lua", guard),
            filter("codec", UPSTREAM, json!({})),
        ]);
        pages.manager()["http_filters"][2]["typed_config"]["upstream_http_filters"] = filters;
    }
    fn own_filters(pages: &mut Pages) {
        let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
        let own = json!({ "http_filters": [filter("codec", UPSTREAM, json!({}))] });
        pages.cluster()["typed_extension_protocol_options"] = json!({ options: own });
    }
    check(&[
        (|pages| upstream(pages, "allow"), &[], "plugin, guard, codec"),
        (|pages| upstream(pages, "deny"), &["guard-wrong"], "another script"),
        (
            |pages| pages.web()["metadata"]["filter_metadata"]["portcullis"]["destination"] = "upstream".into(),
            &["upstream-plugin-missing"],
            "nobody looks at the endpoint",
        ),
        (
            |pages| {
                upstream(pages, "allow");
                own_filters(pages);
            },
            &["upstream-overridden"],
            "the cluster has filters of its own",
        ),
        (
            |pages| {
                upstream(pages, "allow");
                own_filters(pages);
                pages.routes()["virtual_hosts"][0]["routes"][0]["route"] = json!({ "cluster": "another" });
            },
            &[],
            "no route leads there",
        ),
        (
            |pages| {
                upstream(pages, "allow");
                own_filters(pages);
                pages.routes()["virtual_hosts"][0]["routes"][0]["route"] = json!({ "cluster_header": "x-to" });
            },
            &["upstream-overridden"],
            "clients may lead there",
        ),
        (own_filters, &[], "the destination is the address"),
    ]);
}

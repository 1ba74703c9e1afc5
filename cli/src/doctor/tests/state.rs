//! The plugin's configuration, and what Envoy counted.

use serde_json::{Value, json};

use super::{CONFIGURATION, Pages, check, codes, packed};

fn by_name(pages: &mut Pages, layer: &str, change: impl Fn(&mut Value)) {
    change(&mut pages.resource(layer)["ecds_filter"]["typed_config"]["config"]);
}

#[test]
fn how_the_plugin_runs() {
    check(&[
        (
            |pages| by_name(pages, "http", |p| p["failure_policy"] = "FAIL_OPEN".into()),
            &["fails-open"],
            "open",
        ),
        (
            |pages| by_name(pages, "http", |p| p["fail_open"] = true.into()),
            &["fails-open"],
            "as it was once said",
        ),
        (
            |pages| by_name(pages, "http", |p| p["failure_policy"] = json!(null)),
            &["fails-for-good"],
            "by default",
        ),
        (
            |pages| {
                by_name(pages, "http", |p| {
                    p["vm_config"]["code"]["local"]["filename"] = "old.wasm".into()
                })
            },
            &["code-differs"],
            "another file for one VM",
        ),
        (
            |pages| {
                by_name(pages, "http", |p| {
                    p["vm_config"]["vm_id"] = "other".into();
                    p["vm_config"]["code"]["local"]["filename"] = "old.wasm".into();
                });
                pages.count("wasm.envoy.wasm.runtime.v8.active", 8);
            },
            &[],
            "a VM of its own",
        ),
        (
            |pages| {
                let allowed = json!({ "allowed_capabilities": { "proxy_log": {} } });
                by_name(pages, "http", |p| {
                    p["vm_config"]["capability_restriction_config"] = allowed.clone()
                });
            },
            &["capability-cut"],
            "only one",
        ),
        (
            |pages| {
                let allowed = json!({ "allowed_capabilities": {} });
                by_name(pages, "http", |p| {
                    p["vm_config"]["capability_restriction_config"] = allowed.clone()
                });
            },
            &[],
            "an empty list restricts nothing",
        ),
        (
            |pages| pages.count("wasm.envoy.wasm.runtime.v8.active", 3),
            &["vm-missing"],
            "two workers need two, besides the main thread's and the one to copy from",
        ),
        (
            |pages| {
                pages.count("wasm.envoy.wasm.runtime.v8.active", 0);
                pages.server = json!(null);
            },
            &["vm-missing"],
            "none at all, however many workers there are",
        ),
        (
            |pages| pages.count("wasm.portcullis.vm_reload_success", 1),
            &["plugin-crashed"],
            "a new VM",
        ),
        (
            |pages| pages.count("wasmcustom.portcullis_panics_total", 1),
            &["plugin-crashed"],
            "a panic",
        ),
        (
            |pages| pages.count("http.web.rbac.denied", 1),
            &["guard-held"],
            "a request",
        ),
        (
            |pages| pages.count("portcullis_guard.rbac.denied", 1),
            &["guard-held"],
            "a connection",
        ),
        (
            |pages| pages.server["state"] = "DRAINING".into(),
            &["not-live"],
            "about to end",
        ),
    ]);
}

#[test]
fn which_policy_it_has() {
    const OTHER: &str = r#"{"version":1,"bundle":{"version":1,"options":{"enforcement":"always"}}}"#;
    const SERVER_NAMES: &str = r#"{"version":1,"bundle":{"version":1,"selectors":[[]],"policies":[
        {"kind":"CiliumNetworkPolicy","namespace":"a","name":"b","rules":[
            {"path":"spec","subject":0,"defaultDeny":{"ingress":true,"egress":false},"ingress":[
                {"peers":"any","ports":[{"ports":[{"port":{"protocol":"TCP","numbers":{"range":[443,443]}}}],"serverNames":["c"]}]}]}]}]}}"#;
    check(&[
        (
            |pages| pages.configure(OTHER),
            &["bundle-old"],
            "another digest everywhere",
        ),
        (
            |pages| by_name(pages, "http", |p| p["configuration"]["value"] = packed(OTHER).into()),
            &["bundle-old", "layers-differ"],
            "requests are judged by another policy",
        ),
        (
            |pages| pages.configure(r#"{"version":1,"bundle":{"version":1,"options":{"audit":true}}}"#),
            &["bundle-old", "nothing-enforced"],
            "everything is only audited",
        ),
        (
            |pages| pages.configure(r#"{"version":1,"bundle":{"version":1,"options":{"enforcement":"never"}}}"#),
            &["bundle-old", "nothing-enforced"],
            "or not asked at all",
        ),
        (
            |pages| pages.configure("no JSON"),
            &["bundle-old", "configuration-unreadable"],
            "unreadable",
        ),
        (
            |pages| pages.plugins(|plugin| plugin["configuration"]["value"] = CONFIGURATION.into()),
            &["bundle-old", "configuration-unreadable"],
            "not packed, which an earlier plugin wanted",
        ),
        (
            |pages| pages.configure(SERVER_NAMES),
            &["bundle-old"],
            "TLS ends here, so the name is known",
        ),
        (
            |pages| {
                pages.configure(SERVER_NAMES);
                pages.db()["metadata"]["filter_metadata"]["portcullis"]["certificate"] = "ignored".into();
                pages.db()["filter_chains"][0]["transport_socket"] = json!(null);
            },
            &["bundle-old", "server-names-unknown"],
            "TLS passes through",
        ),
    ]);
    let mut pages = Pages::healthy();
    pages.db()["filter_chains"][0]["filters"][0]["typed_config"]["config"]["configuration"]["value"] =
        packed(OTHER).into();
    assert_eq!(
        codes(&pages.examine(None, false)),
        ["bundle-differs"],
        "nobody says which one is right"
    );
}

#[test]
fn what_envoy_received_need_not_be_in_force() {
    check(&[
        (
            |pages| pages.resource("http")["last_updated"] = "2026-01-01T00:00:00.251Z".into(),
            &["update-refused"],
            "a millisecond after the last that was accepted",
        ),
        (
            |pages| pages.resource("http")["last_updated"] = "2026-01-01T00:00:00.250Z".into(),
            &[],
            "with it",
        ),
        (
            |pages| {
                by_name(pages, "http", |p| p["configuration"]["value"] = "no JSON".into());
                pages.resource("http")["last_updated"] = "2026-01-01T00:00:01Z".into();
            },
            &["update-refused"],
            "what was refused is not looked at",
        ),
        (
            |pages| {
                pages.count(
                    "extension_config_discovery.http_filter.portcullis-http.update_success",
                    0,
                );
            },
            &["plugin-not-loaded"],
            "never accepted",
        ),
        (
            |pages| pages.resource("http")["ecds_filter"] = json!({}),
            &["plugin-not-loaded"],
            "never received",
        ),
        (
            |pages| {
                let counter = "extension_config_discovery.network_filter.portcullis-network.update_failure";
                pages.count(counter, 1);
            },
            &["update-unclear"],
            "a broken file",
        ),
        (
            |pages| {
                let count = |what| format!("extension_config_discovery.http_filter.portcullis-http.{what}");
                pages.count(&count("update_rejected"), 1);
                pages.count(&count("config_reload"), 2);
            },
            &[],
            "one was refused, and a better one accepted",
        ),
        (
            |pages| {
                let count = |what| format!("extension_config_discovery.http_filter.portcullis-http.{what}");
                pages.count(&count("update_rejected"), 1);
                pages.count(&count("config_reload"), 1);
            },
            &["update-unclear"],
            "one was refused, and came again",
        ),
    ]);
}

#[test]
fn an_envoy_without_the_plugin_is_not_healthy() {
    let mut pages = Pages::healthy();
    *pages.part("ListenersConfigDump") = json!({});
    let report = pages.examine(None, false);
    assert_eq!((codes(&report), report.healthy), (vec!["nothing-guarded"], false));
}

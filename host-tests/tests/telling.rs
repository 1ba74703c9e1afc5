//! What the built plugin tells beside its verdicts. Without a plugin that is up to date, these tests say so and pass.

use std::sync::LazyLock;

use policy_core::packed::{self, Form};
use serde_json::{Value, json};
use wasm_host::{
    Connection, HttpOutcome, HttpStream, ListenerDirection, LocalReply, Plugin, Request, TcpStream, Vm, VmConfig,
    artefact,
};

const CLIENT: &str = "10.0.0.2:41000";
const STRANGER: &str = "192.0.2.1:41000";
const SERVER: &str = "10.0.0.1:8080";
const RULE: &str = "CiliumNetworkPolicy/shop/db spec.ingress[0].toPorts[0]";

/// Anybody may send `GET /public` to port 8080 of `shop/db`, and nothing else.
fn configuration(settings: &str) -> String {
    format!(
        r#"{{"version":1,{settings}"bundle":{{"version":1,
        "selectors":[[{{"equals":{{"key":"any:app","value":"db"}}}}]],
        "policies":[{{"kind":"CiliumNetworkPolicy","namespace":"shop","name":"db","rules":[
          {{"path":"spec","subject":0,"defaultDeny":{{"ingress":true,"egress":false}},"ingress":[
            {{"peers":"any","ports":[{{"ports":[{{"port":{{"protocol":"TCP","numbers":{{"range":[8080,8080]}}}}}}],
              "rules":{{"http":[{{"method":"GET","path":"/public","headers":[]}}]}}}}]}}]}}]}}],
        "identities":[{{"labels":["k8s:app=db"]}},{{"labels":["k8s:app=web"]}}],
        "endpoints":[{{"name":"shop/db","identity":0,"addresses":["10.0.0.1"]}},
                     {{"name":"shop/web","identity":1,"addresses":["10.0.0.2"]}}]}}}}"#
    )
}

/// Compiled once for all tests.
static PLUGIN: LazyLock<Option<Plugin>> = LazyLock::new(|| match artefact::locate() {
    Ok(path) => Some(Plugin::load(path).expect("a module")),
    Err(error) => {
        eprintln!("SKIPPED: {error}");
        None
    }
});

/// A VM with these settings; `None` if there is no plugin.
fn vm(settings: &str) -> Option<Vm> {
    let vm = Vm::new(PLUGIN.as_ref()?, VmConfig::default()).expect("a VM");
    let packed = packed::configuration(configuration(settings).as_bytes(), Form::Bytes).expect("it packs");
    let accepted = vm.configure(&packed).expect("no trap");
    assert!(accepted, "{:?}", vm.take_logs());
    Some(vm)
}

fn connect(vm: &Vm, source: &str, destination: &str, protocol: &str) -> TcpStream {
    let address = |text: &str| text.parse().expect("an address");
    let connection = Connection::new(address(source), address(destination))
        .direction(ListenerDirection::Inbound)
        .listener_metadata("portcullis", "protocol", protocol);
    let mut tcp = vm.tcp(connection);
    tcp.new_connection();
    tcp
}

fn get(vm: &Vm, path: &str) -> HttpStream {
    connect(vm, CLIENT, SERVER, "http").http(Request::get("db", path))
}

fn reply(stream: &HttpStream) -> &LocalReply {
    match stream.outcome() {
        HttpOutcome::LocalReply(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn flow(state: Option<Vec<u8>>) -> Value {
    serde_json::from_slice(&state.expect("a flow")).expect("JSON")
}

#[test]
fn flows_of_both_layers_are_json() {
    let Some(vm) = vm(r#""flowLog":true,"#) else { return };
    let tcp = connect(&vm, STRANGER, "10.0.0.1:22", "tcp");
    let denied = flow(tcp.filter_state("wasm.portcullis_flow"));
    assert_eq!(
        denied["IP"],
        json!({"source": "192.0.2.1", "destination": "10.0.0.1", "ipVersion": "IPv4"})
    );
    assert_eq!(
        denied["l4"],
        json!({"TCP": {"source_port": 41000, "destination_port": 22}})
    );
    assert_eq!(denied["source"], json!({"labels": ["reserved:world-ipv4"]}));
    assert_eq!(json!([denied["verdict"], denied["Type"]]), json!(["DROPPED", "L3_L4"]));
    let time = denied["time"].as_str().expect("the host has a clock");
    assert!(time.len() == 30 && time.ends_with('Z'), "{time}");

    let allowed = flow(get(&vm, "/public").filter_state("wasm.portcullis_flow"));
    assert_eq!(json!([allowed["verdict"], allowed["Type"]]), json!(["FORWARDED", "L7"]));
    assert_eq!(allowed["l7"]["http"]["url"], "http://db/public");
    assert_eq!(
        allowed["ingress_allowed_by"],
        json!([{"name": "db", "namespace": "shop", "kind": "CiliumNetworkPolicy"}])
    );
    assert_eq!(allowed["source"]["pod_name"], "web");
}

#[test]
fn a_peer_cannot_break_the_line_of_a_flow() {
    let Some(vm) = vm(r#""flowLog":true,"#) else { return };
    let tcp = connect(&vm, CLIENT, SERVER, "http");
    let http = tcp.http(Request::get("db", "/\"},\n{\"verdict\":\"FORWARDED\"\u{2028}\\").header("x-a", b"\xff"));
    let line = http.filter_state("wasm.portcullis_flow").expect("a flow");
    assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)), "{line:?}");
    assert_eq!(flow(Some(line))["verdict"], "DROPPED");
}

#[test]
fn denials_are_explained_where_the_operator_wants_it() {
    let missed = "path /secret is not /public";
    let Some(plain) = vm("") else { return };
    let stream = get(&plain, "/secret");
    assert_eq!(reply(&stream).body, b"Access denied\r\n");
    assert_eq!(reply(&stream).headers.text("x-portcullis-reason"), None);
    assert_eq!(stream.filter_state("wasm.portcullis_flow"), None, "nor is there a flow");

    let header = vm(r#""explain":{"denials":"header"},"#).expect("a plugin");
    let stream = get(&header, "/secret");
    let words = format!("no-http-rule-matches; {RULE}.rules.http[0]: {missed}");
    assert_eq!(reply(&stream).headers.text("x-portcullis-reason"), Some(&*words));
    assert_eq!(reply(&stream).body, b"Access denied\r\n");

    let body = vm(r#""explain":{"denials":"body"},"#).expect("a plugin");
    let stream = get(&body, "/secret");
    assert_eq!(reply(&stream).headers.text("content-type"), Some("application/json"));
    let document: Value = serde_json::from_slice(&reply(&stream).body).expect("JSON");
    assert_eq!(
        document["nearest"],
        json!({"rule": format!("{RULE}.rules.http[0]"), "missed": missed})
    );
}

#[test]
fn verdicts_are_counted_by_policy_with_one_call_each() {
    let Some(vm) = vm("") else { return };
    let decide = || {
        get(&vm, "/public");
        get(&vm, "/secret");
        connect(&vm, STRANGER, "10.0.0.1:22", "tcp");
    };
    decide();
    let _ = vm.take_counters();
    decide();
    let counters = vm.take_counters();
    assert_eq!(counters.calls_of("proxy_define_metric"), 0, "all counters are known");
    assert_eq!(
        counters.calls_of("proxy_increment_metric"),
        5,
        "three connections and two requests"
    );
    let policy = "CiliumNetworkPolicy/shop/db";
    for (kind, policy) in [
        ("layer.l7.verdict.allow", policy),
        ("layer.l7.verdict.deny", policy),
        ("layer.l4.verdict.deny", "default-deny"),
    ] {
        let name = format!("portcullis_requests_total.dir.ingress.{kind}.policy.{policy}");
        assert_eq!(vm.metric(&name), Some(2), "{name}");
    }
}

#[test]
fn the_policy_in_force_is_shown() {
    let Some(vm) = vm("") else { return };
    let metric = |name: &str| vm.metric(name).unwrap_or_default();
    assert!(metric("portcullis_bundle_timestamp_seconds") > 0);
    let digest = metric("portcullis_bundle_digest");
    assert!(digest > 0 && digest < 1 << 52, "{digest}");
    assert_eq!((metric("portcullis_rules"), metric("portcullis_endpoints")), (1, 2));
}

use super::*;
use crate::fake::{self, Mood, Plugin};
use crate::host::Action;
use proptest::prelude::*;
use serde_json::{Value, json};

const SETTINGS: &str = r#""direction":"ingress","flowLog":true,"#;
const TIE: &str = "10.0.0.2:41000";
const XWING: &str = "10.0.0.3:41000";
const DEATHSTAR: &str = "10.0.0.1:80";
const METRICS: &str = "10.0.0.1:8080";

fn flow(plugin: &Plugin) -> Value {
    serde_json::from_str(&plugin.world.state("portcullis_flow")).expect("JSON")
}

fn plugin(configuration: &str) -> Plugin {
    let plugin = Plugin::unconfigured();
    plugin.world.time.set(1_700_000_000_000_000_001);
    plugin.world.set("xds.node.id", "node-1");
    assert!(plugin.configure(configuration));
    plugin
}

#[test]
fn a_connection_is_a_flow_of_hubble_and_more() {
    let plugin = plugin(&fake::configuration(SETTINGS));
    plugin.connect(TIE, DEATHSTAR);
    let mut flow = flow(&plugin);
    let bundle = flow["portcullis"]["bundle"].take();
    assert!(
        bundle.as_str().is_some_and(|digest| digest.starts_with("sha256:")),
        "{bundle}"
    );
    let want = json!({
        "time": "2023-11-14T22:13:20.000000001Z",
        "verdict": "FORWARDED",
        "IP": {"source": "10.0.0.2", "destination": "10.0.0.1", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 41000, "destination_port": 80}},
        "source": {
            "namespace": "empire",
            "pod_name": "tiefighter",
            "labels": ["k8s:app=tiefighter", "k8s:io.cilium.k8s.policy.serviceaccount=tie",
                       "k8s:io.kubernetes.pod.namespace=empire", "k8s:ns=empire"],
        },
        "destination": {
            "namespace": "empire",
            "pod_name": "deathstar",
            "labels": ["k8s:app=deathstar", "k8s:ns=empire"],
        },
        "Type": "L3_L4",
        "node_name": "node-1",
        "is_reply": false,
        "traffic_direction": "INGRESS",
        "ingress_allowed_by": [{"name": "deathstar", "namespace": "empire", "kind": "CiliumNetworkPolicy"}],
        "portcullis": {
            "reason": "allowed-by-rule",
            "rule": "CiliumNetworkPolicy/empire/deathstar spec.ingress[0].toPorts[0]",
            "bundle": null,
        },
    });
    assert_eq!(flow, want);
}

#[test]
fn a_denial_says_so_in_the_words_of_hubble() {
    let deny = r#"{"kind":"CiliumClusterwideNetworkPolicy","name":"no-rebels","rules":[
        {"path":"spec","subject":0,"defaultDeny":{"ingress":true,"egress":false},
         "ingressDeny":[{"peers":"any","ports":[{"ports":[{"port":{"protocol":"TCP","numbers":{"range":[80,80]}}}]}]}]}]}"#;
    let plugin = plugin(&fake::with_policies(SETTINGS, &[deny]));
    for (destination, reason, denied_by, why) in [
        (
            DEATHSTAR,
            "POLICY_DENY",
            json!([{"name": "no-rebels", "kind": "CiliumClusterwideNetworkPolicy"}]),
            "a rule",
        ),
        (METRICS, "POLICY_DENIED", Value::Null, "no rule allows it"),
    ] {
        plugin.connect(XWING, destination);
        let flow = flow(&plugin);
        assert_eq!(flow["verdict"], "DROPPED", "{why}");
        assert_eq!(flow["drop_reason_desc"], reason, "{why}");
        assert_eq!(flow["ingress_denied_by"], denied_by, "{why}");
        assert_eq!(flow["traffic_direction"], "INGRESS", "{why}");
    }
}

#[test]
fn a_request_is_a_flow_of_layer_7() {
    let plugin = plugin(&fake::configuration(SETTINGS));
    plugin.world.listener("protocol", "http");
    plugin.world.set("request.protocol", "HTTP/2");
    plugin.connect(XWING, METRICS);
    assert_eq!(plugin.world.state("portcullis_flow"), "", "its requests decide");
    plugin.request(&[
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", b"deathstar:8080"),
        (b":path", b"/metrics?a=\"\\\n\xff"),
        (b"authorization", b"secret"),
    ]);
    let line = plugin.world.state("portcullis_flow");
    assert!(!line.contains("secret"), "no header but those of the URL: {line}");
    let flow = flow(&plugin);
    let want = json!({
        "type": "REQUEST",
        "http": {"method": "GET", "url": "https://deathstar:8080/metrics?a=\"\\\n\u{fffd}", "protocol": "HTTP/2"},
    });
    assert_eq!((&flow["Type"], &flow["l7"]), (&json!("L7"), &want));
    assert_eq!(
        (&flow["verdict"], &flow["portcullis"]["reason"]),
        (&json!("DROPPED"), &json!("no-http-rule-matches"))
    );
    assert_eq!(flow["ingress_denied_by"], Value::Null, "no rule denies, none allows");
    assert_eq!(flow["source"]["pod_name"], "xwing");
}

#[test]
fn a_name_is_the_destination_where_envoy_resolves_it() {
    let settings = r#""direction":"egress","destination":"authority","flowLog":true,"#;
    let plugin = plugin(&fake::configuration(settings));
    plugin.world.listener("protocol", "http");
    plugin.connect(TIE, "10.9.9.9:3128");
    assert_eq!(plugin.get("cilium.io", "/"), Action::Continue);
    let flow = flow(&plugin);
    assert_eq!(flow["destination_names"], json!(["cilium.io"]));
    assert_eq!(flow["destination"], json!({"labels": []}));
    assert_eq!(flow["IP"], json!({"source": "10.0.0.2", "ipVersion": "IPv4"}));
    assert_eq!(flow["l4"]["TCP"]["destination_port"], 80, "that of the request");
    assert_eq!(flow["egress_allowed_by"][0]["name"], "tiefighter");
}

#[test]
fn nobody_asked_for_flows() {
    let plugin = plugin(&fake::configuration(r#""direction":"ingress","#));
    plugin.connect(TIE, DEATHSTAR);
    assert_eq!(plugin.world.state("portcullis_flow"), "");
    plugin.connect(XWING, DEATHSTAR);
    assert_eq!(plugin.world.state("portcullis_flow"), "");
}

#[test]
fn what_is_not_known_is_missing() {
    let plugin = Plugin::unconfigured();
    plugin.connect(TIE, DEATHSTAR);
    let want = json!({"verdict": "DROPPED", "drop_reason_desc": "POLICY_DENIED", "Type": "L3_L4",
                      "is_reply": false, "portcullis": {"reason": "no-policy"}});
    assert_eq!(
        flow(&plugin),
        want,
        "without a policy nobody says that there are no flows"
    );
    assert!(plugin.configure(fake::configuration(SETTINGS)));
    plugin.connect("nonsense", DEATHSTAR);
    let flow = flow(&plugin);
    assert_eq!(
        (&flow["IP"], &flow["portcullis"]["reason"]),
        (&Value::Null, &json!("unknown-address"))
    );
}

#[test]
fn a_flow_that_cannot_be_made_changes_no_verdict() {
    let plugin = Plugin::new(&fake::configuration(SETTINGS));
    let (mut filter, action) = plugin.connect(TIE, DEATHSTAR);
    assert_eq!(action, Action::Continue);
    assert!(plugin.configure(fake::without_policies(SETTINGS)));
    plugin.world.mood.set(Mood::Panicking);
    assert_eq!(filter.data(crate::stream::Data::Downstream), Action::Continue);
}

#[test]
fn icmp_has_a_type_and_no_ports() {
    let plugin = plugin(&fake::configuration(SETTINGS));
    plugin.world.listener("transport", "ICMP");
    plugin.world.listener("port", "8");
    plugin.connect("10.0.0.3", "10.0.0.1");
    assert_eq!(flow(&plugin)["l4"], json!({"ICMPv4": {"type": 8}}));
}

proptest! {
    #[test]
    fn no_bytes_of_a_peer_break_the_line(method: Vec<u8>, authority: Vec<u8>, path: Vec<u8>, protocol: Vec<u8>) {
        let plugin = plugin(&fake::configuration(SETTINGS));
        plugin.world.listener("protocol", "http");
        plugin.world.set("request.protocol", &protocol);
        plugin.connect(XWING, METRICS);
        plugin.request(&[(b":method", &method), (b":authority", &authority), (b":path", &path)]);
        let line = plugin.world.state("portcullis_flow");
        prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", line);
        let flow: Value = serde_json::from_str(&line).expect("JSON");
        prop_assert_eq!(&flow["Type"], "L7");
        prop_assert!(flow["l7"]["http"]["method"] == String::from_utf8_lossy(&method).into_owned() || method.len() > MAX_TEXT);
    }
}

#[test]
fn a_long_path_is_cut_off() {
    let plugin = plugin(&fake::configuration(SETTINGS));
    plugin.world.listener("protocol", "http");
    plugin.connect(XWING, METRICS);
    let path = [b"/".as_slice(), &[0xff; 60_000]].concat();
    plugin.request(&[(b":method", b"GET"), (b":path", &path)]);
    let line = plugin.world.state("portcullis_flow");
    assert!(line.len() < 6 * MAX_URL + 2048, "{}", line.len());
    assert!(
        flow(&plugin)["l7"]["http"]["url"]
            .as_str()
            .is_some_and(|url| url.ends_with("..."))
    );
}

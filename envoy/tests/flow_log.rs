//! The flow log of the real plugin: a line of JSON in Hubble's form for each verdict, whatever peers send.

mod common;

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::policy::{Configuration, RULE};
use common::{GREETING, NAME, TIMEOUT, World, envoy, envoy_that_guards_names, plugin};
use envoy_e2e::config::{ListenerKind, Route};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::Request;
use envoy_e2e::world::tcp::{self, Probe};
use serde_json::{Value, json};

/// The longest line that `hubble observe --input-file` reads.
const LONGEST: usize = 64 * 1024;

/// The client may `GET` what begins with `/public`, and connect to the TCP service.
fn policy(world: &World) -> Configuration {
    let http = json!([{ "method": "GET", "path": "/public.*" }]);
    Configuration::requests(world, http)
}

fn start(flow_log: bool) -> Option<(World, EnvoyProcess)> {
    let setting = |world: &World| policy(world).with("flowLog", json!(flow_log));
    start_with(|_| (), setting)
}

/// A world that was changed, with a flow log and this configuration.
fn start_with(
    change: impl FnOnce(&mut World),
    configuration: impl FnOnce(&World) -> Configuration,
) -> Option<(World, EnvoyProcess)> {
    let (envoy, plugin) = (envoy()?, plugin()?);
    let mut world = World::new(&plugin);
    world.node.flow_log = Some(world.dir.path().join("flow.log"));
    change(&mut world);
    let running = world.start(&envoy, &configuration(&world).text());
    Some((world, running))
}

/// The flows, once there are so many lines; and no more a moment later.
fn lines(envoy: &EnvoyProcess, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + TIMEOUT;
    while envoy.flow_log().unwrap().len() < count {
        let lines = envoy.flow_log().unwrap();
        assert!(
            Instant::now() < deadline,
            "{} of {count} lines: {lines:#?}",
            lines.len()
        );
        sleep(Duration::from_millis(10));
    }
    sleep(Duration::from_millis(100));
    let lines = envoy.flow_log().unwrap();
    assert_eq!(lines.len(), count, "{lines:#?}");
    lines
}

/// The flow without what differs from run to run: the time and the port of the client.
fn lasting(line: &Value) -> Value {
    let mut flow = line["flow"].clone();
    let fields = flow.as_object_mut().unwrap();
    let time = fields.remove("time").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    let tcp = fields["l4"]["TCP"].as_object_mut().unwrap();
    assert!(tcp.remove("source_port").unwrap().as_u64().unwrap() > 1023);
    let bundle = fields["portcullis"].as_object_mut().unwrap().remove("bundle").unwrap();
    assert!(bundle.as_str().unwrap().starts_with("sha256:"), "{bundle}");
    flow
}

#[test]
fn a_flow_tells_who_wanted_what_and_which_rule_decided() {
    let Some((world, envoy)) = start(true) else { return };
    let mut client = world.http_client();
    for (method, path, status) in [("GET", "/public?a=1", 200), ("POST", "/public", 403)] {
        let request = Request::new(method, path, "app").header("Content-Length", "0");
        assert_eq!(client.send(&request).unwrap().status, status);
    }
    let requests = lines(&envoy, 2);
    assert!(world.tcp_passes());
    drop(client);
    let flows = lines(&envoy, 3);
    assert_eq!(
        flows[..2],
        requests,
        "a connection with requests has no line of its own"
    );

    let end =
        |name: &str, app: &str| json!({ "namespace": "test", "pod_name": name, "labels": [format!("k8s:app={app}")] });
    let policy = json!([{ "name": "p", "namespace": "test", "kind": "CiliumNetworkPolicy" }]);
    let allowed = json!({
        "verdict": "FORWARDED",
        "IP": { "source": world.client(), "destination": world.network.host(2), "ipVersion": "IPv4" },
        "l4": { "TCP": { "destination_port": 80 } },
        "source": end("client", "client"),
        "destination": end("app", "service"),
        "Type": "L7",
        "l7": { "type": "REQUEST", "http": {
            "method": "GET", "url": "http://app/public?a=1", "protocol": "HTTP/1.1" } },
        "node_name": "test",
        "is_reply": false,
        "traffic_direction": "INGRESS",
        "ingress_allowed_by": policy,
        "portcullis": { "reason": "allowed-by-rule", "rule": format!("{RULE}.ingress[0].toPorts[0].rules.http[0]") },
    });
    assert_eq!(lasting(&flows[0]), allowed);

    let mut denied = allowed.clone();
    let fields = denied.as_object_mut().unwrap();
    fields.remove("ingress_allowed_by").unwrap();
    denied["verdict"] = json!("DROPPED");
    denied["drop_reason_desc"] = json!("POLICY_DENIED");
    denied["l7"]["http"] = json!({ "method": "POST", "url": "http://app/public", "protocol": "HTTP/1.1" });
    denied["portcullis"] = json!({ "reason": "no-http-rule-matches", "rule": format!("{RULE}.ingress[0].toPorts[0]") });
    assert_eq!(lasting(&flows[1]), denied);

    let mut connection = allowed;
    connection.as_object_mut().unwrap().remove("l7").unwrap();
    connection["Type"] = json!("L3_L4");
    connection["IP"]["destination"] = json!(world.network.host(3));
    connection["l4"]["TCP"]["destination_port"] = json!(7);
    connection["destination"] = end("echo", "service");
    connection["portcullis"]["rule"] = json!(format!("{RULE}.ingress[1].toPorts[0]"));
    assert_eq!(lasting(&flows[2]), connection);
}

#[test]
fn a_line_has_what_envoy_adds() {
    let Some((world, envoy)) = start(true) else { return };
    assert_eq!(world.get("app", "app", "/secret").unwrap().status, 403);
    let line = &lines(&envoy, 1)[0];
    assert_eq!(line["node_name"], "test");
    assert!(line["time"].as_str().unwrap().starts_with("20"), "{line}");
    let added = &line["envoy"];
    assert_eq!(
        json!([added["listener"], added["response_code"], added["response_flags"]]),
        json!(["app", 403, "-"])
    );
    for number in ["duration_ms", "bytes_received", "bytes_sent"] {
        assert!(added[number].is_u64(), "{number}: {line}");
    }
    let keys: Vec<_> = line.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["envoy", "flow", "node_name", "time"]);
}

#[test]
fn a_denied_connection_is_a_flow_of_somebody_from_outside() {
    let Some((world, envoy)) = start(true) else { return };
    for (at, listener) in ["app", "echo"].into_iter().enumerate() {
        let probe = tcp::probe(world.stranger(), world.listener(listener), b"x", TIMEOUT).unwrap();
        assert_eq!(probe, Probe::Closed, "{listener}");
        let flow = lasting(&lines(&envoy, at + 1)[at]);
        assert_eq!(
            json!([flow["verdict"], flow["drop_reason_desc"], flow["Type"], flow["l7"]]),
            json!(["DROPPED", "POLICY_DENIED", "L3_L4", null]),
            "{listener}"
        );
        assert_eq!(
            flow["source"],
            json!({ "labels": ["reserved:world-ipv4"] }),
            "{listener}"
        );
        assert_eq!(flow["destination"]["pod_name"], listener);
        assert_eq!(
            flow["portcullis"],
            json!({ "reason": "default-deny", "rule": RULE }),
            "{listener}"
        );
    }
}

#[test]
fn a_name_that_envoy_resolves_is_the_destination() {
    if envoy_that_guards_names().is_none() {
        return;
    }
    let configuration = |world: &World| Configuration::allow_all(world).with("flowLog", json!(true));
    let Some((world, envoy)) = start_with(|_| (), configuration) else {
        return;
    };
    assert_eq!(world.get("names", NAME, "/").unwrap().status, 200);
    let flow = lasting(&lines(&envoy, 1)[0]);
    assert_eq!(
        json!([
            flow["destination_names"],
            flow["destination"],
            flow["traffic_direction"]
        ]),
        json!([[NAME], { "labels": [] }, "EGRESS"])
    );
    assert_eq!(
        flow["IP"],
        json!({ "source": world.client(), "ipVersion": "IPv4" }),
        "the policy saw no other address"
    );
    let line = envoy.wait_for_access(|line| line["status"] == 200, TIMEOUT).unwrap();
    assert_eq!(line["destination_identity"], NAME);
}

#[test]
fn the_endpoint_that_was_chosen_is_the_destination() {
    let chosen = |world: &mut World| {
        common::trust::listener(world, "app").kind = ListenerKind::Http {
            route: Route::Upstream("app".into()),
        };
    };
    let Some((world, envoy)) = start_with(chosen, |world| policy(world).with("flowLog", json!(true))) else {
        return;
    };
    for (at, (path, status, verdict)) in [("/public", 200, "FORWARDED"), ("/secret", 403, "DROPPED")]
        .into_iter()
        .enumerate()
    {
        assert_eq!(world.get("app", "app", path).unwrap().status, status);
        let flow = lasting(&lines(&envoy, at + 1)[at]);
        assert_eq!(
            json!([
                flow["verdict"],
                flow["destination"]["pod_name"],
                flow["l7"]["http"]["url"]
            ]),
            json!([verdict, "app", format!("http://app{path}")])
        );
    }
}

#[test]
fn no_byte_of_a_request_breaks_a_line() {
    let Some((world, envoy)) = start(true) else { return };
    let passes = |target: &[u8], host: &[u8], value: &[u8]| {
        let request = [
            b"GET ",
            target,
            b" HTTP/1.1\r\nHost: ",
            host,
            b"\r\nX-Key: ",
            value,
            b"\r\nConnection: close\r\n\r\n",
        ];
        // Others Envoy refuses before any filter sees them.
        !raw(&world, &request.concat()).starts_with("HTTP/1.1 400")
    };
    // Refusals take a moment each, and of what is not ASCII all are alike.
    let targets = (0x21..=0x81_u8)
        .chain([0xc3, 0xff])
        .map(|byte| [b"/public/a?b=", &[byte, b'c'][..]].concat());
    let passed: Vec<_> = targets.filter(|target| passes(target, b"app", b"1")).collect();
    assert!(passed.len() > 80, "only {} came through", passed.len());
    // A fragment never gets that far.
    let told = passed
        .iter()
        .map(|target| match target.iter().position(|&byte| byte == b'#') {
            Some(at) => String::from_utf8_lossy(&target[..at]).into_owned(),
            None => String::from_utf8_lossy(target).into_owned(),
        });
    let mut expected: Vec<_> = told.map(|target| format!("http://app{target}")).collect();
    let lines_of_targets = lines(&envoy, passed.len());
    let urls = lines_of_targets
        .iter()
        .map(|line| line["flow"]["l7"]["http"]["url"].as_str().unwrap().to_owned());
    let mut urls: Vec<_> = urls.collect();
    expected.sort();
    urls.sort();
    assert_eq!(urls, expected);

    let hostile: [(&[u8], &[u8], &[u8]); 5] = [
        (br#"/public"},"verdict":"FORWARDED","x":{""#, b"app", b"1"),
        (b"/%22%0a%0d%00{}", b"app", b"1"),
        (b"/secret?%REQ(X-KEY)%", b"app", b"\xff\xfe\"\\"),
        (b"/secret", br#"a"b"#, b"1"),
        (b"/secret", b"%START_TIME%", b"1"),
    ];
    let more = hostile
        .iter()
        .filter(|(target, host, value)| passes(target, host, value))
        .count();
    assert!(more > 1, "only {more} came through");
    for line in lines(&envoy, passed.len() + more) {
        let known = ["FORWARDED", "DROPPED"]
            .iter()
            .any(|word| line["flow"]["verdict"] == *word);
        assert!(known && line["flow"]["IP"]["source"] == json!(world.client()), "{line}");
    }
}

#[test]
fn the_longest_request_is_a_line_that_others_can_read() {
    let Some((world, envoy)) = start(true) else { return };
    // What Envoy lets through, in bytes that take the most room when they are escaped.
    let path = format!("/public/{}", "\"".repeat(50_000));
    let request = format!("GET {path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n");
    let answer = raw(&world, request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer:.100}");
    lines(&envoy, 1);
    let line = fs::read_to_string(world.dir.path().join("flow.log")).unwrap();
    assert!(line.len() < LONGEST, "{} bytes", line.len());
    assert!(line.contains("http://app/public/"), "{line}");
}

#[test]
fn without_the_setting_there_is_no_line() {
    let Some((world, envoy)) = start(false) else { return };
    assert_eq!(world.get("app", "app", "/public").unwrap().status, 200);
    assert_eq!(world.probe("echo", b""), Probe::Data(GREETING.to_vec()));
    let is_tcp = |line: &Value| line["listener"] == "echo";
    envoy.wait_for_access(is_tcp, TIMEOUT).unwrap();
    lines(&envoy, 0);
}

/// What the application's listener answers.
fn raw(world: &World, request: &[u8]) -> String {
    world.raw("app", request)
}

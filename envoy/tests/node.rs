//! The settings around the guards, as seen from outside on the real Envoy.

mod common;

use common::module::{COUNTERS, Module};
use common::{NAME, TIMEOUT, World, envoy, envoy_from, envoy_that_guards_names};
use envoy_e2e::config::EnvoyVersion;
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{self, Request, Response};
use envoy_e2e::world::dns::{self, Lookup};
use serde_json::json;

fn start(module: Module) -> Option<(World, EnvoyProcess)> {
    let envoy = envoy()?;
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(&module.write(dir.path()));
    let running = world.start(&envoy, "{}");
    Some((world, running))
}

fn send(world: &World, request: &Request) -> Response {
    client::request(world.client(), world.listener("app"), request, TIMEOUT).unwrap()
}

#[test]
fn the_application_gets_the_path_in_its_simplest_form() {
    let Some((world, _envoy)) = start(Module::AllowAll) else {
        return;
    };
    let rows = [
        ("/a/../b", "/b", "dot segments"),
        ("/../../b", "/b", "even above the root"),
        ("//a///b", "/a/b", "empty segments"),
        ("/%61dmin", "/admin", "escaped letters"),
        ("/a%2Fb", "/a/b", "an escaped slash is a slash"),
        ("/public%2F..%2Fadmin", "/admin", "and then the rest is simplified, too"),
        ("/a?b=/../c", "/a?b=/../c", "the query is not a path"),
    ];
    for (sent, expected, why) in rows {
        assert_eq!(world.get("app", "app", sent).unwrap().status, 200, "{sent}");
        let seen = world.app.requests().pop().unwrap();
        assert_eq!(seen.target, expected, "{sent}: {why}");
    }
}

#[test]
fn the_client_cannot_claim_another_address() {
    let Some((world, _envoy)) = start(Module::AllowAll) else {
        return;
    };
    let request = Request::new("GET", "/", "app")
        .header("X-Forwarded-For", "10.1.1.1")
        .header("X-Envoy-Retry-On", "5xx");
    assert_eq!(send(&world, &request).status, 200);
    let seen = world.app.requests().pop().unwrap();
    let expected = format!("10.1.1.1,{}", world.client());
    assert_eq!(
        seen.header("x-forwarded-for"),
        Some(expected.as_str()),
        "the true one comes last"
    );
    assert_eq!(seen.header("x-envoy-retry-on"), None, "nobody steers Envoy");
}

#[test]
fn an_underscore_in_a_header_name_is_refused() {
    let Some((world, _envoy)) = start(Module::AllowAll) else {
        return;
    };
    let request = |name| Request::new("GET", "/", "app").header(name, "1");
    assert_eq!(send(&world, &request("x-user")).status, 200);
    assert_eq!(send(&world, &request("x_user")).status, 400);
}

#[test]
fn the_application_answers_for_itself() {
    let Some((world, _envoy)) = start(Module::AllowAll) else {
        return;
    };
    let response = world.get("app", "app", "/").unwrap();
    for header in ["server", "x-envoy-upstream-service-time", "x-request-id"] {
        assert_eq!(response.header(header), None, "added: {header}");
    }
}

#[test]
fn a_name_is_routed_only_where_the_listener_says_so() {
    if envoy_that_guards_names().is_none() {
        return;
    }
    let Some((world, _envoy)) = start(Module::AllowAll) else {
        return;
    };
    let port = world.app.address().port();
    let address = world.app.address();
    let with_port = format!("{NAME}:{port}");
    let rows = [
        ("names", NAME.to_owned(), 200, "the name"),
        ("names", with_port.clone(), 200, "with its port"),
        ("names", NAME.to_uppercase(), 200, "names have no case"),
        ("names", format!("{NAME}:22"), 404, "with another port"),
        (
            "names",
            "other.example".into(),
            404,
            "another name: the policy judged that one",
        ),
        ("any-name", with_port.clone(), 200, "any name with the port"),
        ("any-name", NAME.to_owned(), 404, "without port it would be 80"),
        ("any-name", format!("{NAME}:22"), 404, "another port"),
        ("any-name", address.to_string(), 404, "an address is no name"),
        ("any-name", format!("2130706433:{port}"), 404, "nor is its number"),
        ("any-name", format!("0x7f.1:{port}"), 404, "nor its short form"),
        ("any-name", format!("[::1]:{port}"), 404, "nor an IPv6 address"),
        (
            "any-name",
            format!("unknown.example:{port}"),
            503,
            "a name that does not exist",
        ),
    ];
    for (listener, host, expected, why) in rows {
        assert_eq!(
            world.get(listener, &host, "/").unwrap().status,
            expected,
            "{listener} {host}: {why}"
        );
    }
}

#[test]
fn a_denied_request_causes_no_dns_query() {
    if envoy_that_guards_names().is_none() {
        return;
    }
    let Some((world, _envoy)) = start(Module::AllowConnections) else {
        return;
    };
    let host = format!("secret-in-a-name.example:{}", world.app.address().port());
    assert_eq!(world.get("any-name", &host, "/").unwrap().status, 403);
    let asked = world.dns.asked();
    assert!(!asked.iter().any(|name| name.starts_with("secret")), "{asked:?}");
}

#[test]
fn dns_over_tcp_passes_when_the_plugin_allows_it() {
    let Some((world, _envoy)) = start(Module::AllowAll) else {
        return;
    };
    let found = dns::lookup(world.client(), world.listener("dns"), NAME, TIMEOUT).unwrap();
    assert_eq!(found, Lookup::Addresses(vec![world.network.host(2)]));
}

#[test]
fn the_plugin_reads_what_the_listener_says_about_itself() {
    if envoy_that_guards_names().is_none() {
        return;
    }
    let Some((world, envoy)) = start(Module::Tell) else {
        return;
    };
    for (listener, direction, destination) in [("app", "both", "address"), ("names", "egress", "authority")] {
        world.get(listener, NAME, "/").unwrap();
        let wanted = json!({ "reason": direction, "verdict": destination, "rule": "80" });
        let line = envoy
            .wait_for_access(
                |line| line["listener"] == listener && line["log"] == "connection",
                TIMEOUT,
            )
            .unwrap();
        let told = json!({ "reason": line["reason"], "verdict": line["verdict"], "rule": line["rule"] });
        assert_eq!(told, wanted, "{listener}");
    }
}

#[test]
fn the_labels_in_the_names_of_counters_become_labels() {
    let Some((world, envoy)) = start(Module::Tell) else {
        return;
    };
    world.probe("echo", b"");
    let name = format!("wasmcustom.{}", COUNTERS[0]);
    envoy.admin().wait_for_stat(&name, |value| value == 1, TIMEOUT).unwrap();
    let page = envoy.admin().get("/stats/prometheus").unwrap();
    let ours: Vec<_> = page.lines().filter(|line| line.starts_with("portcullis_")).collect();
    // Names of policies have dots, and may look like other labels.
    let policy = "CiliumNetworkPolicy/a.b/c-1.verdict.deny";
    let labels = [
        format!(r#"requests_total{{direction="both",layer="l4",verdict="allow",policy="{policy}"}} 1"#),
        r#"requests_total{direction="unknown",layer="l7",verdict="deny",policy="default-deny"} 1"#.into(),
        r#"audit_total{direction="ingress",layer="l7",would="deny"} 1"#.into(),
        r#"revoked_total{layer="l4"} 1"#.into(),
        "panics_total{} 1".into(),
    ];
    for line in labels {
        let line = format!("portcullis_{line}");
        assert!(ours.contains(&line.as_str()), "{line} in {ours:#?}");
    }
}

#[test]
fn every_connection_and_request_has_a_line_in_the_access_log() {
    let Some((world, envoy)) = start(Module::AllowConnections) else {
        return;
    };
    assert_eq!(world.get("app", "app", "/secret?x=1").unwrap().status, 403);
    world.probe("echo", b"");
    let request = envoy.wait_for_access(|line| line["log"] == "request", TIMEOUT).unwrap();
    assert_eq!(request["listener"], "app");
    assert_eq!(request["method"], "GET");
    assert_eq!(request["path"], "/secret?x=1");
    assert_eq!(request["status"], 403);
    assert_eq!(request["http"], "deny", "the plugin's word");
    let source = request["source"].as_str().unwrap();
    assert!(source.starts_with(&world.client().to_string()), "{source}");
    let is_tcp = |line: &serde_json::Value| line["log"] == "connection" && line["listener"] == "echo";
    let connection = envoy.wait_for_access(is_tcp, TIMEOUT).unwrap();
    assert_eq!(connection["l4"], "allow");
    assert_eq!(connection["upstream"], world.echo.address().to_string());
}

#[test]
fn a_connection_that_never_became_http_has_a_line_too() {
    let Some((world, envoy)) = start(Module::Deny) else {
        return;
    };
    assert!(world.get("app", "app", "/").is_err());
    let is_app = |line: &serde_json::Value| line["listener"] == "app";
    let line = envoy.wait_for_access(is_app, TIMEOUT).unwrap();
    assert_eq!((&line["log"], &line["l4"]), (&json!("connection"), &json!("deny")));
}

#[test]
fn the_admin_interface_can_be_read_and_no_more() {
    if envoy_from(
        EnvoyVersion::V1_37,
        "lets everyone change it who reaches its admin interface",
    )
    .is_none()
    {
        return;
    }
    let Some((_world, envoy)) = start(Module::Silent) else {
        return;
    };
    for path in ["/stats?format=json", "/config_dump", "/clusters", "/server_info"] {
        assert!(envoy.admin().get(path).is_ok(), "{path}");
    }
    let request = |path| Request::new("POST", path, "admin").body("");
    for path in [
        "/quitquitquit",
        "/logging?level=trace",
        "/runtime_modify?a=b",
        "/healthcheck/fail",
    ] {
        let answer = client::request(
            "127.0.0.1".parse().unwrap(),
            envoy.node().admin,
            &request(path),
            TIMEOUT,
        );
        assert_eq!(answer.unwrap().status, 403, "{path}");
    }
}

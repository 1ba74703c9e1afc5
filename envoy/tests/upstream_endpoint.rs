//! The endpoint that load balancing chose is the one whose policy is asked.

mod common;

use common::trust::configuration;
use common::{GREETING, World, envoy, plugin, trust};
use envoy_e2e::config::{Cluster, ListenerKind, Route};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::http::HttpApp;
use envoy_e2e::world::server::Server;
use envoy_e2e::world::tcp::{self, Probe};
use serde_json::{Value, json};

/// Nobody may connect to the host of the application, anybody to that of the TCP service; and what runs there, for HTTP
/// and for TCP, is behind one address.
struct Setup {
    world: World,
    envoy: EnvoyProcess,
    open_app: HttpApp,
    _closed_service: Server,
}

/// What the TCP service of the closed host would say.
const SECRET: &[u8] = b"secret\n";
/// Each of the two is chosen in turn.
const ATTEMPTS: usize = 10;

/// Only for the application, a rule without any peer.
fn nobody() -> Value {
    json!({ "path": "spec", "subject": 3, "defaultDeny": { "ingress": true, "egress": false },
        "ingress": [{ "peers": "none" }] })
}

fn start() -> Option<Setup> {
    let (envoy, plugin) = (envoy()?, plugin()?);
    let mut world = World::new(&plugin).only(&["app", "echo"]);
    let open_app = HttpApp::start(world.network.any(3), "open", vec![]).unwrap();
    let closed_service = tcp::echo(world.network.any(2), SECRET).unwrap();
    world.node.clusters = vec![
        Cluster::new("apps", vec![world.app.address(), open_app.address()]),
        Cluster::new("services", vec![closed_service.address(), world.echo.address()]),
    ];
    trust::listener(&mut world, "app").kind = ListenerKind::Http {
        route: Route::Upstream("apps".into()),
    };
    trust::listener(&mut world, "echo").kind = ListenerKind::TcpUpstream {
        cluster: "services".into(),
    };
    let configuration = configuration(&world, &nobody());
    let envoy = world.start(&envoy, &configuration.to_string());
    Some(Setup {
        world,
        envoy,
        open_app,
        _closed_service: closed_service,
    })
}

#[test]
fn a_request_is_judged_by_the_endpoint_that_gets_it() {
    let Some(setup) = start() else { return };
    let statuses: Vec<u16> = (0..ATTEMPTS)
        .map(|_| setup.world.get("app", "app", "/").unwrap().status)
        .collect();
    let passed = statuses.iter().filter(|status| **status == 200).count();
    let denied = statuses.iter().filter(|status| **status == 403).count();
    assert_eq!(passed + denied, ATTEMPTS, "{statuses:?}");
    assert!(passed > 0 && denied > 0, "{statuses:?}");
    assert_eq!(setup.open_app.requests().len(), passed);
    assert_eq!(setup.world.app.requests().len(), 0, "the closed one saw a request");
    let line = setup
        .envoy
        .wait_for_access(|line| line["status"] == 403, common::TIMEOUT)
        .unwrap();
    assert_eq!(
        (&line["verdict"], &line["reason"]),
        (&json!("deny"), &json!("default-deny")),
        "{line}"
    );
    let closed = setup.world.app.address().to_string();
    assert_eq!(line["upstream"], closed.as_str());
}

#[test]
fn requests_on_one_connection_are_judged_one_by_one() {
    let Some(setup) = start() else { return };
    let mut client = setup.world.http_client();
    let statuses: Vec<u16> = (0..ATTEMPTS).map(|_| common::kept::status(&mut client, "/")).collect();
    assert!(statuses.contains(&200) && statuses.contains(&403), "{statuses:?}");
    assert_eq!(setup.world.app.requests().len(), 0);
}

#[test]
fn a_connection_is_judged_by_the_endpoint_that_gets_it() {
    let Some(setup) = start() else { return };
    for bytes in [&b""[..], b"ping"] {
        let (mut passed, mut denied) = (0, 0);
        for _ in 0..ATTEMPTS {
            match setup.world.probe("echo", bytes) {
                Probe::Data(data) if data.starts_with(GREETING) => passed += 1,
                Probe::Closed => denied += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!(passed > 0 && denied > 0, "{passed} passed, {denied} were denied");
    }
    let line = setup
        .envoy
        .wait_for_access(|line| line["verdict"] == "deny", common::TIMEOUT)
        .unwrap();
    assert_eq!(line["reason"], "default-deny", "{line}");
}

#[test]
fn a_new_policy_reaches_both_positions() {
    let Some(setup) = start() else { return };
    let world = &setup.world;
    let get = || world.get("app", "app", "/").unwrap().status;
    let mut open = nobody();
    open["ingress"] = json!([{ "peers": "any" }]);
    for (rule, expected) in [(open, true), (nobody(), false)] {
        let configuration = configuration(world, &rule).to_string();
        assert!(setup.envoy.push(configuration.as_bytes()).unwrap().accepted());
        let before = world.app.requests().len();
        let statuses: Vec<_> = (0..ATTEMPTS).map(|_| get()).collect();
        let reached = world.app.requests().len() - before;
        assert_eq!(reached > 0, expected, "{statuses:?}");
    }
}

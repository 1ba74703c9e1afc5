//! Sidecars: an Envoy in the pod itself, to which the kernel redirects what comes in and what goes out.
#![cfg(target_os = "linux")]

mod netns;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use envoy_e2e::config::{Cluster as Upstream, Direction, Listener, ListenerKind, OriginalDst, Route};
use envoy_e2e::netns::curl::Outcome;
use envoy_e2e::netns::intercept::{self, Catch};
use envoy_e2e::world::http::HttpApp;
use netns::Binaries;
use netns::cluster::{Cluster, with_member};
use netns::empire::*;
use netns::proxy::{self, Proxy};
use serde_json::Value;

/// Listeners for what comes in, and for what goes out: HTTP, and anything else.
const INBOUND: u16 = 15006;
const OUTBOUND: u16 = 15001;
const OUTBOUND_TCP: u16 = 15002;

/// A second address of a pod, which no manifest tells.
const SECOND: Ipv4Addr = Ipv4Addr::new(10, 200, 9, 20);

#[test]
fn each_sidecar_enforces_the_policy_of_its_own_pod() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries(), netns::portcullis()) else {
        return;
    };
    let empire = Cluster::start(&EMPIRE);
    let policy = manifest("stages/3-prometheus.yaml");
    let configuration = empire.compile(&portcullis, &[&manifest("world.yaml"), &policy]);
    let sidecars = [DEATHSTAR, TIEFIGHTER].map(|pod| Sidecar::start(&empire, &binaries, pod, &configuration));
    let deathstar = || Ok(DEATHSTAR.to_owned());
    let closed = || Err(Outcome::Closed);
    let rows = [
        (TIEFIGHTER, "http://10.200.0.20/v1", deathstar(), "by address"),
        (
            TIEFIGHTER,
            "http://10.96.0.20/v1",
            deathstar(),
            "by service, whose pods may be called",
        ),
        (
            TIEFIGHTER,
            "http://deathstar.empire.svc.cluster.local/v1",
            deathstar(),
            "by name, looked up over TCP",
        ),
        (
            TIEFIGHTER,
            "http://10.200.1.90:9090/version",
            closed(),
            "its own sidecar denies",
        ),
        (
            TIEFIGHTER,
            "http://10.96.0.90/version",
            closed(),
            "and for the service, too",
        ),
        (TIEFIGHTER, "http://198.51.100.15/", closed(), "and outside"),
        (
            XWING,
            "http://10.200.0.20/v1",
            deathstar(),
            "without a sidecar of its own",
        ),
        (
            INTRUDER,
            "http://10.200.0.20/v1",
            closed(),
            "the callee's sidecar denies",
        ),
        (INTRUDER, "http://10.96.0.20/v1", closed(), "and by service"),
        (
            PROMETHEUS,
            "http://10.200.0.20:8080/metrics",
            deathstar(),
            "port and request",
        ),
        (PROMETHEUS, "http://10.200.0.20:80/metrics", closed(), "another port"),
        (
            DEATHSTAR,
            "http://10.200.0.20/v1",
            deathstar(),
            "a pod may always call itself",
        ),
    ];
    for (from, what, expected, why) in rows {
        let before = empire.requests();
        let outcome = empire.curl(from, what);
        assert_eq!(outcome.echo("app").ok_or(outcome), expected, "{from} {what}: {why}");
        assert_eq!(empire.requests() > before, expected.is_ok(), "{from} {what}: {why}");
    }
    let forbidden = empire.curl(PROMETHEUS, "http://10.200.0.20:8080/v1");
    assert_eq!(forbidden.status(), Some(403), "{forbidden}");
    // What the plugin judged is where the client meant to go, not where the kernel redirected it to.
    let judged = |sidecar: &Sidecar, destination: &str| {
        let wanted = |line: &Value| line["destination"] == destination;
        sidecar.proxy.process().wait_for_access(wanted, Duration::from_secs(5))
    };
    let [of_deathstar, of_tiefighter] = &sidecars;
    judged(of_deathstar, "10.200.0.20:8080").unwrap();
    judged(of_tiefighter, "10.96.0.90:80").unwrap();
}

#[test]
fn a_sidecar_that_is_told_whose_it_is_needs_no_address_for_that() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries(), netns::portcullis()) else {
        return;
    };
    let empire = Cluster::start(&EMPIRE);
    empire.network.add_address(DEATHSTAR, SECOND).unwrap();
    let deathstar = empire.network.host(DEATHSTAR).unwrap();
    let app = || Ok(HttpApp::start(SocketAddr::new(SECOND.into(), 80), DEATHSTAR, vec![])?);
    let app = deathstar.hold(app).unwrap();
    let policy = manifest("stages/1-within-namespace.yaml");
    let by_address = empire.compile(&portcullis, &[&manifest("world.yaml"), &policy]);
    let told = with_member(&by_address, r#""workload":{"endpoint":"empire/deathstar"}"#);
    let sidecar = Sidecar::start(&empire, &binaries, DEATHSTAR, &by_address);
    let call = |from| empire.curl(from, &format!("http://{SECOND}/v1")).status();
    assert_eq!(call(TIEFIGHTER), None, "nobody knows whose address it is");
    sidecar.proxy.push(&told);
    assert_eq!(call(TIEFIGHTER), Some(200), "whatever the address, it is the deathstar");
    assert_eq!(call(INTRUDER), None, "and its policy holds");
    sidecar
        .proxy
        .push(&with_member(&by_address, r#""workload":{"address":"10.200.0.20"}"#));
    assert_eq!(call(TIEFIGHTER), Some(200), "said in another way");
    assert_eq!(call(INTRUDER), None, "the same");
    assert_eq!(app.requests().len(), 2);
}

#[test]
fn and_the_same_for_what_goes_out() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries(), netns::portcullis()) else {
        return;
    };
    let empire = Cluster::start(&EMPIRE);
    empire.network.add_address(TIEFIGHTER, SECOND).unwrap();
    let policy = manifest("stages/1-within-namespace.yaml");
    let by_address = empire.compile(&portcullis, &[&manifest("world.yaml"), &policy]);
    let told = with_member(&by_address, r#""workload":{"endpoint":"empire/tiefighter"}"#);
    let sidecar = Sidecar::start(&empire, &binaries, TIEFIGHTER, &by_address);
    let call = |to| empire.curl(TIEFIGHTER, &format!("--interface {SECOND} {to}")).status();
    const DEATHSTAR_POD: &str = "http://10.200.0.20/v1";
    const DASHBOARD_POD: &str = "http://10.200.1.90:9090/version";
    assert_eq!(call(DEATHSTAR_POD), None, "nobody knows whose address it is");
    sidecar.proxy.push(&told);
    assert_eq!(
        call(DEATHSTAR_POD),
        Some(200),
        "whatever the address, it is the tiefighter"
    );
    assert_eq!(call(DASHBOARD_POD), None, "and its policy holds");
}

/// A pod's own Envoy.
struct Sidecar {
    proxy: Proxy,
}

impl Sidecar {
    fn start(empire: &Cluster, binaries: &Binaries, pod: &str, configuration: &str) -> Self {
        let dir = empire.dir.path().join(pod.replace('/', "-"));
        fs::create_dir(&dir).unwrap();
        let node = proxy::node(binaries, &dir, listeners());
        let namespace = empire.network.host(pod).unwrap();
        let catch = |port, listener| Catch {
            to: None,
            port,
            listener,
        };
        let outbound = [
            catch(Some(80), OUTBOUND),
            catch(Some(8080), OUTBOUND),
            catch(Some(9090), OUTBOUND),
            catch(None, OUTBOUND_TCP),
        ];
        intercept::redirect(namespace, &[catch(None, INBOUND)], &outbound).unwrap();
        let envoy = proxy::in_envoy_group(binaries, &dir);
        let bootstrap = node.bootstrap().unwrap().to_yaml().unwrap();
        Self {
            proxy: Proxy::start(namespace, &envoy, &node, &bootstrap, configuration),
        }
    }
}

fn listeners() -> Vec<Listener> {
    let original = || Upstream::ORIGINAL_DST.to_owned();
    let http = || ListenerKind::Http {
        route: Route::Cluster(original()),
    };
    let tcp = ListenerKind::Tcp { cluster: original() };
    let listener = |name: &str, address, direction, kind| Listener {
        original_dst: Some(OriginalDst::Redirect),
        ..Listener::new(name, address, direction, kind)
    };
    let outbound = |port| SocketAddr::from(([127, 0, 0, 1], port));
    vec![
        listener(
            "inbound",
            SocketAddr::from(([0, 0, 0, 0], INBOUND)),
            Direction::Ingress,
            http(),
        ),
        listener("outbound", outbound(OUTBOUND), Direction::Egress, http()),
        listener("outbound-tcp", outbound(OUTBOUND_TCP), Direction::Egress, tcp),
    ]
}

//! The seed's scenario on a real network: pods that know nothing of Envoy, curl, and policies that change live.
#![cfg(target_os = "linux")]

mod netns;

use std::net::SocketAddr;
use std::time::Duration;

use envoy_e2e::netns::curl::Outcome;
use envoy_e2e::world::client::{HttpClient, Request, RequestError};
use netns::cluster::Cluster;
use netns::empire::*;
use netns::transparent;

/// One call: who, what (URL and other arguments of curl), what is expected, and why.
type Call = (&'static str, &'static str, Expect, &'static str);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// 200 from this application.
    From(&'static str),
    /// 403 from Envoy.
    Forbidden,
    /// Closed without an answer.
    Closed,
    /// The name was not resolved.
    NoName,
}
use Expect::{Closed, Forbidden, From, NoName};

const POD: &str = "http://10.200.0.20/v1";
const VIP: &str = "http://10.96.0.20/v1";
const NAME: &str = "http://deathstar.empire.svc.cluster.local/v1";
const METRICS: &str = "http://deathstar.empire.svc.cluster.local:8080/metrics";
const DASHBOARD_NAME: &str = "http://kubernetes-dashboard.kube-system.svc.cluster.local/version";
const DASHBOARD_VIP: &str = "http://10.96.0.90/version";
const DASHBOARD_POD: &str = "http://10.200.1.90:9090/version";

const STAGES: [(&str, &[Call]); 6] = [
    ("0-no-policy", NO_POLICY),
    ("1-within-namespace", WITHIN_NAMESPACE),
    ("2-kube-dns", WITH_DNS),
    ("3-prometheus", WITH_PROMETHEUS),
    ("4-cilium-io", WITH_CILIUM_IO),
    ("5-outside-client", WITH_ONE_CLIENT),
];

const NO_POLICY: &[Call] = &[
    (TIEFIGHTER, POD, From(DEATHSTAR), "nobody is isolated"),
    (TIEFIGHTER, VIP, From(DEATHSTAR), "nor by service"),
    (TIEFIGHTER, NAME, From(DEATHSTAR), "nor by name"),
    (TIEFIGHTER, DASHBOARD_NAME, From(DASHBOARD), "nor other services"),
    (KUBE_DNS, POD, From(DEATHSTAR), "nor from other namespaces"),
    (INTRUDER, POD, From(DEATHSTAR), "nor from other namespaces"),
    (CLIENT, POD, From(DEATHSTAR), "nor from outside"),
    (TIEFIGHTER, "http://cilium.io/", From(CILIUM_IO), "nor to outside"),
    (TIEFIGHTER, "http://google.com/", From(GOOGLE_COM), "nor to outside"),
];

const WITHIN_NAMESPACE: &[Call] = &[
    (TIEFIGHTER, POD, From(DEATHSTAR), "pods of empire may call each other"),
    (XWING, POD, From(DEATHSTAR), "all of them, whatever their labels"),
    (TIEFIGHTER, VIP, From(DEATHSTAR), "a service is the pods behind it"),
    (TIEFIGHTER, NAME, NoName, "names are asked for in kube-system"),
    (TIEFIGHTER, DASHBOARD_POD, Closed, "another namespace"),
    (TIEFIGHTER, DASHBOARD_VIP, Closed, "its service, too"),
    (KUBE_DNS, POD, Closed, "nobody comes in from there either"),
    (KUBE_DNS, VIP, Closed, "not by service either"),
    (
        PROMETHEUS,
        METRICS,
        Closed,
        "nor from monitoring, which may ask for names",
    ),
    (CLIENT, POD, Closed, "nor from outside"),
    (
        TIEFIGHTER,
        "http://198.51.100.14/",
        Forbidden,
        "outside, by its address",
    ),
];

const WITH_DNS: &[Call] = &[
    (TIEFIGHTER, NAME, From(DEATHSTAR), "kube-dns may be asked"),
    (TIEFIGHTER, DASHBOARD_NAME, Closed, "its neighbour may not be called"),
    (KUBE_DNS, POD, Closed, "and does not call itself"),
    (
        TIEFIGHTER,
        "http://cilium.io/",
        Forbidden,
        "the name is known, the host is outside",
    ),
    (TIEFIGHTER, "http://google.com/", Forbidden, "the same"),
];

const WITH_PROMETHEUS: &[Call] = &[
    (
        PROMETHEUS,
        METRICS,
        From(DEATHSTAR),
        "this pod, this port, this request",
    ),
    (PROMETHEUS, NAME, Closed, "another port"),
    (
        PROMETHEUS,
        "http://deathstar.empire.svc.cluster.local:8080/v1",
        Forbidden,
        "another path",
    ),
    (
        PROMETHEUS,
        "-XPOST http://deathstar.empire.svc.cluster.local:8080/metrics",
        Forbidden,
        "another method",
    ),
    (
        PROMETHEUS,
        "--path-as-is http://10.200.0.20:8080/metrics/../v1",
        Forbidden,
        "another path in the end",
    ),
    (
        PROMETHEUS,
        "-HX-Forwarded-For:10.200.0.11 http://10.200.0.20:8080/v1",
        Forbidden,
        "a header is not who one is",
    ),
    (GRAFANA, METRICS, Closed, "another pod of its namespace"),
    (
        TIEFIGHTER,
        "-XDELETE http://deathstar.empire.svc.cluster.local:8080/metrics",
        From(DEATHSTAR),
        "pods of empire are not restricted",
    ),
];

const WITH_CILIUM_IO: &[Call] = &[
    (
        TIEFIGHTER,
        "http://cilium.io/",
        From(CILIUM_IO),
        "the name that is allowed",
    ),
    (TIEFIGHTER, "http://google.com/", Forbidden, "and no other"),
    (
        TIEFIGHTER,
        "--connect-to ::198.51.100.15: http://cilium.io/",
        From(CILIUM_IO),
        "whoever lies about the address gets what is allowed",
    ),
    (
        TIEFIGHTER,
        "--connect-to ::198.51.100.14: http://google.com/",
        Forbidden,
        "whoever lies about the name does not",
    ),
    (TIEFIGHTER, NAME, From(DEATHSTAR), "as before"),
    (PROMETHEUS, METRICS, Closed, "this policy replaced the one before"),
    (CLIENT, POD, Closed, "not from outside"),
];

const WITH_ONE_CLIENT: &[Call] = &[
    (CLIENT, POD, From(DEATHSTAR), "one address outside"),
    (OTHER_CLIENT, POD, Closed, "and no other"),
    (CLIENT, VIP, From(DEATHSTAR), "by service, as a load balancer would"),
    (OTHER_CLIENT, VIP, Closed, "and no other"),
    (
        OTHER_CLIENT,
        "-HX-Forwarded-For:203.0.113.7 http://10.200.0.20/v1",
        Closed,
        "a header is not who one is",
    ),
    (PROMETHEUS, METRICS, From(DEATHSTAR), "the rules add up"),
    (INTRUDER, POD, Closed, "a pod is not outside"),
];

#[test]
fn the_four_stages_and_one_more() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries_that_guard_names(), netns::portcullis()) else {
        return;
    };
    let empire = Cluster::start(&EMPIRE);
    let compile = |stage: &str| {
        let policy = manifest(&format!("stages/{stage}.yaml"));
        empire.compile(&portcullis, &[&manifest("world.yaml"), &policy])
    };
    let [(first, _), ..] = STAGES;
    let proxy = transparent::start(&empire, &binaries, &compile(first));
    let mut kept = [TIEFIGHTER, KUBE_DNS].map(|from| keep(&empire, from));
    let mut wrong = Vec::new();
    for (stage, calls) in STAGES {
        proxy.push(&compile(stage));
        for &(from, what, expected, why) in calls {
            let before = empire.requests();
            let outcome = empire.curl(from, what);
            let reached = empire.requests() > before;
            let seen = seen(&outcome, from, &empire);
            if seen.as_ref() != Ok(&expected) || reached != matches!(expected, From(_)) {
                wrong.push(format!(
                    "{stage}: {from} {what}: expected {expected:?} ({why}), seen {outcome}, reached {reached}"
                ));
            }
        }
        let still = [true, stage == "0-no-policy"];
        for (connection, still) in kept.iter_mut().zip(still) {
            assert_eq!(answers(connection), still, "{stage}: a connection from before");
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{:#?}",
        wrong.join("\n"),
        proxy.process().access_log()
    );
}

fn seen(outcome: &Outcome, from: &str, empire: &Cluster) -> Result<Expect, String> {
    match outcome {
        Outcome::Answer { status: 200, .. } => {
            let app = outcome.echo("app").ok_or("no echo")?;
            let names = [DEATHSTAR, DASHBOARD, CILIUM_IO, GOOGLE_COM];
            let name = names
                .into_iter()
                .find(|name| *name == app)
                .ok_or("an unknown application")?;
            let peer: SocketAddr = outcome
                .echo("peer")
                .ok_or("no peer")?
                .parse()
                .map_err(|_| "no address")?;
            // As without a proxy.
            if peer.ip() != empire.network.address(from).unwrap() {
                return Err(format!("the application saw {peer}"));
            }
            Ok(From(name))
        }
        Outcome::Answer { status: 403, body } if body == "Access denied\r\n" => Ok(Forbidden),
        Outcome::Closed => Ok(Closed),
        Outcome::NoName => Ok(NoName),
        other => Err(other.to_string()),
    }
}

/// A connection to the deathstar that is kept while policies change.
fn keep(empire: &Cluster, from: &str) -> HttpClient {
    let host = empire.network.host(from).unwrap();
    let to = "10.200.0.20:80".parse().unwrap();
    host.run(|| {
        Ok(HttpClient::connect(
            empire.network.address(from)?.into(),
            to,
            Duration::from_secs(10),
        )?)
    })
    .unwrap()
}

fn answers(client: &mut HttpClient) -> bool {
    match client.send(&Request::new("GET", "/v1", "deathstar")) {
        Ok(response) => response.status == 200,
        Err(RequestError::Closed) => false,
        Err(error) => panic!("{error}"),
    }
}

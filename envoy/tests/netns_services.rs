//! Services on a real network: their addresses belong to nobody, and are allowed if their pods are.
#![cfg(target_os = "linux")]

mod netns;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use envoy_e2e::config::{Cluster as Upstream, Direction, Listener, ListenerKind, Node, OriginalDst, Route};
use envoy_e2e::netns::curl::Outcome;
use envoy_e2e::netns::intercept::{self, Catch};
use netns::Binaries;
use netns::cluster::{Cluster, Plan};
use netns::proxy::{self, Proxy, with_sources_kept};

const HTTP: u16 = 15080;
const BALANCED: u16 = 15081;

const CLIENT: &str = "shop/client";
const OLD: &str = "shop/old";
const NEW: &str = "shop/new";

/// `api` has both pods behind it, `old` and `new` one each. kube-proxy sends calls of `api` to the old one, and `empty`
/// has nobody.
const SHOP: Plan = Plan {
    hosts: &[
        (CLIENT, [10, 200, 0, 11], &[]),
        (OLD, [10, 200, 0, 21], &[8080, 9090]),
        (NEW, [10, 200, 0, 22], &[8080, 9090]),
    ],
    services: &[
        ([10, 96, 0, 20], 80, [10, 200, 0, 21], 8080),
        ([10, 96, 0, 21], 80, [10, 200, 0, 21], 8080),
        ([10, 96, 0, 22], 80, [10, 200, 0, 22], 8080),
        ([10, 96, 0, 22], 90, [10, 200, 0, 22], 9090),
        ([10, 96, 0, 23], 80, [10, 200, 0, 21], 8080),
    ],
    dns: None,
};

const API: &str = "http://10.96.0.20/";
const API_OF_OLD: &str = "http://10.96.0.21/";
const API_OF_NEW: &str = "http://10.96.0.22/";
const METRICS_OF_NEW: &str = "http://10.96.0.22:90/";
const EMPTY: &str = "http://10.96.0.23/";
/// What the rows of the tests below ask, in this order.
const URLS: [&str; 7] = [
    "http://10.200.0.21:8080/",
    "http://10.200.0.22:8080/",
    API,
    API_OF_OLD,
    API_OF_NEW,
    METRICS_OF_NEW,
    EMPTY,
];

#[test]
fn a_service_is_allowed_if_all_its_pods_are() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries(), netns::portcullis()) else {
        return;
    };
    let shop = Cluster::start(&SHOP);
    let compile = |versions: &[&str]| shop.compile(&portcullis, &[&world(), &egress(versions)]);
    let proxy = start(&shop, &binaries, &compile(&["old", "new"]));
    let rows: [(&[&str], [bool; 7], &str); 4] = [
        (
            &["old", "new"],
            [true, true, true, true, true, false, false],
            "port 8080 of both: the port behind the service counts, not its own",
        ),
        (
            &["old"],
            [true, false, false, true, false, false, false],
            "one of two is not enough for the service of both, although that one would be called",
        ),
        (
            &["new"],
            [false, true, false, false, true, false, false],
            "the other one",
        ),
        (&[], [false; 7], "neither"),
    ];
    for (allowed, expected, why) in rows {
        proxy.push(&compile(allowed));
        for (url, expected) in URLS.into_iter().zip(expected) {
            let before = shop.requests();
            let outcome = shop.curl(CLIENT, url);
            let passed = outcome.status() == Some(200);
            assert_eq!(passed, expected, "{allowed:?} {url}: {why}: {outcome}");
            assert!(passed || outcome == Outcome::Closed, "{allowed:?} {url}: {outcome}");
            assert_eq!(shop.requests() > before, expected, "{allowed:?} {url}: {why}");
        }
    }
}

#[test]
fn where_envoy_balances_the_pod_that_was_chosen_is_judged() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries(), netns::portcullis()) else {
        return;
    };
    let shop = Cluster::start(&SHOP);
    let compile = |versions: &[&str]| shop.compile(&portcullis, &[&world(), &egress(versions)]);
    let _proxy = start(&shop, &binaries, &compile(&["old"]));
    // A port of the service that the catch below leads to the listener which balances.
    let outcomes: Vec<_> = (0..8).map(|_| shop.curl(CLIENT, "http://10.96.0.20:81/")).collect();
    let (mut allowed, mut denied) = (0, 0);
    for outcome in &outcomes {
        match outcome.status() {
            Some(200) => allowed += 1,
            Some(403) => denied += 1,
            _ => panic!("{outcome}"),
        }
    }
    assert!(allowed > 0 && denied > 0, "Envoy chose both: {outcomes:?}");
    assert_eq!(shop.requests(), allowed, "the other pod got no request");
    let from_old = |outcome: &&Outcome| outcome.echo("app").as_deref() == Some(OLD);
    assert_eq!(outcomes.iter().filter(from_old).count(), allowed);
}

fn start(shop: &Cluster, binaries: &Binaries, configuration: &str) -> Proxy {
    let catch = |to, port, listener| Catch { to, port, listener };
    let api = Some((Ipv4Addr::new(10, 96, 0, 20), 32));
    let catches = [catch(api, Some(81), BALANCED), catch(None, None, HTTP)];
    let on_node = shop.network.node();
    intercept::tproxy(on_node, &catches).unwrap();
    let node = node(binaries, shop.dir.path());
    let bootstrap = with_sources_kept(&node.bootstrap().unwrap().to_yaml().unwrap());
    Proxy::start(on_node, &binaries.envoy, &node, &bootstrap, configuration)
}

fn node(binaries: &Binaries, dir: &Path) -> Node {
    let listener = |name: &str, port, direction, route| Listener {
        original_dst: Some(OriginalDst::Transparent),
        ..Listener::new(
            name,
            SocketAddr::from(([127, 0, 0, 1], port)),
            direction,
            ListenerKind::Http { route },
        )
    };
    let pods = [[10, 200, 0, 21], [10, 200, 0, 22]].map(|pod| SocketAddr::from((pod, 8080)));
    Node {
        envoy: binaries.version,
        clusters: vec![Upstream::new("api", pods.to_vec())],
        ..proxy::node(
            binaries,
            dir,
            vec![
                listener(
                    "http",
                    HTTP,
                    Direction::Both,
                    Route::Cluster(Upstream::ORIGINAL_DST.into()),
                ),
                listener("balanced", BALANCED, Direction::Both, Route::Upstream("api".into())),
            ],
        )
    }
}

/// The pods, and the services in front of them.
fn world() -> String {
    let pod = |name: &str, labels: &str, address: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{{labels}}}}}\n\
             spec: {{containers: [{{name: main}}]}}\nstatus: {{podIP: {address}, podIPs: [{{ip: {address}}}]}}\n---\n"
        )
    };
    let service = |name: &str, selector: &str, address: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
             clusterIP: {address}\n  clusterIPs: [{address}]\n  selector: {{{selector}}}\n  ports:\n  \
             - {{name: http, port: 80, targetPort: 8080, protocol: TCP}}\n  \
             - {{name: metrics, port: 90, targetPort: 9090, protocol: TCP}}\n---\n"
        )
    };
    [
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n".to_owned(),
        pod("client", "app: client", "10.200.0.11"),
        pod("old", "app: api, version: old", "10.200.0.21"),
        pod("new", "app: api, version: new", "10.200.0.22"),
        service("api", "app: api", "10.96.0.20"),
        service("old", "app: api, version: old", "10.96.0.21"),
        service("new", "app: api, version: new", "10.96.0.22"),
        service("empty", "app: nobody", "10.96.0.23"),
    ]
    .concat()
}

/// The client may call port 8080 of pods of these versions, and nothing else.
fn egress(versions: &[&str]) -> String {
    let rules: String = versions
        .iter()
        .map(|version| {
            format!(
                "  - toEndpoints: [{{matchLabels: {{version: {version}}}}}]\n    \
                 toPorts: [{{ports: [{{port: \"8080\", protocol: TCP}}]}}]\n"
            )
        })
        .collect();
    // Without a rule, an empty one: it isolates, and allows nothing.
    let rules = if rules.is_empty() { "  - {}\n".to_owned() } else { rules };
    format!(
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: client, namespace: shop}}\nspec:\n  \
         endpointSelector: {{matchLabels: {{app: client}}}}\n  egress:\n{rules}"
    )
}

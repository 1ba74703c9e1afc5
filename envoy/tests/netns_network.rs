//! The network namespaces themselves, without Envoy: tests that trust them must be able to.
#![cfg(target_os = "linux")]

mod netns;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::Command;

use envoy_e2e::netns::balancer::{self, Header};
use envoy_e2e::netns::curl::{Outcome, curl};
use envoy_e2e::netns::intercept::{self, Service};
use envoy_e2e::netns::{Inside, Namespace, Network, remove_abandoned};
use envoy_e2e::world::dns::{DnsServer, Table};
use envoy_e2e::world::http::HttpApp;

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 11);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 20);

fn two_hosts() -> Network {
    Network::new(&[("client", CLIENT), ("server", SERVER)]).unwrap()
}

fn app(network: &Network, port: u16) -> Inside<HttpApp> {
    let address = SocketAddr::new(SERVER.into(), port);
    let server = network.host("server").unwrap();
    server.hold(|| Ok(HttpApp::start(address, "app", vec![])?)).unwrap()
}

#[test]
fn hosts_reach_each_other_and_see_where_a_call_comes_from() {
    if !netns::available() {
        return;
    }
    let network = two_hosts();
    let app = app(&network, 80);
    let client = network.host("client").unwrap();
    let answer = curl(client, &["http://10.200.0.20/"]).unwrap();
    let peer = answer.echo("peer").unwrap_or_else(|| panic!("{answer}"));
    assert!(peer.starts_with("10.200.0.11:"), "{peer}");
    assert_eq!(curl(client, &["http://10.200.0.20:81/"]).unwrap(), Outcome::Refused);
    assert_eq!(curl(client, &["http://nobody.example/"]).unwrap(), Outcome::NoName);
    assert_eq!(app.connections(), 1);
}

#[test]
fn names_are_looked_up_over_tcp_and_services_lead_to_their_pods() {
    if !netns::available() {
        return;
    }
    let network = two_hosts();
    let _app = app(&network, 8080);
    let service = Ipv4Addr::new(10, 96, 0, 20);
    let table = Table::from([("app.example".to_owned(), vec![IpAddr::V4(service)])]);
    let server = network.host("server").unwrap();
    let dns = server.hold(|| Ok(DnsServer::start(SocketAddr::new(SERVER.into(), 53), table)?));
    let dns = dns.unwrap();
    network.set_nameserver(SERVER).unwrap();
    let rule = Service {
        address: "10.96.0.20:80".parse().unwrap(),
        backend: "10.200.0.20:8080".parse().unwrap(),
    };
    intercept::services(network.node(), &[rule]).unwrap();
    let client = network.host("client").unwrap();
    let answer = curl(client, &["http://app.example/"]).unwrap();
    assert_eq!(answer.echo("app").as_deref(), Some("app"), "{answer}");
    assert!(dns.asked().contains(&"app.example".to_owned()));
    // The kernel of the server counts segments and datagrams that came in.
    let sockets = server
        .run(|| Ok(std::fs::read_to_string("/proc/thread-self/net/snmp")?))
        .unwrap();
    assert!(sockets.contains("\nUdp: 0 "), "a query came over UDP:\n{sockets}");
}

#[test]
fn a_balancer_tells_the_application_who_called() {
    if !netns::available() {
        return;
    }
    let network = two_hosts();
    let app = app(&network, 80);
    let server = network.host("server").unwrap();
    let front = server.hold(|| {
        let (listen, to) = ("10.200.0.20:8000".parse()?, app.address());
        Ok(balancer::start(listen, to, Header::Text)?)
    });
    let _front = front.unwrap();
    // The application takes the line for a request that it does not understand, and closes.
    let outcome = curl(network.host("client").unwrap(), &["http://10.200.0.20:8000/"]).unwrap();
    assert_eq!(outcome, Outcome::Closed);
    assert_eq!(app.connections(), 1);
}

#[test]
fn nothing_is_left_behind() {
    if !netns::available() {
        return;
    }
    let there = |name: &str| Path::new("/run/netns").join(name).exists();
    let mut names = Vec::new();
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let network = two_hosts();
        network.set_nameserver(SERVER).unwrap();
        let _app = app(&network, 80);
        names = ["client", "server"]
            .map(|host| network.host(host).unwrap().name().to_owned())
            .to_vec();
        names.push(network.node().name().to_owned());
        assert!(names.iter().all(|name| there(name)));
        panic!("a test that fails");
    }));
    assert!(result.is_err());
    assert_eq!(names.len(), 3);
    for name in names {
        assert!(!there(&name), "{name}");
        assert!(!Path::new("/etc/netns").join(&name).exists(), "{name}");
    }
}

#[test]
fn what_a_killed_process_left_behind_is_removed_with_what_runs_there() {
    if !netns::available() {
        return;
    }
    // No process ever has this number.
    let abandoned = "portcullis-4294967295-1-0-abandoned";
    let add = Command::new("ip").args(["netns", "add", abandoned]).status().unwrap();
    assert!(add.success());
    let mut inmate = Command::new("ip")
        .args(["netns", "exec", abandoned, "sleep", "60"])
        .spawn()
        .unwrap();
    let mine = Namespace::new("mine").unwrap();
    remove_abandoned();
    assert!(!Path::new("/run/netns").join(abandoned).exists());
    assert!(Path::new("/run/netns").join(mine.name()).exists());
    assert!(!inmate.wait().unwrap().success(), "it was killed");
}

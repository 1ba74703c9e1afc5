//! No way around: what Envoy does not pass on does not cross the node, whatever the port, the protocol, or the hour.
#![cfg(target_os = "linux")]

mod netns;

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use envoy_e2e::netns::Inside;
use envoy_e2e::netns::curl::Outcome;
use envoy_e2e::world::server::Server;
use envoy_e2e::world::tcp::{self, Probe};
use netns::cluster::Cluster;
use netns::empire::*;
use netns::transparent;

const TIMEOUT: Duration = Duration::from_secs(5);
const GREETING: &[u8] = b"ready\n";

#[test]
fn any_port_is_judged_and_open_connections_are_judged_again() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries_that_guard_names(), netns::portcullis()) else {
        return;
    };
    let empire = Cluster::start(&EMPIRE);
    let echo = echo(&empire);
    let compile = |stage| empire.compile(&portcullis, &[&manifest("world.yaml"), &manifest(stage)]);
    let proxy = transparent::start(&empire, &binaries, &compile("stages/0-no-policy.yaml"));
    let [mut mine, mut intruders] = [XWING, INTRUDER].map(|from| {
        let mut connection = connect(&empire, from, echo.address());
        let mut greeting = [0; GREETING.len()];
        connection.read_exact(&mut greeting).unwrap();
        assert_eq!(greeting, GREETING);
        connection
    });
    proxy.push(&compile("stages/1-within-namespace.yaml"));
    let pushed = Instant::now();
    assert_eq!(intruders.read(&mut [0]).unwrap_or(0), 0, "closed");
    assert!(pushed.elapsed() < Duration::from_secs(2), "{:?}", pushed.elapsed());
    mine.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(mine.read(&mut [0]).is_err(), "open, and silent");
    let probe = |from| {
        let source = empire.network.address(from).unwrap();
        let probe = || Ok(tcp::probe(source.into(), echo.address(), b"", TIMEOUT)?);
        empire.network.host(from).unwrap().run(probe).unwrap()
    };
    assert_eq!(probe(XWING), Probe::Data(GREETING.to_vec()));
    assert_eq!(probe(INTRUDER), Probe::Closed);
    assert_eq!(echo.accepted(), 3, "two before the policy, one after it");
}

#[test]
fn datagrams_do_not_cross_the_node() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries_that_guard_names(), netns::portcullis()) else {
        return;
    };
    let empire = Cluster::start(&EMPIRE);
    let arrives = || {
        let there = empire.network.host(DEATHSTAR).unwrap();
        let receiver = there.run(|| Ok(UdpSocket::bind("10.200.0.20:53")?)).unwrap();
        receiver.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let here = empire.network.host(TIEFIGHTER).unwrap();
        let sender = here.run(|| Ok(UdpSocket::bind("10.200.0.11:0")?)).unwrap();
        sender.send_to(b"?", "10.200.0.20:53").unwrap();
        receiver.recv(&mut [0]).is_ok()
    };
    assert!(arrives(), "as long as nothing is intercepted");
    let configuration = empire.compile(&portcullis, &[&manifest("world.yaml")]);
    let _proxy = transparent::start(&empire, &binaries, &configuration);
    assert!(!arrives(), "nobody could judge what is in them");
}

#[test]
fn without_envoy_nothing_passes() {
    let (Some(binaries), Some(portcullis)) = (netns::binaries_that_guard_names(), netns::portcullis()) else {
        return;
    };
    let empire = Cluster::start(&EMPIRE);
    let configuration = empire.compile(&portcullis, &[&manifest("world.yaml")]);
    let proxy = transparent::start(&empire, &binaries, &configuration);
    const POD: &str = "http://10.200.0.20/v1";
    assert_eq!(empire.curl(TIEFIGHTER, POD).status(), Some(200));
    drop(proxy);
    let outcome = empire.curl(TIEFIGHTER, POD);
    assert!(matches!(outcome, Outcome::Silent | Outcome::Refused), "{outcome}");
    let _another = transparent::restart(&empire, &binaries, &configuration);
    assert_eq!(empire.curl(TIEFIGHTER, POD).status(), Some(200), "and it heals");
}

/// A server that speaks first, on a port of the deathstar that no manifest tells.
fn echo(empire: &Cluster) -> Inside<Server> {
    let address = SocketAddr::from(([10, 200, 0, 20], 7));
    let host = empire.network.host(DEATHSTAR).unwrap();
    host.hold(|| Ok(tcp::echo(address, GREETING)?)).unwrap()
}

fn connect(empire: &Cluster, from: &str, to: SocketAddr) -> TcpStream {
    let host = empire.network.host(from).unwrap();
    let connection = host.run(|| Ok(TcpStream::connect_timeout(&to, TIMEOUT)?)).unwrap();
    connection.set_read_timeout(Some(TIMEOUT)).unwrap();
    connection
}

//! The world's own servers and clients, without Envoy: a test that trusts them must be able to.

use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use envoy_e2e::world::client::{self, HttpClient, Request, RequestError};
use envoy_e2e::world::dns::{self, DnsServer, Lookup, Table};
use envoy_e2e::world::http::{Answer, HttpApp};
use envoy_e2e::world::net::Network;
use envoy_e2e::world::server::Server;
use envoy_e2e::world::tcp::{self, Probe};

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(10);

#[test]
fn a_probe_tells_the_endings_apart() {
    let network = Network::new();
    let client = network.host(20);
    let greeting = tcp::echo(network.any(2), b"hello").unwrap();
    let echo = tcp::echo(network.any(3), b"").unwrap();
    let closing = Server::start(network.any(4), |_| Ok(())).unwrap();
    let nobody = network.free(5).unwrap();
    let probe = |to, bytes: &[u8], timeout| tcp::probe(client, to, bytes, timeout).unwrap();
    assert_eq!(probe(greeting.address(), b"", LONG), Probe::Data(b"hello".to_vec()));
    assert_eq!(probe(echo.address(), b"hi", LONG), Probe::Data(b"hi".to_vec()));
    assert_eq!(probe(echo.address(), b"", SHORT), Probe::Silent);
    assert_eq!(probe(closing.address(), b"", LONG), Probe::Closed);
    assert_eq!(probe(nobody, b"", LONG), Probe::Refused);
    assert_eq!((echo.accepted(), closing.accepted()), (2, 1));
}

#[test]
fn a_dropped_server_is_gone() {
    let network = Network::new();
    let echo = tcp::echo(network.any(2), b"").unwrap();
    let address = echo.address();
    drop(echo);
    assert_eq!(
        tcp::probe(network.host(20), address, b"", LONG).unwrap(),
        Probe::Refused
    );
}

#[test]
fn an_application_sees_where_a_client_comes_from_and_every_byte_it_sends() {
    let network = Network::new();
    let app = HttpApp::start(network.any(2), "app", vec![]).unwrap();
    let request = Request::new("POST", "/x?y", "h")
        .header("X-Raw", b"\xff\xfe")
        .body("hello");
    let response = client::request(network.host(20), app.address(), &request, LONG).unwrap();
    assert_eq!(response.status, 200);
    assert!(
        response.text().contains(&format!("\"peer\":\"{}:", network.host(20))),
        "{}",
        response.text()
    );
    let seen = app.requests().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/x?y"));
    assert_eq!(seen.body, b"hello");
    assert!(seen.headers.contains(&("X-Raw".into(), b"\xff\xfe".to_vec())));
}

#[test]
fn a_fixed_answer_fits_method_and_path_without_query() {
    let network = Network::new();
    let answer = Answer {
        method: "GET".into(),
        path: "/v1".into(),
        status: 503,
        body: "no".into(),
    };
    let app = HttpApp::start(network.any(2), "app", vec![answer]).unwrap();
    let mut client = HttpClient::connect(network.host(20), app.address(), LONG).unwrap();
    let rows = [
        ("GET", "/v1", 503),
        ("GET", "/v1?a", 503),
        ("PUT", "/v1", 200),
        ("GET", "/v1/", 200),
    ];
    for (method, target, expected) in rows {
        let status = client.send(&Request::new(method, target, "h")).unwrap().status;
        assert_eq!(status, expected, "{method} {target}");
    }
    assert_eq!(
        (app.connections(), app.requests().len()),
        (1, 4),
        "one connection for all"
    );
}

#[test]
fn a_client_reads_chunks_and_knows_a_close_from_an_answer() {
    let network = Network::new();
    let send = |answer: &'static [u8]| {
        let server = Server::start(network.any(2), move |mut connection| {
            use std::io::{Read as _, Write as _};
            connection.read_exact(&mut [0; 4])?;
            connection.write_all(answer)
        });
        let server = server.unwrap();
        client::request(network.host(20), server.address(), &Request::new("GET", "/", "h"), LONG)
    };
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(send(chunked).unwrap().text(), "abcde");
    let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    assert_eq!(send(interim).unwrap().text(), "x");
    assert!(matches!(send(b""), Err(RequestError::Closed)));
    assert!(matches!(send(b"HTTP/1.1 200"), Err(RequestError::Io(_))), "cut short");
    assert!(matches!(send(b"nonsense\r\n\r\n"), Err(RequestError::Malformed(_))));
}

#[test]
fn the_dns_server_answers_from_its_table() {
    let network = Network::new();
    let addresses: Vec<IpAddr> = vec![network.host(2), network.host(3)];
    let table = Table::from([("a.example".to_owned(), addresses.clone())]);
    let server = DnsServer::start(network.any(10), table).unwrap();
    let ask = |name| dns::lookup(network.host(20), server.address(), name, LONG).unwrap();
    assert_eq!(ask("a.example."), Lookup::Addresses(addresses));
    assert!(matches!(ask("b.example."), Lookup::Code(_)), "no such name");
    server.set("b.example", vec![network.host(4)]);
    assert_eq!(
        ask("B.Example."),
        Lookup::Addresses(vec![network.host(4)]),
        "names have no case"
    );
    assert_eq!(server.asked(), ["a.example", "b.example", "b.example"]);
    let closing = Server::start(network.any(11), |_| Ok(())).unwrap();
    let answer = dns::lookup(network.host(20), closing.address(), "a.example.", LONG).unwrap();
    assert_eq!(answer, Lookup::Closed);
}

#[test]
fn free_addresses_are_free_and_different() {
    let network = Network::new();
    let [a, b] = [0; 2].map(|_| network.free(2).unwrap());
    assert_ne!(a, b);
    assert!(TcpListener::bind(a).is_ok());
    assert_ne!(Network::new().host(2), network.host(2), "another network");
}

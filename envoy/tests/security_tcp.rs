//! Clients that speak slowly, in part, or no more: they neither get anything nor keep others waiting.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::policy::Configuration;
use common::shared::Shared;
use common::{GREETING, TIMEOUT, World, start_plugin};
use envoy_e2e::world::net;
use serde_json::json;
use socket2::SockRef;

/// Requests for `/public`, and any connection to the TCP service; both from the client only.
static SHARED: Shared = Shared::new(|| {
    start_plugin(|world| Configuration::requests(world, json!([{ "method": "GET|POST", "path": "/public" }])))
});

fn connect(world: &World, listener: &str) -> TcpStream {
    net::connect(world.client(), world.listener(listener), TIMEOUT).unwrap()
}

/// All that comes until the other side ends, if it does within the time-out.
fn rest(connection: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    drop(connection.read_to_end(&mut bytes));
    bytes
}

#[test]
fn a_half_closed_connection_carries_the_answer_to_the_end() {
    let Some(turn) = SHARED.turn() else { return };
    let mut connection = connect(&turn.world, "echo");
    connection.write_all(b"ping").unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut connection), [GREETING, b"ping"].concat());
}

#[test]
fn a_denied_client_that_half_closes_reaches_nobody() {
    let Some(turn) = SHARED.turn() else { return };
    let before = (turn.world.echo.accepted(), turn.world.app.connections());
    for listener in ["echo", "app"] {
        for bytes in [&b""[..], b"GET /public HTTP/1.1\r\nHost: app\r\n\r\n"] {
            let address = turn.world.listener(listener);
            let mut connection = net::connect(turn.world.stranger(), address, TIMEOUT).unwrap();
            // Envoy may have closed before.
            drop(connection.write_all(bytes));
            drop(connection.shutdown(Shutdown::Write));
            assert_eq!(rest(&mut connection), b"", "{listener}");
        }
    }
    assert_eq!((turn.world.echo.accepted(), turn.world.app.connections()), before);
}

#[test]
fn a_client_that_leaves_in_the_middle_reaches_nobody() {
    let Some(turn) = SHARED.turn() else { return };
    let before = turn.world.app.requests().len();
    let head = "POST /public HTTP/1.1\r\nHost: app\r\nContent-Length: 10\r\n\r\n";
    let denied = "GET /secret HTTP/1.1\r\nHost: app\r\n\r\n";
    // Of the two requests that are complete, one is denied; the body of the last one never is.
    for sent in ["", "G", "GET /public HTTP/1.1\r\nHost: app\r\n", denied, head] {
        for reset in [false, true] {
            let mut connection = connect(&turn.world, "app");
            connection.write_all(sent.as_bytes()).unwrap();
            if reset {
                // Closing sends a reset then.
                SockRef::from(&connection).set_linger(Some(Duration::ZERO)).unwrap();
            } else {
                connection.shutdown(Shutdown::Write).unwrap();
                let answer = rest(&mut connection);
                assert!(
                    !answer.starts_with(b"HTTP/1.1 200"),
                    "{sent}: {}",
                    answer.escape_ascii()
                );
            }
        }
    }
    assert!(turn.world.http_passes("/public") && !turn.world.http_passes("/secret"));
    assert_eq!(turn.world.app.requests().len(), before + 1);
}

#[test]
fn a_denial_does_not_wait_for_a_slow_body() {
    let Some(turn) = SHARED.turn() else { return };
    let before = turn.world.app.connections();
    let mut connection = connect(&turn.world, "app");
    let head = "POST /secret HTTP/1.1\r\nHost: app\r\nContent-Length: 1000000\r\n\r\n";
    connection.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(answer.escape_ascii().to_string(), "HTTP/1.1 403");
    assert_eq!(turn.world.app.connections(), before);
}

#[test]
fn slow_clients_are_ended_and_keep_nobody_waiting() {
    let Some(turn) = SHARED.turn() else { return };
    let before = turn.world.app.requests().len();
    let start = Instant::now();
    let mut slow: Vec<_> = (0..100).map(|_| connect(&turn.world, "app")).collect();
    for connection in &mut slow {
        connection.write_all(b"GET /public HTTP/1.1\r\nHost: app\r\n").unwrap();
    }
    let mut served = 0;
    // Envoy gives a head ten seconds, however many of its lines come meanwhile.
    while start.elapsed() < Duration::from_secs(9) {
        for connection in &mut slow {
            connection.write_all(b"X-A: b\r\n").unwrap();
        }
        let asked = Instant::now();
        assert!(turn.world.http_passes("/public") && !turn.world.http_passes("/secret"));
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
        served += 1;
        sleep(Duration::from_millis(300));
    }
    for connection in &mut slow {
        let answer = rest(connection);
        assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(
        turn.world.app.requests().len(),
        before + served,
        "nothing of the slow ones"
    );
}

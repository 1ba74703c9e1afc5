//! Upgrades to websockets, with an application that does switch: judged as the request, and a tunnel only then.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use common::policy::Configuration;
use common::{TIMEOUT, World, envoy, plugin};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::net;
use envoy_e2e::world::server::Server;
use serde_json::json;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const STAY: &str = "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n";

/// A world whose application switches at `/socket`, stays at anything else, and sends back what follows.
struct Sockets {
    world: World,
    app: Server,
    seen: Arc<Mutex<Vec<u8>>>,
    _envoy: EnvoyProcess,
}

impl Sockets {
    fn start() -> Option<Self> {
        let (envoy, plugin) = (envoy()?, plugin()?);
        let mut world = World::new(&plugin);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let app = {
            let seen = Arc::clone(&seen);
            Server::start(world.network.any(9), move |connection| serve(connection, &seen)).unwrap()
        };
        let cluster = world.node.clusters.iter_mut().find(|cluster| cluster.name == "app");
        cluster.unwrap().endpoints = vec![app.address()];
        let http = json!([{ "path": "/socket" }, { "path": "/plain" }]);
        let configuration = Configuration::requests(&world, http).text();
        let _envoy = world.start(&envoy, &configuration);
        Some(Self {
            world,
            app,
            seen,
            _envoy,
        })
    }

    /// A connection on which an upgrade was asked for, with the head of the answer and whatever came behind it.
    fn upgrade(&self, path: &str, more: &[u8]) -> (TcpStream, String) {
        let mut connection = net::connect(self.world.client(), self.world.listener("app"), TIMEOUT).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        connection.write_all(&[head.as_bytes(), more].concat()).unwrap();
        let answer = read_until(&mut connection, "\r\n\r\n");
        (connection, answer)
    }

    /// All that the application was sent.
    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }
}

fn serve(mut connection: TcpStream, seen: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    let head = read_until(&mut connection, "\r\n\r\n");
    seen.lock().unwrap().extend_from_slice(head.as_bytes());
    let switches = head.starts_with("GET /socket ");
    connection.write_all(if switches { SWITCH } else { STAY }.as_bytes())?;
    let mut bytes = [0; 4096];
    while let read @ 1.. = connection.read(&mut bytes)? {
        seen.lock().unwrap().extend_from_slice(&bytes[..read]);
        connection.write_all(&bytes[..read])?;
    }
    Ok(())
}

/// What comes until `end` does, or the other side ends.
fn read_until(connection: &mut TcpStream, end: &str) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(end.as_bytes()) && matches!(connection.read(&mut byte), Ok(1)) {
        text.extend_from_slice(&byte);
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn an_allowed_websocket_carries_anything_both_ways() {
    let Some(sockets) = Sockets::start() else { return };
    let (mut connection, answer) = sockets.upgrade("/socket", b"");
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // To the policy it is a tunnel from here on, whatever the bytes look like.
    for message in ["\u{1}frame", "GET /secret HTTP/1.1\r\n\r\n"] {
        connection.write_all(message.as_bytes()).unwrap();
        assert_eq!(read_until(&mut connection, message), message);
    }
    assert_eq!(sockets.app.accepted(), 1);
}

#[test]
fn a_denied_websocket_reaches_nobody() {
    let Some(sockets) = Sockets::start() else { return };
    for path in ["/secret", "/socket/", "/socket?token=1", "/x/../secret"] {
        // The first message comes along, as if the answer did not matter.
        let (_, answer) = sockets.upgrade(path, b"frame");
        assert!(answer.starts_with("HTTP/1.1 403 "), "{path}: {answer}");
    }
    assert_eq!((sockets.app.accepted(), sockets.seen().as_str()), (0, ""));
}

#[test]
fn an_upgrade_that_the_application_refuses_opens_no_tunnel() {
    let Some(sockets) = Sockets::start() else { return };
    let smuggled = b"GET /secret HTTP/1.1\r\nHost: app\r\n\r\n";
    for more in [&smuggled[..], b""] {
        let (mut connection, answer) = sockets.upgrade("/plain", more);
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        // Envoy may have closed already.
        drop(connection.write_all(smuggled));
        let after = read_until(&mut connection, "\r\n\r\n");
        assert!(after.is_empty() || after.starts_with("HTTP/1.1 4"), "{after}");
    }
    assert!(!sockets.seen().contains("secret"), "{}", sockets.seen());
}

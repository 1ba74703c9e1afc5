//! Traffic while policies change: who may have decided what, and an application that keeps up with it.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use envoy_e2e::config::Node;
use envoy_e2e::world::net::Network;
use envoy_e2e::world::server::Server;
use serde_json::{Value, json};

use super::policy::Configuration;
use super::{World, plugin};

/// The two policies that take turns: [`PATHS`] tell them apart. TCP is allowed by both.
pub(crate) fn policy(world: &World, number: u64) -> Configuration {
    let own = if number.is_multiple_of(2) { "/a" } else { "/b" };
    Configuration::requests(world, paths(&["/both", own]))
}

/// What both policies allow, what one of them does, and what none does.
pub(crate) const PATHS: [&str; 4] = ["/both", "/a", "/b", "/neither"];

/// What the policy with this number answers to a request for one of [`PATHS`].
pub(crate) fn answer(number: u64, path: &str) -> u16 {
    let allows = match path {
        "/both" => true,
        "/a" => number.is_multiple_of(2),
        "/b" => !number.is_multiple_of(2),
        _ => false,
    };
    if allows { 200 } else { 403 }
}

/// Requests for any of these paths.
pub(crate) fn paths(paths: &[&str]) -> Value {
    paths.iter().map(|path| json!({ "path": path })).collect()
}

/// The policy that is in force: policy 0 first, and one more with each push.
#[derive(Default)]
pub(crate) struct Phase {
    /// Even between pushes, odd during one.
    steps: AtomicU64,
    over: AtomicBool,
}

impl Phase {
    /// Brings the next policy into force. Not at the same time as another push.
    pub(crate) fn push(&self, publish: impl FnOnce(u64)) {
        let step = self.steps.fetch_add(1, Ordering::SeqCst);
        publish(step / 2 + 1);
        self.steps.fetch_add(1, Ordering::SeqCst);
    }

    /// Asks something, and tells which policies may have answered.
    pub(crate) fn ask<T>(&self, ask: impl FnOnce() -> T) -> (T, RangeInclusive<u64>) {
        let before = self.steps.load(Ordering::SeqCst);
        let answer = ask();
        let after = self.steps.load(Ordering::SeqCst);
        (answer, before / 2..=after.div_ceil(2))
    }

    /// Lets the clients end when it is dropped: also when the pushing thread panics, which waits for them.
    #[must_use]
    pub(crate) fn ends_with(&self) -> Ending<'_> {
        Ending(self)
    }

    /// Whether clients go on.
    pub(crate) fn goes_on(&self) -> bool {
        !self.over.load(Ordering::SeqCst)
    }
}

/// See [`Phase::ends_with`].
pub(crate) struct Ending<'a>(&'a Phase);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::SeqCst);
    }
}

/// The world with the real plugin, an application that only says 200, and no access log: it would fill the disk.
pub(crate) fn busy_world() -> Option<World> {
    let mut world = World::new(&plugin()?).only(&["app", "echo"]);
    world.node.access_log = "/dev/null".into();
    Some(world)
}

/// Puts an application in place of the world's that says 200 to everything and remembers nothing.
pub(crate) fn quick_app(network: Network, node: &mut Node) -> Server {
    let server = Server::start(network.any(5), say_200).unwrap();
    let app = node.clusters.iter_mut().find(|cluster| cluster.name == "app").unwrap();
    app.endpoints = vec![server.address()];
    server
}

fn say_200(mut connection: TcpStream) -> io::Result<()> {
    let (mut chunk, mut tail) = ([0; 4096], Vec::new());
    loop {
        let read = connection.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        tail.extend_from_slice(&chunk[..read]);
        // Envoy sends a request in one piece, and the next one after the answer.
        if tail.ends_with(b"\r\n\r\n") {
            tail.clear();
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        }
    }
}

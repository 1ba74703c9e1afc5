//! Connections end in time, and with them the policies under which they were made.

mod common;

use std::io::{ErrorKind, Read as _};
use std::time::{Duration, Instant};

use common::module::Module;
use common::{TIMEOUT, World, envoy};
use envoy_e2e::world::net;

/// How long an idle connection to this listener lives.
fn age(world: &World, listener: &str) -> Duration {
    let mut connection = net::connect(world.client(), world.listener(listener), TIMEOUT).unwrap();
    let start = Instant::now();
    match connection.read_to_end(&mut Vec::new()) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{listener}: still open, {error}"),
    }
    start.elapsed()
}

#[test]
fn a_connection_ends_after_its_time() {
    let Some(envoy) = envoy() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::new(&Module::AllowAll.write(dir.path())).only(&["app", "echo"]);
    world.node.max_connection = Duration::from_secs(2);
    let _running = world.start(&envoy, "{}");
    for listener in ["app", "echo"] {
        let age = age(&world, listener);
        assert!(
            age > Duration::from_secs(1),
            "{listener}: not before, but after {age:?}"
        );
    }
}

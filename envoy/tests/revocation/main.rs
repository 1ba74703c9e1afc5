//! What is open when a policy takes it back: an idle TCP connection, a websocket, a response and a gRPC call that go
//! on and on. All of it ends within a second, on every worker, and what the new policy allows goes on.

#[path = "../common/mod.rs"]
mod common;

mod app;
mod streams;

use std::io::Read as _;
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::policy::{Configuration, SERVICES, from_client};
use common::traffic::paths;
use common::{World, envoy, plugin};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::net;
use serde_json::{Value, json};
use streams::{Kind, Stream};

/// How long a stream may outlive the policy that allowed it.
const LIMIT: Duration = Duration::from_secs(1);
/// Of every kind, and on each worker, at least.
const EACH: u64 = 2;

/// How many connections end while policy takes them back, and how often.
const LEAVING: usize = 100;
const ROUNDS: usize = 5;

/// A port to which the client is allowed at first only; the TCP service is behind it, too.
const OTHER: &str = "other";

#[test]
fn what_is_no_longer_allowed_ends_within_a_second_and_the_rest_goes_on() {
    let Some(scene) = Scene::start("close") else { return };
    let streams = scene.open();
    let published = Instant::now();
    scene.push(&after(&scene.world));
    let acknowledged = Instant::now();
    while acknowledged.elapsed() < LIMIT && streams.iter().any(|stream| !stream.stays && stream.ended().is_none()) {
        sleep(Duration::from_millis(5));
    }
    let (revoked, staying): (Vec<_>, Vec<_>) = streams.iter().partition(|stream| !stream.stays);
    let open: Vec<_> = revoked.iter().filter(|stream| stream.ended().is_none()).collect();
    assert!(
        open.is_empty(),
        "{} of {} are still open: {open:?}",
        open.len(),
        revoked.len()
    );
    for kind in Kind::ALL {
        let of_kind = revoked.iter().filter(|stream| stream.kind == kind);
        let last = of_kind.filter_map(|stream| stream.ended()).max().unwrap();
        let last = last.saturating_duration_since(published);
        println!(
            "{kind:?}: the last one ended {} ms after the policy was published",
            last.as_millis()
        );
    }
    scene.assert_counted(&revoked);
    // Longer than any timer, to see that nothing else happens.
    sleep(LIMIT);
    for stream in staying {
        assert!(stream.ended().is_none(), "{stream:?}");
        assert!(stream.is_answered(), "{stream:?}");
    }
    scene.assert_counted(&revoked);
}

#[test]
fn a_report_counts_and_closes_nothing() {
    let Some(scene) = Scene::start("report") else { return };
    let streams = scene.open();
    scene.push(&after(&scene.world));
    sleep(LIMIT);
    for stream in &streams {
        assert!(stream.ended().is_none(), "{stream:?}");
        assert!(stream.is_answered(), "{stream:?}");
    }
    let revoked: Vec<_> = streams.iter().filter(|stream| !stream.stays).collect();
    scene.assert_counted(&revoked);
    // What is new is judged as ever.
    assert!(!scene.world.http_passes("/go/ws"));
}

#[test]
fn a_policy_that_returns_before_the_timer_closes_nothing_that_it_allows() {
    let Some(scene) = Scene::start("close") else { return };
    let streams = scene.open();
    for _ in 0..5 {
        scene.push(&Configuration::allow_all(&scene.world));
        scene.push(&before(&scene.world));
    }
    sleep(LIMIT);
    for stream in &streams {
        assert!(stream.ended().is_none() && stream.is_answered(), "{stream:?}");
    }
    scene.assert_counted(&[]);
}

/// In the moment of a change a server may end a connection that the plugin then closes: the host must be able to tell
/// of one as of the other.
#[test]
fn connections_that_end_while_they_are_taken_back_harm_nobody() {
    let Some(scene) = Scene::start("close") else { return };
    let mut kept = common::kept::tcp_connection(&scene.world);
    for _ in 0..ROUNDS {
        let connections: Vec<_> = (0..LEAVING).map(|_| scene.connect_to_other()).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| scene.push(&after(&scene.world)));
            for connection in &connections {
                // The service answers with its own end. Envoy may have closed the connection already.
                drop(connection.shutdown(Shutdown::Write));
                sleep(Duration::from_micros(300));
            }
        });
        scene.push(&before(&scene.world));
        assert!(common::kept::is_answered(&mut kept), "{}", scene.envoy.log().unwrap());
    }
    let log = scene.envoy.log().unwrap();
    assert!(!log.contains("panicked"), "{log}");
}

/// Everything that the streams need.
fn before(world: &World) -> Configuration {
    let http = paths(&["/stay/.*", "/go/.*"]);
    let elements = json!([from_client(80, Some(http)), from_client(7, None), from_client(8, None)]);
    Configuration::ingress(world, SERVICES, elements)
}

/// Half of it.
fn after(world: &World) -> Configuration {
    let elements = json!([from_client(80, Some(paths(&["/stay/.*"]))), from_client(7, None)]);
    Configuration::ingress(world, SERVICES, elements)
}

/// A world in which everything takes long.
struct Scene {
    world: World,
    envoy: EnvoyProcess,
    revocation: &'static str,
    _app: envoy_e2e::world::server::Server,
}

impl Scene {
    fn start(revocation: &'static str) -> Option<Self> {
        let mut world = World::new(&plugin()?).only(&["app", "echo"]);
        let mut other = world
            .node
            .listeners
            .iter()
            .find(|listener| listener.name == "echo")?
            .clone();
        other.name = OTHER.into();
        other.address = world.network.free(3).unwrap();
        other.logical_port = Some(8);
        world.node.listeners.push(other);
        let app = app::start(world.network.any(5));
        let cluster = world.node.clusters.iter_mut().find(|cluster| cluster.name == "app")?;
        cluster.endpoints = vec![app.address()];
        let envoy = world.start(&envoy()?, &with_revocation(&before(&world), revocation));
        Some(Self {
            world,
            envoy,
            revocation,
            _app: app,
        })
    }

    fn push(&self, configuration: &Configuration) {
        let pushed = self
            .envoy
            .push(with_revocation(configuration, self.revocation).as_bytes())
            .unwrap();
        assert!(pushed.accepted(), "{pushed:?}");
    }

    /// Streams of every kind, on both workers, half of which the next policy does not allow.
    fn open(&self) -> Vec<Stream> {
        let mut streams = Vec::new();
        for kind in Kind::ALL {
            for stays in [true, false] {
                streams.extend(self.on_both_workers(kind, stays));
            }
        }
        streams
    }

    /// A connection that only the first policy allows.
    fn connect_to_other(&self) -> TcpStream {
        let mut connection = net::connect(self.world.client(), self.world.listener(OTHER), common::TIMEOUT).unwrap();
        connection.read_exact(&mut [0; common::GREETING.len()]).unwrap();
        connection
    }

    fn on_both_workers(&self, kind: Kind, stays: bool) -> Vec<Stream> {
        let listener = match (kind, stays) {
            (Kind::Tcp, true) => "echo",
            (Kind::Tcp, false) => OTHER,
            _ => "app",
        };
        let before = self.connections(listener);
        let mut streams = Vec::new();
        for _ in 0..64 {
            streams.push(Stream::open(&self.world, listener, kind, stays));
            if self
                .connections(listener)
                .iter()
                .zip(before)
                .all(|(&now, before)| now >= before + EACH)
            {
                return streams;
            }
        }
        panic!("64 connections, and hardly any on one of the two workers");
    }

    /// How many connections each worker was given.
    fn connections(&self, listener: &str) -> [u64; 2] {
        let address = self.world.listener(listener);
        [0, 1].map(|worker| {
            let name = format!(
                "listener.{}_{}.worker_{worker}.downstream_cx_total",
                address.ip(),
                address.port()
            );
            self.envoy.admin().stat(&name).unwrap().unwrap_or(0)
        })
    }

    /// Whether so many streams were counted as revoked, and no more.
    fn assert_counted(&self, revoked: &[&Stream]) {
        let layer = |layer: &str| {
            let name = format!("wasmcustom.portcullis_revoked_total.layer.{layer}");
            self.envoy.admin().stat(&name).unwrap().unwrap_or(0)
        };
        let tcp = revoked.iter().filter(|stream| stream.kind == Kind::Tcp).count();
        let expected = [tcp, revoked.len() - tcp].map(|count| count as u64);
        assert_eq!(["l4", "l7"].map(layer), expected, "connections, requests");
    }
}

fn with_revocation(configuration: &Configuration, revocation: &str) -> String {
    let mut configuration: Value = serde_json::from_str(&configuration.text()).unwrap();
    configuration["revocation"] = json!(revocation);
    configuration.to_string()
}

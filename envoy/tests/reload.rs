//! Policies that change all the time while clients of every kind work: each verdict is that of the policy before or
//! after the push that was in flight, no connection is dropped that both allow, and memory does not grow.
//!
//! `PORTCULLIS_SOAK_RELOADS` says how many reloads; `cargo xtask soak` runs ten thousand.

mod common;

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use common::kept::{is_answered, status, tcp_connection};
use common::traffic::{PATHS, Phase, answer, busy_world, policy, quick_app};
use common::{TIMEOUT, World, envoy};
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::HttpClient;
use envoy_e2e::world::tcp::{self, Probe};

/// How many reloads without the variable.
const RELOADS: u64 = 300;
/// After so many Envoy has all the memory that it needs, or it leaks.
const WARM_UP: u64 = 100;
/// Between two pushes only one policy is in force, and only one verdict is right.
const QUIET: Duration = Duration::from_millis(8);
/// Between two requests of one client, so that Envoy is busy and the machine is not.
const PAUSE: Duration = Duration::from_millis(4);
/// The system gives pages, and Envoy's allocator keeps them, in no fixed pattern.
const SLACK_KILOBYTES: u64 = 12 * 1024;
/// Envoy itself keeps something of every update, with any plugin: 1.1 kB with one that does nothing, up to 2 kB with
/// ours, whose own memory does not grow by a byte.
const KEPT_KILOBYTES: u64 = 2;

/// What clients asked.
#[derive(Default)]
struct Work {
    requests: AtomicU64,
    /// Those of the requests that only one policy can have answered.
    certain: AtomicU64,
    connections: AtomicU64,
}

/// What every client needs.
#[derive(Clone, Copy)]
struct Scene<'a> {
    world: &'a World,
    phase: &'a Phase,
    work: &'a Work,
}

#[test]
fn every_verdict_is_that_of_the_policy_before_or_after_the_push() {
    let (Some(envoy), Some(mut world)) = (envoy(), busy_world()) else {
        return;
    };
    let _app = quick_app(world.network, &mut world.node);
    let running = world.start(&envoy, &policy(&world, 0).text());
    let (phase, work) = (Phase::default(), Work::default());
    let scene = Scene {
        world: &world,
        phase: &phase,
        work: &work,
    };
    let memory = thread::scope(|scope| {
        let ending = phase.ends_with();
        let clients: [fn(Scene<'_>); 5] = [keep_asking, keep_asking, ask_anew, keep_talking, connect_anew];
        let clients = clients.map(|client| scope.spawn(move || client(scene)));
        let memory = push_all(&running, scene, || clients.iter().any(|client| client.is_finished()));
        drop(ending);
        for client in clients {
            // A client's panic is the message that matters.
            client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        memory
    });
    report_memory(&memory);
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (requests, certain, connections) = (count(&work.requests), count(&work.certain), count(&work.connections));
    println!(
        "{requests} requests, {certain} with one right answer, and {connections} TCP connections: all as they must"
    );
    assert!(
        certain >= reloads(),
        "only {certain} of {requests} requests had one right answer"
    );
}

fn reloads() -> u64 {
    let named = env::var("PORTCULLIS_SOAK_RELOADS").ok();
    named.map_or(RELOADS, |number| number.parse().expect("a number of reloads"))
}

/// Pushes until all are done or a client failed; returns the reloads so far and the memory of Envoy, in kilobytes.
fn push_all(envoy: &EnvoyProcess, scene: Scene<'_>, failed: impl Fn() -> bool) -> Vec<(u64, u64)> {
    let (reloads, started) = (reloads(), Instant::now());
    let step = (reloads / 10).max(WARM_UP.min(reloads));
    let mut memory = Vec::new();
    for number in 1..=reloads {
        scene.phase.push(|next| {
            let configuration = policy(scene.world, next).text();
            let pushed = envoy.push(configuration.as_bytes()).unwrap();
            assert!(pushed.accepted(), "{pushed:?}: {}", envoy.log().unwrap());
        });
        if failed() {
            break;
        }
        sleep(QUIET);
        if number.is_multiple_of(step) || number == WARM_UP {
            memory.push((number, envoy.resident_kilobytes().unwrap()));
        }
    }
    println!("{reloads} reloads in {:.1} s", started.elapsed().as_secs_f64());
    memory
}

/// Says how memory went, and fails if it grew after the warm-up.
fn report_memory(memory: &[(u64, u64)]) {
    for (reloads, kilobytes) in memory {
        println!("after {reloads:>6} reloads: {kilobytes} kB");
    }
    let warm = memory.iter().find(|(reloads, _)| *reloads >= WARM_UP);
    if let (Some((first, warm)), Some((reloads, last))) = (warm, memory.last()) {
        let bound = warm + SLACK_KILOBYTES + KEPT_KILOBYTES * (reloads - first);
        assert!(*last <= bound, "memory grew from {warm} to {last} kB");
    }
}

/// Requests on a connection that is never closed.
fn keep_asking(scene: Scene<'_>) {
    let mut client = scene.world.http_client();
    for path in PATHS.iter().cycle() {
        if !scene.phase.goes_on() {
            return;
        }
        scene.judge(path, || status(&mut client, path));
        sleep(PAUSE);
    }
}

/// Each request on a connection of its own.
fn ask_anew(scene: Scene<'_>) {
    for path in PATHS.iter().cycle() {
        if !scene.phase.goes_on() {
            return;
        }
        scene.judge(path, || {
            let mut client = HttpClient::connect(scene.world.client(), scene.world.listener("app"), TIMEOUT).unwrap();
            status(&mut client, path)
        });
        sleep(PAUSE);
    }
}

/// One TCP connection, from the first policy to the last.
fn keep_talking(scene: Scene<'_>) {
    let mut connection = tcp_connection(scene.world);
    while scene.phase.goes_on() {
        assert!(is_answered(&mut connection), "every policy allows this connection");
        sleep(PAUSE);
    }
}

/// New TCP connections, of the client and of one that no policy allows.
fn connect_anew(scene: Scene<'_>) {
    let stranger = || tcp::probe(scene.world.stranger(), scene.world.listener("echo"), b"", TIMEOUT).unwrap();
    while scene.phase.goes_on() {
        assert!(scene.world.tcp_passes(), "every policy allows the client");
        assert_eq!(stranger(), Probe::Closed, "no policy allows the stranger");
        scene.work.connections.fetch_add(2, Ordering::Relaxed);
        sleep(PAUSE);
    }
}

impl Scene<'_> {
    /// Sends a request, and checks that a policy that was in force meanwhile gives that answer.
    fn judge(&self, path: &str, ask: impl FnOnce() -> u16) {
        let (status, mut policies) = self.phase.ask(ask);
        self.work.requests.fetch_add(1, Ordering::Relaxed);
        if policies.start() == policies.end() {
            self.work.certain.fetch_add(1, Ordering::Relaxed);
        }
        assert!(
            policies.any(|number| answer(number, path) == status),
            "{path}: {status}, which none of the policies {policies:?} says"
        );
    }
}

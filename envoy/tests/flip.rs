//! A policy flips under load: no request that was sent after the flip was acknowledged is judged by the old policy.
//!
//! Envoy acknowledges twice. `update_success` moves when the main thread has taken the new policy; workers may still
//! judge by the old one, for as long as they take to build the new one. `config_reload` moves when the last worker
//! uses it, and that is the acknowledgement: what [`EnvoyProcess::push`] waits for. The test prints what it saw of both.

mod common;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use common::policy::{Configuration, SERVICES, from_client};
use common::traffic::{PATHS, Phase, answer, busy_world, paths, quick_app};
use common::{TIMEOUT, World, envoy};
use envoy_e2e::ecds::Layer;
use envoy_e2e::run::EnvoyProcess;
use envoy_e2e::world::client::{HttpClient, Request};
use serde_json::Value;

/// Requests in a second, of all clients together.
const LOAD: u32 = 500;
/// Clients that keep their connection, each with its share of the load.
const KEPT: u32 = 5;
/// New connections in a second, half of them TCP; on top of the load.
const ANEW: u32 = 60;
/// How often the policy flips, and for how long it then stays.
const FLIPS: u64 = 6;
const STAY: Duration = Duration::from_millis(200);
/// Rules for ports that nobody asks for: workers take a while to build this policy.
const FILLER: u16 = 5_000;

/// Something that was asked: which of [`PATHS`], or `tcp`; when; and whether it was allowed.
struct Asked {
    what: &'static str,
    sent: Instant,
    done: Instant,
    status: u16,
}

/// When a policy was published, when the main thread had taken it, and when every worker had.
struct Flip {
    published: Instant,
    success: Instant,
    acknowledged: Instant,
}

#[test]
fn nothing_sent_after_the_acknowledgement_is_judged_by_the_old_policy() {
    let Some(envoy) = envoy() else { return };
    for (filler, size) in [(0, "a small policy"), (FILLER, "a large policy")] {
        let Some(mut world) = busy_world() else { return };
        let _app = quick_app(world.network, &mut world.node);
        let policy = |number| policy(&world, number, filler);
        let running = world.start(&envoy, &policy(0).text());
        let (asked, flips) = flip_under_load(&world, &running, &[policy(0).text(), policy(1).text()]);
        let late = asked.iter().filter(|asked| is_wrong(asked, &flips)).count();
        report(size, &asked, &flips);
        assert_eq!(late, 0, "{size}: judged by a policy that was not in force any more");
    }
}

/// Even policies allow `/a` and TCP, odd ones `/b`.
fn policy(world: &World, number: u64, filler: u16) -> Configuration {
    let (own, tcp) = if number.is_multiple_of(2) {
        ("/a", Some(7))
    } else {
        ("/b", None)
    };
    let mut elements = vec![from_client(80, Some(paths(&["/both", own])))];
    elements.extend(tcp.map(|port| from_client(port, None)));
    elements.extend((0..filler).map(|number| from_client(20_000 + number, None)));
    Configuration::ingress(world, SERVICES, Value::Array(elements))
}

/// What a policy says to something that was asked.
fn expected(number: u64, what: &str) -> u16 {
    answer(number, if what == "tcp" { "/a" } else { what })
}

/// Pushes the policies by turns, the second one first, while clients ask.
fn flip_under_load(world: &World, envoy: &EnvoyProcess, policies: &[String; 2]) -> (Vec<Asked>, Vec<Flip>) {
    let (phase, asked) = (Phase::default(), Mutex::new(Vec::new()));
    let started = Instant::now();
    let flips = thread::scope(|scope| {
        let _ending = phase.ends_with();
        for _ in 0..KEPT {
            scope.spawn(|| keep_asking(world, &phase, &asked));
        }
        scope.spawn(|| connect_anew(world, &phase, &asked));
        sleep(STAY);
        let flip = |number: u64| {
            let flip = push(envoy, policies[usize::from(number % 2 == 1)].as_bytes());
            sleep(STAY);
            flip
        };
        (1..=FLIPS).map(flip).collect::<Vec<_>>()
    });
    let asked = asked.into_inner().unwrap();
    let requests = asked.iter().filter(|asked| asked.what != "tcp").count();
    let rate = requests as f64 / started.elapsed().as_secs_f64();
    assert!(rate >= f64::from(LOAD), "only {rate:.0} requests a second");
    (asked, flips)
}

/// Publishes, and watches Envoy meanwhile.
fn push(envoy: &EnvoyProcess, configuration: &[u8]) -> Flip {
    let over = AtomicBool::new(false);
    let taken = || {
        // A page of few lines, to know the moment well.
        let page = envoy.admin().get("/stats?filter=update_success").unwrap();
        let pairs: BTreeMap<_, u64> = (page.lines())
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
            .collect();
        Layer::ALL.map(|layer| pairs[format!("{}.update_success", layer.stat_prefix()).as_str()])
    };
    let before = taken();
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                if taken().iter().zip(before).all(|(&now, before)| now > before) {
                    return Some(Instant::now());
                }
                sleep(Duration::from_millis(1));
            }
            None
        });
        let published = Instant::now();
        let pushed = envoy.push(configuration);
        let acknowledged = Instant::now();
        over.store(true, Ordering::SeqCst);
        assert!(pushed.as_ref().is_ok_and(|pushed| pushed.accepted()), "{pushed:?}");
        Flip {
            published,
            success: watch.join().unwrap().unwrap_or(acknowledged),
            acknowledged,
        }
    })
}

/// A client's share of the load, on one connection. Who is late catches up.
fn keep_asking(world: &World, phase: &Phase, asked: &Mutex<Vec<Asked>>) {
    let mut client = world.http_client();
    let (mut next, mut mine) = (Instant::now(), Vec::new());
    for what in PATHS.iter().cycle() {
        if !phase.goes_on() {
            break;
        }
        mine.push(ask(what, || {
            client.send(&Request::new("GET", what, "app")).unwrap().status
        }));
        next += Duration::from_secs(1) * KEPT * 9 / (LOAD * 10);
        sleep(next.saturating_duration_since(Instant::now()));
    }
    asked.lock().unwrap().append(&mut mine);
}

/// New connections, of HTTP and of TCP by turns.
fn connect_anew(world: &World, phase: &Phase, asked: &Mutex<Vec<Asked>>) {
    let (mut next, mut mine) = (Instant::now(), Vec::new());
    for what in PATHS.iter().flat_map(|path| [*path, "tcp"]).cycle() {
        if !phase.goes_on() {
            break;
        }
        mine.push(ask(what, || match what {
            "tcp" if world.tcp_passes() => 200,
            "tcp" => 403,
            path => {
                let client = HttpClient::connect(world.client(), world.listener("app"), TIMEOUT);
                client.unwrap().send(&Request::new("GET", path, "app")).unwrap().status
            }
        }));
        next += Duration::from_secs(1) / ANEW;
        sleep(next.saturating_duration_since(Instant::now()));
    }
    asked.lock().unwrap().append(&mut mine);
}

fn ask(what: &'static str, send: impl FnOnce() -> u16) -> Asked {
    let sent = Instant::now();
    let status = send();
    Asked {
        what,
        sent,
        done: Instant::now(),
        status,
    }
}

/// Whether the answer is none that a policy gives that was in force meanwhile: one that was acknowledged before the
/// request was sent and stayed, or one that was published before it was answered.
fn is_wrong(asked: &Asked, flips: &[Flip]) -> bool {
    let oldest = flips.iter().filter(|flip| flip.acknowledged <= asked.sent).count() as u64;
    let newest = flips.iter().filter(|flip| flip.published <= asked.done).count() as u64;
    !(oldest..=newest).any(|number| expected(number, asked.what) == asked.status)
}

/// How many were judged by the old policy though they were sent after `moment` of the flip that replaced it.
fn outdated(asked: &[Asked], flips: &[Flip], moment: impl Fn(&Flip) -> Instant) -> usize {
    let judged_by_old = |asked: &&Asked| {
        let newest = flips.iter().filter(|flip| moment(flip) <= asked.sent).count() as u64;
        let follows = flips
            .get(newest as usize)
            .is_none_or(|next| asked.done < next.published);
        follows && expected(newest, asked.what) != asked.status
    };
    asked.iter().filter(judged_by_old).count()
}

fn report(size: &str, asked: &[Asked], flips: &[Flip]) {
    let milliseconds = |from: fn(&Flip) -> Instant, to: fn(&Flip) -> Instant| {
        let longest = flips.iter().map(|flip| to(flip).saturating_duration_since(from(flip)));
        longest.max().unwrap_or_default().as_millis()
    };
    println!(
        "{size}: {} answers, {} flips; after at most {} ms the main thread had the policy, and every worker {} ms later",
        asked.len(),
        flips.len(),
        milliseconds(|flip| flip.published, |flip| flip.success),
        milliseconds(|flip| flip.success, |flip| flip.acknowledged),
    );
    println!(
        "  answers of the old policy to what was sent after it was published: {}, after `update_success`: {}, after `config_reload`: {}",
        outdated(asked, flips, |flip| flip.published),
        outdated(asked, flips, |flip| flip.success),
        outdated(asked, flips, |flip| flip.acknowledged),
    );
}

//! What a policy change costs a running Envoy: how long until it is in force, how long the worker stands still for it,
//! and how much memory it leaves behind.

mod compile;
mod start;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use envoy_e2e::run::artefact;
use envoy_e2e::world::client::{HttpClient, Request};
use policy_core::Bundle;
use policy_core::bundle::{HttpRule, L7Rules};

use crate::envoy::stage::{Running, Stage};
use crate::plugin::configuration;
use crate::report::{Report, Wanted};
use crate::sampler::Series;
use crate::world::Shape;

/// How often the policy changes. The largest ones would take minutes more.
const PUSHES: u32 = 20;
/// How often a probe is sent, if the one before is answered.
const PERIOD: Duration = Duration::from_millis(1);
/// Long enough for the largest policy on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long to go on watching once Envoy says that it is done: the old policy is freed.
const AFTER: Duration = Duration::from_millis(300);

/// Measures the section.
pub(crate) fn measure(short: bool) -> Result<Report> {
    let mut report = Report::new("push");
    let envoy = artefact::envoy()?;
    start::measure(&mut report, &envoy, short)?;
    let stage = Stage::new()?;
    let shapes = match short {
        true => vec![Shape::cluster(10, 100)],
        // The first is what one workload needs of a cluster.
        false => [
            (20, 200),
            (100, 1000),
            (1000, 10_000),
            (10_000, 10_000),
            (10_000, 100_000),
        ]
        .map(|(policies, identities)| Shape::cluster(policies, identities))
        .to_vec(),
    };
    for shape in shapes {
        eprintln!("pushing: {}", shape.name());
        let pushes = if short { 2 } else { PUSHES };
        measure_shape(&mut report, &stage, &envoy, shape, pushes).with_context(|| shape.name())?;
    }
    compile::measure(&mut report, short)?;
    Ok(report)
}

fn measure_shape(report: &mut Report, stage: &Stage, envoy: &Path, shape: Shape, pushes: u32) -> Result<()> {
    let name = shape.name();
    let bundles = [0, 1].map(|number| flipping(stage.placed(shape), shape, number));
    let configurations = [configuration(&bundles[0])?, configuration(&bundles[1])?];
    let running = stage.start_guarded(envoy, &bundles[0], shape)?;
    let started = kilobytes(&running)?;
    let (mut effect, mut stall, mut done) = (Series::default(), Series::default(), Series::default());
    let mut memory = Vec::new();
    for push in 1..=pushes {
        let next = &configurations[(push % 2) as usize];
        let seen = watch(&running, push % 2 == 0, || {
            let started = Instant::now();
            ensure!(running.envoy.push(next)?.accepted(), "the policy was refused");
            Ok(started.elapsed())
        })?;
        effect.0.push(seen.effect.as_secs_f64() * 1e3);
        stall.0.push(seen.stall.as_secs_f64() * 1e3);
        done.0.push(seen.done.as_secs_f64() * 1e3);
        memory.push(kilobytes(&running)?);
    }
    let mebibytes = |kilobytes: f64| kilobytes / 1024.0;
    report.add_exact("configuration", &name, "bytes", configurations[0].len() as f64);
    report.add("in force after", &name, "ms", &effect);
    report.add("on all workers, as Envoy says", &name, "ms", &done);
    report.add("worker stands still, median of the pushes", &name, "ms", &stall);
    let longest = stall.0.iter().copied().fold(0.0, f64::max);
    report.add_exact("worker stands still, longest", &name, "ms", longest);
    report.add_exact("memory of Envoy, at start", &name, "MiB", mebibytes(started));
    for push in [1, pushes / 2, pushes] {
        let then = memory
            .get(push.saturating_sub(1) as usize)
            .context("there were pushes")?;
        let what = format!("memory of Envoy, grown after push {push}");
        report.add_exact(&what, &name, "MiB", mebibytes(then - started));
    }
    if shape == Shape::cluster(10_000, 100_000) {
        let at_most = |limit: f64, text| Wanted::AtMost(limit, text);
        report.add_ratio("stall in ms, 10k / 100k", &stall, at_most(60.0, "≤ 60"));
    }
    if configurations[0].len() < 64 * 1024 {
        report.add_ratio(
            "in force in ms, bundle under 64 kB",
            &effect,
            Wanted::AtMost(10.0, "≤ 10"),
        );
    }
    Ok(())
}

/// Memory of the process.
fn kilobytes(running: &Running) -> Result<f64> {
    Ok(running.envoy.resident_kilobytes()? as f64)
}

/// The path that policies with an even number allow, and those with an odd one do not.
const FLIP: &str = "/flip";

/// The bundle, in which the asked policy also allows a path that depends on the number.
fn flipping(mut bundle: Bundle, shape: Shape, number: u32) -> Bundle {
    let path = if number == 0 { FLIP } else { "/flop" };
    let policy = bundle.policies.get_mut(shape.asked() as usize);
    let rules = policy.into_iter().flat_map(|policy| &mut policy.rules);
    let ports = rules
        .flat_map(|rule| &mut rule.ingress)
        .filter_map(|element| element.ports.as_mut())
        .flatten();
    for port in ports {
        if let Some(L7Rules::Http(rules)) = &mut port.rules {
            rules.push(HttpRule {
                path: Some(path.into()),
                ..HttpRule::default()
            });
        }
    }
    bundle
}

/// What a client saw of a push.
struct Seen {
    /// From the publication to the first answer by the new policy.
    effect: Duration,
    /// The longest time that an answer took.
    stall: Duration,
    /// From the publication until Envoy says that every worker has it.
    done: Duration,
}

/// One probe.
struct Probe {
    sent: Instant,
    answered: Instant,
    allowed: bool,
}

/// Probes while `push` publishes. Afterwards the path is allowed, or not.
fn watch(running: &Running, allowed: bool, push: impl FnOnce() -> Result<Duration>) -> Result<Seen> {
    let over = AtomicBool::new(false);
    let address = running.http;
    thread::scope(|scope| {
        let probes = scope.spawn(|| probe(address, &over));
        thread::sleep(AFTER);
        let published = Instant::now();
        let done = push();
        thread::sleep(AFTER);
        over.store(true, Ordering::Relaxed);
        let probes = probes.join().map_err(|_| anyhow!("the prober panicked"))??;
        let after: Vec<&Probe> = probes.iter().filter(|probe| probe.answered >= published).collect();
        let first = after.iter().find(|probe| probe.allowed == allowed);
        let first = first.context("the new policy never decided")?;
        let stall = after.iter().map(|probe| probe.answered - probe.sent).max();
        Ok(Seen {
            effect: first.answered - published,
            stall: stall.unwrap_or_default(),
            done: done?,
        })
    })
}

/// Sends the same request on one connection until it is over.
fn probe(address: std::net::SocketAddr, over: &AtomicBool) -> Result<Vec<Probe>> {
    let mut client = HttpClient::connect("127.0.0.1".parse()?, address, TIMEOUT)?;
    let request = Request::new("GET", FLIP, "web");
    let mut probes = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let sent = Instant::now();
        let response = client.send(&request)?;
        let answered = Instant::now();
        ensure!(
            [200, 403].contains(&response.status),
            "the probe got {}",
            response.status
        );
        probes.push(Probe {
            sent,
            answered,
            allowed: response.status == 200,
        });
        thread::sleep(PERIOD.saturating_sub(answered - sent));
    }
    Ok(probes)
}

//! Instructions instead of time: callgrind counts those of one question, which no neighbour on the machine can change.
//!
//! This program runs itself under `valgrind`, which counts only inside [`repeat_question`].

use std::env;
use std::hint::black_box;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use crate::engine::Asked;
use crate::report::{Report, Wanted};
use crate::sampler::Series;
use crate::world::{Path, Shape};

/// How often the counted question is asked.
const TIMES: u32 = 1_000;

/// One question, to be asked many times.
#[derive(clap::Args)]
pub(crate) struct Ask {
    /// How many policies
    #[arg(long)]
    policies: u32,
    /// How many identities
    #[arg(long)]
    identities: u32,
    /// What to ask
    #[arg(long)]
    question: Question,
    /// How often
    #[arg(long, default_value_t = TIMES)]
    times: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Question {
    /// About a connection that was asked about before
    Connection,
    /// About a request that a prefix allows
    Request,
}

impl Ask {
    /// Asks.
    pub(crate) fn run(&self) -> Result<()> {
        let world = Asked::new(Shape::cluster(self.policies, self.identities))?;
        let (peer, request) = (world.peer(), world.request(Path::Prefix));
        let admission = world.admit(peer);
        match self.question {
            Question::Connection => repeat_question(self.times, || drop(black_box(world.admit(peer).verdict()))),
            Question::Request => repeat_question(self.times, || drop(black_box(admission.request(None, &request)))),
        }
        Ok(())
    }
}

/// Its name is what callgrind looks for.
#[inline(never)]
fn repeat_question(times: u32, mut ask: impl FnMut()) {
    for _ in 0..times {
        ask();
    }
}

/// Adds the instructions of repeated questions in two worlds; nothing but a note without valgrind.
pub(crate) fn measure(report: &mut Report, small: Shape, large: Shape, wanted: Wanted) -> Result<()> {
    if !has_valgrind() {
        eprintln!("instructions are not counted: no valgrind");
        return Ok(());
    }
    for question in [Question::Connection, Question::Request] {
        let [few, many] = [count(small, question)?, count(large, question)?];
        let group = match question {
            Question::Connection => "connection, again: instructions",
            Question::Request => "request, prefix: instructions",
        };
        report.add_exact(group, &small.name(), "", few);
        report.add_exact(group, &large.name(), "", many);
        let name = format!("{group}: {} over {}", large.name(), small.name());
        report.add_ratio(&name, &Series(vec![many / few]), wanted);
    }
    Ok(())
}

fn has_valgrind() -> bool {
    let mut command = Command::new("valgrind");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Instructions for one question.
fn count(shape: Shape, question: Question) -> Result<f64> {
    let question = question.to_possible_value().context("every question has a name")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*repeat_question*")
        .arg(env::current_exe()?)
        .args(["ask", "--question", question.get_name()])
        .args(["--policies", &shape.policies.to_string()])
        .args(["--identities", &shape.identities.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind: {said}");
    // `==123== Collected : 45678`
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    let (_, collected) = collected.with_context(|| format!("valgrind counted nothing: {said}"))?;
    let collected: f64 = collected.trim().parse()?;
    ensure!(collected > 0.0, "valgrind found no `repeat_question`");
    Ok(collected / f64::from(TIMES))
}

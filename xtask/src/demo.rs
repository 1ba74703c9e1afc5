//! `cargo xtask demo`: the policies of `examples/empire`, enforced by a real Envoy while they change.
//!
//! Nothing in it is canned: applications, DNS server and Envoy are processes, policies go through the command line tool
//! and reach the running Envoy as operators would push them, and each row of the table is a request that was sent.
//! A row agrees only if the client saw what was expected *and* Envoy's own access log says that the plugin decided so.

mod claim;
mod client;
mod evidence;
mod keep;
mod manifest;
mod policy;
mod programs;
mod report;
mod servers;
mod stages;
mod world;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use clap::builder::PossibleValuesParser;
use envoy_e2e::ecds;
use envoy_e2e::run::{EnvoyProcess, Options, artefact};

use self::claim::{Because, Claim, Connection, Request, To};
use self::client::{Clients, Trace};
use self::evidence::Evidence;
use self::policy::{BROKEN, Compiler};
use self::programs::Programs;
use self::report::{Report, Row, seconds};
use self::stages::{BREAK_AFTER, STAGES, STILL_IN_FORCE, Stage};
use self::world::World;
use crate::workspace::Workspace;
use crate::{envoy, wasm};

/// Points to a plugin to use instead of the one that the demo builds.
const PLUGIN_OVERRIDE: &str = "PORTCULLIS_WASM";

/// Options of `cargo xtask demo`.
#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Show one stage only
    #[arg(long, value_name = "STAGE", value_parser = PossibleValuesParser::new(STAGES.map(|stage| stage.id)))]
    stage: Option<String>,
    /// Leave everything running afterwards, and say what can be tried
    #[arg(long)]
    keep: bool,
    /// Say for each row why it is expected, and what Envoy logged
    #[arg(short, long)]
    verbose: bool,
}

/// Runs the task. It fails if any row is not as expected.
pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    let plugin = plugin(workspace)?;
    let envoy = envoy::provide_pinned(workspace)?;
    let programs = Programs::build(workspace)?;

    let mut report = Report::new(args.verbose);
    let world = World::read(&Compiler::manifests(workspace))?;
    // First of all, because it fails when another demo is running, which the rest would disturb.
    let servers = world.start(&programs.empire_world)?;
    let dir = workspace.path("target/demo");
    empty_folder(&dir)?;
    let compiler = Compiler {
        workspace,
        portcullis: programs.portcullis,
        dir: dir.clone(),
    };
    let node = world.node(&plugin, &dir)?;
    ecds::write(&node, compiler.compile(&STAGES[0])?.as_bytes())?;
    let started = Instant::now();
    let envoy = EnvoyProcess::start(&envoy, node, &dir, &Options::default())?;
    report.note(&format!(
        "\n{} servers and one Envoy with {} listeners, ready after {}; Envoy's files: {}",
        servers.count(),
        envoy.node().listeners.len(),
        seconds(started.elapsed()),
        dir.display()
    ));

    let mut demo = Demo {
        clients: Clients::new(&world),
        world: &world,
        envoy: &envoy,
        compiler: &compiler,
        report: &mut report,
    };
    let wanted = |stage: &&Stage| args.stage.as_ref().is_none_or(|id| stage.id == id);
    let stages: Vec<&Stage> = STAGES.iter().filter(wanted).collect();
    for stage in &stages {
        demo.show(stage)?;
    }
    let as_expected = report.summary(stages.len());
    if let (true, Some(last)) = (args.keep, stages.last()) {
        keep::keep(&world, &envoy, &compiler, last)?;
    }
    ensure!(as_expected, "not everything was as expected");
    Ok(())
}

/// The plugin: the one that the environment names, or a fresh build.
fn plugin(workspace: &Workspace) -> Result<PathBuf> {
    if env::var_os(PLUGIN_OVERRIDE).is_none() {
        let fault_injection = false;
        wasm::run(workspace, wasm::Args { fault_injection })?;
    }
    artefact::plugin()
}

/// An empty folder, whatever was there.
fn empty_folder(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("cannot empty {}", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

/// Everything that runs.
struct Demo<'a> {
    clients: Clients<'a>,
    world: &'a World,
    envoy: &'a EnvoyProcess,
    compiler: &'a Compiler<'a>,
    report: &'a mut Report,
}

impl Demo<'_> {
    /// Brings a stage into force and checks its claims.
    fn show(&mut self, stage: &Stage) -> Result<()> {
        let configuration = self.compiler.compile(stage)?;
        let (pushed, took) = policy::push(self.envoy, &configuration)?;
        if !pushed.accepted() {
            bail!(
                "Envoy refused the policy of stage {}: {pushed:?}\n{}",
                stage.id,
                self.envoy.log()?
            );
        }
        let remarks = [
            Compiler::command_line(stage),
            format!("pushed to the running Envoy, in force after {} ms", took.as_millis()),
        ];
        self.report
            .heading(&format!("Stage {}  {}", stage.id, stage.title), &remarks);
        self.check(stage.claims)?;
        if stage.id == BREAK_AFTER {
            self.show_broken(&configuration)?;
        }
        Ok(())
    }

    /// Pushes policies that must be refused, and checks that nothing has changed.
    fn show_broken(&mut self, good: &str) -> Result<()> {
        self.report.heading("Broken policies  what was in force stays", &[]);
        for broken in &BROKEN {
            let (pushed, _) = policy::push(self.envoy, &broken.make(good))?;
            let seen = policy::answer(pushed);
            let counted = format!("update_rejected: {}", policy::refusals(self.envoy)?);
            self.report.row(&Row {
                from: "operator",
                what: &format!("push {}", broken.what),
                expected: &"refused",
                seen: &seen,
                decided_by: &counted,
                confirmed: seen == "refused",
                because: Because::Follows("what cannot be understood whole is not enforced in part"),
                log_line: "",
            });
        }
        self.check(STILL_IN_FORCE)
    }

    fn check(&mut self, claims: &[Claim]) -> Result<()> {
        for claim in claims {
            if self.clients.lacks_connection(claim) {
                self.report.leave_out();
                continue;
            }
            let since = self.envoy.access_log()?.len();
            let outcome = self.clients.send(claim, since)?;
            let evidence = Evidence::of(self.envoy, &outcome)?;
            self.report.row(&Row {
                from: claim.from.rsplit('/').next().unwrap_or(claim.from),
                what: &label(self.world, &claim.request, outcome.trace)?,
                expected: &claim.expect,
                seen: &outcome.seen,
                decided_by: &evidence.decided_by(),
                confirmed: evidence.confirms(claim.expect, &outcome.seen),
                because: claim.because,
                log_line: &evidence.line(),
            });
        }
        Ok(())
    }
}

/// A request as people would write it down.
fn label(world: &World, request: &Request, trace: Trace) -> Result<String> {
    let (host, remark) = match request.to {
        To::Pod(pod) => (world.pod(pod)?.to_string(), String::new()),
        To::Name(name) => (name.to_owned(), String::new()),
        To::Lie(name, host) => (name.to_owned(), format!(" as Host: {host}")),
    };
    let method = match request.method {
        "GET" => String::new(),
        other => format!("{other} "),
    };
    let port = match request.port {
        80 => String::new(),
        other => format!(":{other}"),
    };
    let kept = match request.connection {
        Connection::Fresh => String::new(),
        Connection::Kept => format!(" (kept, request {})", trace.requests),
    };
    Ok(format!("{method}{host}{port}{}{remark}{kept}", request.path))
}

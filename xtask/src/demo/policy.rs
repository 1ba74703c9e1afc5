//! Policies on their way to Envoy: compiled by the command line tool, published in the folder that Envoy watches.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use envoy_e2e::ecds::Layer;
use envoy_e2e::run::{Answer, EnvoyProcess, Pushed};

use super::stages::Stage;
use crate::cmd;
use crate::workspace::Workspace;

/// The manifests of the example.
const EXAMPLE: &str = "examples/empire";

/// Compiles the policy of each stage.
pub(super) struct Compiler<'a> {
    pub(super) workspace: &'a Workspace,
    /// The command line tool.
    pub(super) portcullis: PathBuf,
    /// Where the results go.
    pub(super) dir: PathBuf,
}

/// A policy that must not come into force.
pub(super) struct Broken {
    /// What is wrong with it.
    pub(super) what: &'static str,
    make: fn(&str) -> String,
}

/// Policies with something wrong, made of one that is right.
pub(super) const BROKEN: [Broken; 3] = [
    Broken {
        what: "a configuration that was cut in half",
        make: |good| good.chars().take(good.chars().count() / 2).collect(),
    },
    Broken {
        what: "a configuration of a version that does not exist",
        make: |_| r#"{"version":999,"bundle":{"version":1}}"#.to_owned(),
    },
    Broken {
        what: "a setting that nobody knows",
        make: |_| r#"{"version":1,"bundle":{"version":1},"allow_everything":true}"#.to_owned(),
    },
];

impl Compiler<'_> {
    /// The manifests of the cluster.
    pub(super) fn manifests(workspace: &Workspace) -> PathBuf {
        workspace.path(EXAMPLE).join("world.yaml")
    }

    /// The command that makes a stage's plugin configuration, as a line to repeat.
    pub(super) fn command_line(stage: &Stage) -> String {
        format!(
            "portcullis compile -f {EXAMPLE}/world.yaml -f {EXAMPLE}/stages/{} --plugin-config listener",
            stage.file
        )
    }

    /// The plugin configuration of a stage.
    pub(super) fn compile(&self, stage: &Stage) -> Result<String> {
        let output = self.dir.join(stage.file).with_extension("json");
        let mut portcullis = self.workspace.command(&self.portcullis);
        // What a shell would make of the line that people are shown.
        portcullis
            .args(Self::command_line(stage).split(' ').skip(1))
            .arg("--output")
            .arg(&output);
        run_quietly(&mut portcullis)?;
        fs::read_to_string(&output).with_context(|| format!("cannot read {}", output.display()))
    }
}

impl Broken {
    /// The broken one.
    pub(super) fn make(&self, good: &str) -> String {
        (self.make)(good)
    }
}

/// Publishes a plugin configuration to a running Envoy; what it made of it, and how long that took.
pub(super) fn push(envoy: &EnvoyProcess, configuration: &str) -> Result<(Pushed, Duration)> {
    let started = Instant::now();
    let pushed = envoy.push(configuration.as_bytes())?;
    Ok((pushed, started.elapsed()))
}

/// How many publications each kind of filter has refused, by Envoy's own count.
pub(super) fn refusals(envoy: &EnvoyProcess) -> Result<String> {
    let stats = envoy.admin().stats()?;
    let count = |layer: Layer| {
        let name = format!("{}.update_rejected", layer.stat_prefix());
        format!("{} {}", layer.resource_name(), stats.get(&name).unwrap_or(&0))
    };
    Ok(Layer::ALL.map(count).join(", "))
}

/// What became of a publication, in a word.
pub(super) fn answer(pushed: Pushed) -> &'static str {
    match (pushed.network, pushed.http) {
        (Answer::Accepted, None | Some(Answer::Accepted)) => "in force",
        (Answer::Rejected, None | Some(Answer::Rejected)) => "refused",
        _ => "unclear",
    }
}

/// Like [`cmd::run`], but the command line shows only in the error: the table has a line for it already.
fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("cannot start: {}", cmd::render(command)))?;
    ensure!(
        output.status.success(),
        "{}\n{}; repeat with: {}",
        String::from_utf8_lossy(&output.stderr).trim_end(),
        output.status,
        cmd::render(command)
    );
    Ok(())
}

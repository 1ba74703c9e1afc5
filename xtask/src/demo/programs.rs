//! The programs that the demo runs, built as anybody would build them.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::cmd;
use crate::workspace::Workspace;

/// Where the programs are.
pub(super) struct Programs {
    /// The compiler of policies.
    pub(super) portcullis: PathBuf,
    /// The player of applications and DNS servers.
    pub(super) empire_world: PathBuf,
}

impl Programs {
    /// Builds both.
    pub(super) fn build(workspace: &Workspace) -> Result<Self> {
        let mut cargo = workspace.cargo("build");
        cargo.args([
            "--locked",
            "--package",
            "portcullis",
            "--package",
            "envoy-e2e",
            "--bins",
            // The demo asks Envoy, not wasmtime, and that is most of what there is to build.
            "--no-default-features",
        ]);
        cargo.args(["--message-format", "json-render-diagnostics"]);
        eprintln!("$ {}", cmd::render(&cargo));
        let output = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
        ensure!(
            output.status.success(),
            "{}; repeat with: {}",
            output.status,
            cmd::render(&cargo)
        );
        let messages = String::from_utf8(output.stdout)?;
        let find = |name: &str| executable(&messages, name).with_context(|| format!("cargo built no `{name}`"));
        Ok(Self {
            portcullis: find("portcullis")?,
            empire_world: find("empire-world")?,
        })
    }
}

/// What cargo says about each artefact; its other messages have neither field.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// The path of a program: target folders differ from machine to machine.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let mut named = messages.filter(|message| message.target.as_ref().is_some_and(|target| target.name == name));
    named.find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_program_among_the_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"portcullis"},"executable":null}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","target":{"name":"portcullis"},"executable":"/t/debug/portcullis"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(executable(messages, "portcullis"), Some("/t/debug/portcullis".into()));
        assert_eq!(executable(messages, "empire-world"), None);
    }
}

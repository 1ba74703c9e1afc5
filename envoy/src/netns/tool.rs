//! Running the programs that set networks up.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Runs `command` with this input; the error says what it said.
pub(super) fn run(command: &mut Command, input: &str) -> Result<Output> {
    let described = || format!("{command:?}").replace('"', "");
    let name = described();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("could not run: {name}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it read everything says why itself.
        drop(stdin.write_all(input.as_bytes()));
    }
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{name}: {}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim(),
        if input.is_empty() {
            String::new()
        } else {
            format!("; its input was:\n{input}")
        },
    );
    Ok(output)
}

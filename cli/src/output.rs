//! What people and programs get to see.

mod diagnostics;
mod shell;
mod style;
mod table;
mod wrap;

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use serde::Serialize;

pub(crate) use diagnostics::{Summary, render};
pub(crate) use shell::quoted;
pub(crate) use style::{Stream, Style};
pub(crate) use table::Table;
pub(crate) use wrap::wrap;

/// Prints a JSON document on standard output, indented, with a final line break.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text)
}

/// Prints on standard output. Unlike `print!`, a closed pipe is an error and not a panic.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .context("cannot write to standard output")
}

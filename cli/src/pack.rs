//! `pack`: a configuration of the plugin as Envoy gets it.

use std::{
    fs,
    io::{self, IsTerminal as _, Read as _, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use policy_core::packed::{self, Form};

use crate::{
    Outcome,
    args::{PackArgs, PackForm},
    input,
};

/// Writes the configuration with its bundle packed, or nothing if the bundle is wrong.
pub(crate) fn run(args: &PackArgs) -> Result<Outcome> {
    let json = read(args.configuration.as_deref())?;
    let form = match args.form {
        PackForm::Bytes => Form::Bytes,
        PackForm::Text => Form::Text,
    };
    match packed::configuration(&json, form) {
        Ok(packed) => write(args.output.as_deref(), &packed, args.form).map(|()| Outcome::Yes),
        Err(error) => {
            eprintln!("error: {error}");
            Ok(Outcome::No)
        }
    }
}

fn read(from: Option<&Path>) -> Result<Vec<u8>> {
    match from.filter(|path| !input::is_stdin(path)) {
        None => {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut bytes);
            read.context("cannot read standard input")?;
            Ok(bytes)
        }
        Some(path) => fs::read(path).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Exactly these bytes: what follows a packed bundle would belong to it.
fn write(to: Option<&Path>, bytes: &[u8], form: PackForm) -> Result<()> {
    if let Some(path) = to.filter(|path| !input::is_stdin(path)) {
        return fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()));
    }
    let mut output = io::stdout().lock();
    if form == PackForm::Bytes && output.is_terminal() {
        bail!("this is no text, and would upset a terminal: write it to a file with `-o`, or use `--form text`");
    }
    let written = output.write_all(bytes).and_then(|()| output.flush());
    written.context("cannot write to standard output")
}

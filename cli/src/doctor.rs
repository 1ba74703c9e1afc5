//! `doctor`: whether the listeners of a running Envoy are guarded as they should be.

mod admin;
mod capabilities;
mod checks;
mod envoy;
mod fault;
mod finding;
mod json;
mod plugin;
mod report;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use policy_core::Bundle;

use crate::{
    Outcome,
    args::{Color, DoctorArgs, Format},
    output::{Stream, Style, print, print_json},
};
use admin::Source;
use envoy::{Listener, Snapshot};
use report::Report;

/// Prints what is wrong, and each listener that should be guarded.
pub(crate) fn run(args: &DoctorArgs, color: Color) -> Result<Outcome> {
    let digest = match (&args.bundle, &args.digest) {
        (Some(path), _) => Some(digest_of(path)?),
        (None, digest) => digest.clone(),
    };
    let source = match &args.from {
        Some(folder) => Source::folder(folder),
        None => Source::admin(&args.admin),
    };
    let report = examine(&source.read()?, digest.as_deref(), args.all);
    match args.output {
        Format::Json => print_json(&report)?,
        Format::Text => print(&report.render(Style::new(color, Stream::Output)))?,
    }
    Ok(if report.healthy { Outcome::Yes } else { Outcome::No })
}

/// Looks at the listeners that want a guard, or at every one.
fn examine(snapshot: &Snapshot, digest: Option<&str>, every: bool) -> Report {
    let listeners = snapshot.listeners().into_iter();
    let listeners: Vec<Listener<'_>> = listeners.filter(|listener| every || listener.wants_guard()).collect();
    let findings = checks::all(snapshot, &listeners, digest);
    Report::new(snapshot, &listeners, findings.into_sorted())
}

/// The digest of a bundle in a file.
fn digest_of(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bundle = Bundle::from_json(&bytes).with_context(|| format!("{} is not a bundle", path.display()))?;
    bundle
        .digest
        .with_context(|| format!("{} has no digest", path.display()))
}

#[cfg(test)]
mod tests;

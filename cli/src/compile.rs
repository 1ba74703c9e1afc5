//! `compile`: the bundle, for proxies and for people.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use policy_core::Bundle;

use crate::{
    Outcome,
    args::{Color, CompileArgs, PluginDirection},
    input,
    output::{Stream, Style, print, render},
    policy,
};

/// Writes the bundle, or nothing if an object is invalid.
pub(crate) fn run(args: &CompileArgs, color: Color) -> Result<Outcome> {
    let mut compiled = policy::compile(&args.input, &[], args.workload.as_deref())?;
    compiled.bundle.options.audit = args.audit;
    eprint!("{}", render(&compiled.diagnostics, Style::new(color, Stream::Error)));
    if compiled.has_errors() {
        return Ok(Outcome::No);
    }
    let bundle = Bundle {
        digest: Some(compiled.bundle.content_digest()),
        ..compiled.bundle
    };
    let json = match args.plugin_config {
        None => bundle.to_json(),
        Some(direction) => plugin_configuration(direction, &bundle.to_json())?,
    };
    write(args.output.as_deref(), json)?;
    eprintln!("{}", describe(&bundle));
    Ok(Outcome::Yes)
}

/// What the plugin takes as configuration. The bundle goes in as it is, byte by byte.
fn plugin_configuration(direction: PluginDirection, bundle: &[u8]) -> Result<Vec<u8>> {
    let direction = direction.to_possible_value().context("every direction has a name")?;
    let head = format!(
        r#"{{"version":1,"direction":"{}","destination":"address","bundle":"#,
        direction.get_name()
    );
    Ok([head.as_bytes(), bundle, b"}"].concat())
}

fn write(to: Option<&Path>, mut json: Vec<u8>) -> Result<()> {
    json.push(b'\n');
    match to.filter(|path| !input::is_stdin(path)) {
        None => print(&String::from_utf8(json)?),
        Some(path) => fs::write(path, json).with_context(|| format!("cannot write {}", path.display())),
    }
}

fn describe(bundle: &Bundle) -> String {
    let counts = [
        ("policy", "policies", bundle.policies.len()),
        ("endpoint", "endpoints", bundle.endpoints.len()),
        ("identity", "identities", bundle.identities.len()),
        ("selector", "selectors", bundle.selectors.len()),
        ("service", "services", bundle.services.len()),
        ("name", "names", bundle.names.len()),
    ];
    let counts = counts.map(|(one, many, count)| format!("{count} {}", if count == 1 { one } else { many }));
    let audited = bundle
        .policies
        .iter()
        .filter(|policy| !policy.mode.is_enforce())
        .count();
    let audit = match (bundle.options.audit, audited) {
        (true, _) => "; all policies in audit mode".to_owned(),
        (false, 0) => String::new(),
        (false, 1) => "; 1 policy in audit mode".to_owned(),
        (false, count) => format!("; {count} policies in audit mode"),
    };
    format!(
        "{}: {}{audit}",
        bundle.digest.as_deref().unwrap_or_default(),
        counts.join(", ")
    )
}

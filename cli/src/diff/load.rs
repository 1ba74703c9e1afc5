//! A policy set: objects, or a bundle that was compiled from some.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use policy_core::Bundle;
use serde_json::Value;

use crate::{
    args::{DiffArgs, InputArgs},
    input::is_stdin,
    output::{Style, render},
    policy,
};

/// Reads what is at the path, together with the objects that belong to both sides. `None` if an object is invalid,
/// and then it says so.
pub(super) fn bundle(args: &DiffArgs, path: &Path, style: Style) -> Result<Option<Bundle>> {
    if let Some(bundle) = compiled(path)? {
        if !args.files.is_empty() {
            bail!("{} is a bundle, which is complete: leave out --file", path.display());
        }
        return Ok(Some(bundle));
    }
    let input = InputArgs {
        files: args
            .files
            .iter()
            .map(|file| file.as_path())
            .chain([path])
            .map(Path::to_owned)
            .collect(),
        namespace: args.namespace.clone(),
        cluster: args.cluster.clone(),
        validation: args.validation,
        fqdns: args.fqdns.clone(),
    };
    let compiled = policy::compile(&input, &[], None)?;
    eprint!("{}", render(&compiled.diagnostics, style));
    Ok((!compiled.has_errors()).then_some(compiled.bundle))
}

/// The bundle in a file, if that is what it is: one JSON object with a version, and no Kubernetes kind.
fn compiled(path: &Path) -> Result<Option<Bundle>> {
    if is_stdin(path) || !path.is_file() {
        return Ok(None);
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let Ok(Value::Object(fields)) = serde_json::from_slice(&bytes) else {
        return Ok(None);
    };
    if !fields.contains_key("version") || fields.contains_key("kind") {
        return Ok(None);
    }
    let bundle = Bundle::from_json(&bytes).map_err(|error| anyhow::anyhow!("{error}"));
    bundle
        .with_context(|| format!("{} is no bundle", path.display()))
        .map(Some)
}

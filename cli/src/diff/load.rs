//! A policy set: objects, or a bundle that was compiled from some.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use policy_core::Bundle;
use serde_json::Value;

use crate::{args::DiffArgs, input::is_stdin, output::Style, policy};

/// Reads what is at the path, together with the objects that belong to both sides. `None` if an object is invalid,
/// and then it says so.
pub(super) fn bundle(args: &DiffArgs, path: &Path, style: Style) -> Result<Option<Bundle>> {
    if let Some(bundle) = compiled(path)? {
        if !args.files.is_empty() {
            bail!("{} is a bundle, which is complete: leave out --file", path.display());
        }
        return Ok(Some(bundle));
    }
    let files: Vec<PathBuf> = args.files.iter().cloned().chain([path.to_owned()]).collect();
    policy::bundle_of(&files, &args.reading, style)
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

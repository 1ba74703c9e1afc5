//! What corpora expect.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::{Deserialize, Deserializer};

use crate::input::files_in;

/// What a line expects, besides the questions it asks.
#[derive(Deserialize, Debug)]
pub(super) struct Expectation {
    #[serde(default)]
    pub(super) name: String,
    /// What the line is about.
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// The objects that are not part of the policy; absent if the line does not say.
    pub(super) rejected: Option<Vec<String>>,
    #[serde(default)]
    pub(super) flows: Vec<FlowExpectation>,
}

/// What a flow expects.
#[derive(Deserialize, Debug)]
pub(super) struct FlowExpectation {
    /// `allow`, `deny` or `conflict`.
    pub(super) expect: String,
    /// `l3`, `l4`, `l7`, or null for none; absent if the flow does not say.
    #[serde(default, deserialize_with = "present")]
    pub(super) layer: Option<Option<String>>,
    /// Absent if the flow does not say.
    pub(super) proxied: Option<bool>,
    /// The authentication mode; absent if the flow does not say.
    #[serde(default, deserialize_with = "mode")]
    pub(super) auth: Option<String>,
}

/// `spire` is what corpora also call the mode `required`, by the way it is met.
fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let mode = Option::<String>::deserialize(deserializer)?;
    Ok(mode.map(|mode| if mode == "spire" { "required".into() } else { mode }))
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Expectation {
    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        Ok(serde_json::from_slice(text)?)
    }
}

/// The corpora that paths name: files, and the `.jsonl` files of folders.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut corpora = Vec::new();
    for path in paths {
        let found = if path.is_dir() {
            files_in(path, "jsonl")?
        } else {
            existing(path)?
        };
        if found.is_empty() {
            bail!("{} has no .jsonl file", path.display());
        }
        corpora.extend(found);
    }
    Ok(corpora)
}

fn existing(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_file() {
        bail!("{} does not exist", path.display());
    }
    Ok(vec![path.to_path_buf()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_tells_null_from_absent() {
        let line =
            br#"{"name":"a","flows":[{"expect":"deny","layer":null},{"expect":"allow","proxied":true}],"more":1}"#;
        let line = Expectation::parse(line).expect("a line");
        let layers: Vec<_> = line
            .flows
            .iter()
            .map(|flow| (flow.layer.clone(), flow.proxied))
            .collect();
        assert_eq!(layers, [(Some(None), None), (None, Some(true))]);
        assert!(line.rejected.is_none());
    }
}

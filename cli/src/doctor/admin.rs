//! Where the pages come from: Envoy's admin interface, or a folder with saved ones.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use ureq::{Agent, config::Config};

use super::{envoy::Snapshot, json::Json as _};

/// What one page may take. A big policy is shown once for each kind of filter.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest page. Far above what the plugin accepts as its configuration, in both kinds of filters and escaped.
const LARGEST: u64 = 1 << 30;

/// A page of the admin interface, and the file that holds it when saved.
struct Page {
    path: &'static str,
    file: &'static str,
}

const CONFIG: Page = page("/config_dump", "config_dump.json");
const LISTENERS: Page = page("/listeners?format=json", "listeners.json");
const STATS: Page = page("/stats?format=json&usedonly", "stats.json");
const SERVER: Page = page("/server_info", "server_info.json");

const fn page(path: &'static str, file: &'static str) -> Page {
    Page { path, file }
}

/// Where to read.
pub(super) enum Source {
    /// The admin interface at this address.
    Admin { address: String, agent: Agent },
    /// A folder.
    Folder(PathBuf),
}

impl Source {
    /// The admin interface at `address`, which is asked directly, whatever proxy the environment names.
    pub(super) fn admin(address: &str) -> Self {
        let config: Config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self::Admin {
            address: address.to_owned(),
            agent: config.new_agent(),
        }
    }

    /// A folder with saved pages.
    pub(super) fn folder(path: &Path) -> Self {
        Self::Folder(path.to_owned())
    }

    /// Reads all pages. What the server says about itself need not have been saved.
    pub(super) fn read(&self) -> Result<Snapshot> {
        Ok(Snapshot {
            config: self.page(&CONFIG)?,
            listeners: self.page(&LISTENERS)?,
            stats: stats(&self.page(&STATS)?),
            server: match self {
                Self::Folder(folder) if !folder.join(SERVER.file).exists() => Value::Null,
                _ => self.page(&SERVER)?,
            },
        })
    }

    fn page(&self, page: &Page) -> Result<Value> {
        match self {
            Self::Admin { address, agent } => get(agent, address, page.path)
                .with_context(|| format!("admin interface {address}: cannot read `{}`", page.path)),
            Self::Folder(folder) => {
                let path = folder.join(page.file);
                let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
            }
        }
    }
}

fn get(agent: &Agent, address: &str, path: &str) -> Result<Value> {
    let mut response = agent.get(format!("http://{address}{path}")).call()?;
    if response.status() != 200 {
        bail!(
            "the answer is {}; `admin.allow_paths` of Envoy's bootstrap may lack the path",
            response.status()
        );
    }
    let body = response.body_mut().with_config().limit(LARGEST).read_to_vec()?;
    serde_json::from_slice(&body).context("the answer is not JSON")
}

/// Counters and gauges; text and histograms are none.
fn stats(page: &Value) -> BTreeMap<String, u64> {
    let pairs = page.items("/stats");
    pairs
        .filter_map(|pair| Some((pair.get("name")?.as_str()?.to_owned(), pair.get("value")?.as_u64()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_numbers_are_statistics() {
        let page = json!({ "stats": [
            { "name": "counter", "value": 3 },
            { "name": "text", "value": "3" },
            { "histograms": {} },
        ] });
        assert_eq!(stats(&page), BTreeMap::from([("counter".to_owned(), 3)]));
    }
}

//! Envoy's admin interface.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::world::client::{self, Request};

/// How often something is looked at that is waited for.
pub(super) const POLL: Duration = Duration::from_millis(5);
/// What one admin request may take on a busy machine, or while Envoy reads a large policy.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A client of the admin interface.
#[derive(Clone, Copy, Debug)]
pub struct Admin {
    address: SocketAddr,
}

impl Admin {
    /// The interface at `address`.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// The body of a page.
    ///
    /// # Errors
    ///
    /// Envoy does not answer, or not with 200.
    pub fn get(&self, path: &str) -> Result<String> {
        let request = Request::new("GET", path, "admin").header("Connection", "close");
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let response = client::request(source, self.address, &request, TIMEOUT)
            .with_context(|| format!("admin interface: {path}"))?;
        ensure!(
            response.status == 200,
            "admin interface: {path} answers {}",
            response.status
        );
        Ok(response.text())
    }

    /// Whether Envoy is live and all its listeners are warm.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.get("/ready").is_ok_and(|body| body.trim() == "LIVE")
    }

    /// The names of the listeners that accept connections.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), or the page is not what it used to be.
    pub fn listeners(&self) -> Result<Vec<String>> {
        let page: Value = serde_json::from_str(&self.get("/listeners?format=json")?)?;
        let statuses = page.get("listener_statuses").and_then(Value::as_array);
        let names = statuses
            .into_iter()
            .flatten()
            .filter_map(|status| status.get("name")?.as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// The configuration as Envoy sees it.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn config_dump(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.get("/config_dump")?)?)
    }

    /// All counters and gauges. Names of histograms and text values are not among them.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn stats(&self) -> Result<BTreeMap<String, u64>> {
        let page = self.get("/stats")?;
        let pairs = page.lines().filter_map(|line| line.split_once(": "));
        Ok(pairs
            .filter_map(|(name, value)| Some((name.into(), value.parse().ok()?)))
            .collect())
    }

    /// One counter or gauge; nothing if Envoy does not know it (yet).
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub fn stat(&self, name: &str) -> Result<Option<u64>> {
        Ok(self.stats()?.get(name).copied())
    }

    /// Waits until a counter or gauge is as wanted, and returns it.
    ///
    /// # Errors
    ///
    /// It is not after `timeout`; the error says what it was last.
    pub fn wait_for_stat(&self, name: &str, wanted: impl Fn(u64) -> bool, timeout: Duration) -> Result<u64> {
        let deadline = Instant::now() + timeout;
        loop {
            let value = self.stat(name)?;
            if let Some(value) = value.filter(|&value| wanted(value)) {
                return Ok(value);
            }
            if Instant::now() >= deadline {
                match value {
                    Some(value) => bail!("`{name}` is still {value}"),
                    None => bail!("there is no `{name}`"),
                }
            }
            sleep(POLL);
        }
    }
}

//! Starting and ending Envoy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::admin::{Admin, POLL};
use super::artefact;
use super::push::{Applied, Pushed, Watched};
use crate::config::Node;
use crate::ecds;

/// How Envoy is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Worker threads. Each has its own VM, so two are the least that shows what differs between workers.
    pub concurrency: u32,
    /// Envoy's log level: `warning`, `info`, `debug`, …
    pub log_level: String,
    /// How long Envoy may take until it accepts connections. Compiling the plugin is most of it.
    pub start_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 2,
            log_level: "info".to_owned(),
            start_timeout: Duration::from_secs(60),
        }
    }
}

/// A running Envoy. Dropping it kills the process.
#[derive(Debug)]
pub struct EnvoyProcess {
    child: Child,
    node: Node,
    log: PathBuf,
    admin: Admin,
    applied: Applied,
}

impl EnvoyProcess {
    /// Starts `envoy` as `node`, with its bootstrap and log in the folder `dir`, and waits until every listener accepts
    /// connections. An Envoy that is older than the node says gets a configuration for its own version. Relative paths
    /// of the node start at `dir`, too. What the node reads must be published before:
    /// [`ecds::write`], or [`ecds::write_raw`].
    ///
    /// # Errors
    ///
    /// The description is invalid, nothing was published, or Envoy does not come up; the error holds the end of its log.
    pub fn start(envoy: &Path, node: Node, dir: &Path, options: &Options) -> Result<Self> {
        let version = node.envoy.min(artefact::version(envoy)?);
        let node = Node { envoy: version, ..node };
        let bootstrap = node.bootstrap()?.to_yaml()?;
        Self::start_with(envoy, node, &bootstrap, dir, options)
    }

    /// As [`start`](Self::start), with a bootstrap of `node` that was edited: for what no [`Node`] describes.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_with(envoy: &Path, node: Node, yaml: &str, dir: &Path, options: &Options) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        let bootstrap = dir.join("bootstrap.yaml");
        fs::write(&bootstrap, yaml)?;
        let log = dir.join("envoy.log");
        let child = Command::new(envoy)
            .arg("--config-path")
            .arg(&bootstrap)
            .arg("--log-path")
            .arg(&log)
            .args(["--log-level", &options.log_level])
            .args(["--concurrency", &options.concurrency.to_string()])
            // Several Envoys run side by side; and a reader of the access log does not wait for a full buffer.
            .args(["--disable-hot-restart", "--file-flush-interval-msec", "20"])
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("could not run {}", envoy.display()))?;
        let admin = Admin::new(node.admin);
        let mut process = Self {
            child,
            node,
            log,
            admin,
            applied: Applied::default(),
        };
        process.wait_until_ready(options.start_timeout)?;
        process.applied = Applied::at_start(&process.watched())?;
        Ok(process)
    }

    /// What this Envoy was started as.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The admin interface: statistics, configuration.
    #[must_use]
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// What Envoy logged so far.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn log(&self) -> Result<String> {
        fs::read_to_string(&self.log).with_context(|| self.log.display().to_string())
    }

    /// Waits until Envoy logged `text`; it writes its log with a delay.
    ///
    /// # Errors
    ///
    /// It did not within `timeout`; the error holds the end of the log.
    pub fn wait_for_log(&self, text: &str, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        while !self.log()?.contains(text) {
            if Instant::now() >= deadline {
                bail!("`{text}` is not in the log:\n{}", self.log_end());
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// The access log so far: one object for each connection and each request that ended.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or a line is no JSON.
    pub fn access_log(&self) -> Result<Vec<Value>> {
        self.json_lines(&self.node.access_log)
    }

    /// The flow log so far: one object for each verdict on what ended.
    ///
    /// # Errors
    ///
    /// The node has none, the file cannot be read, or a line is no JSON.
    pub fn flow_log(&self) -> Result<Vec<Value>> {
        let path = self.node.flow_log.as_deref().context("the node has no flow log")?;
        self.json_lines(path)
    }

    fn json_lines(&self, path: &Path) -> Result<Vec<Value>> {
        let path = self.log.with_file_name("").join(path);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        // The last line may be half written.
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let line = |line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}"));
        complete.lines().map(line).collect()
    }

    /// Waits for a line of the access log that is as wanted.
    ///
    /// # Errors
    ///
    /// There is none after `timeout`; the error holds the lines that are there.
    pub fn wait_for_access(&self, wanted: impl Fn(&Value) -> bool, timeout: Duration) -> Result<Value> {
        let deadline = Instant::now() + timeout;
        loop {
            let lines = self.access_log()?;
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            if Instant::now() >= deadline {
                bail!("no such line in the access log: {lines:#?}");
            }
            sleep(POLL);
        }
    }

    /// The number of the process, for what the system knows of it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How much memory the process has, `VmRSS` in kilobytes.
    ///
    /// # Errors
    ///
    /// The process ended, or this is not Linux.
    pub fn resident_kilobytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("no VmRSS in {path}"))
    }

    /// Publishes a plugin configuration, and returns what Envoy made of it once every worker uses it, or once it was
    /// refused.
    ///
    /// # Errors
    ///
    /// It could not be published, or Envoy did not react.
    pub fn push(&self, configuration: &[u8]) -> Result<Pushed> {
        let watched = self.watched();
        let node = Node {
            state_dir: watched.state_dir.clone(),
            ..self.node.clone()
        };
        self.applied
            .push(&watched, || Ok(ecds::write(&node, configuration).map(drop)?))
    }

    /// Publishes these documents, whatever they hold; otherwise as [`push`](Self::push).
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn push_raw(&self, network: &[u8], http: &[u8]) -> Result<Pushed> {
        let watched = self.watched();
        self.applied
            .push(&watched, || Ok(ecds::write_raw(&watched.state_dir, network, http)?))
    }

    fn watched(&self) -> Watched {
        Watched {
            admin: self.admin,
            state_dir: self.log.with_file_name("").join(&self.node.state_dir),
            http: self.node.speaks_http(),
            endpoints: self.node.judges_endpoints(),
        }
    }

    fn wait_until_ready(&mut self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("envoy ended, {status}:\n{}", self.log_end());
            }
            if self.admin.is_ready() && self.all_listening() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("envoy is not ready after {timeout:?}:\n{}", self.log_end());
            }
            sleep(POLL);
        }
    }

    fn all_listening(&self) -> bool {
        let Ok(listening) = self.admin.listeners() else {
            return false;
        };
        self.node
            .listeners
            .iter()
            .all(|listener| listening.contains(&listener.name))
    }

    /// What explains a failed start, most likely.
    fn log_end(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(15).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for EnvoyProcess {
    fn drop(&mut self) {
        // Either fails only when the process has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

//! The servers of the world, a process each: no thread of the demo could answer in their place.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::cmd;

/// Running servers. Dropping them ends their processes.
pub(super) struct Servers {
    program: PathBuf,
    running: Vec<Child>,
}

impl Servers {
    /// No server yet; `empire_world` is the program that plays them.
    pub(super) fn new(empire_world: &Path) -> Self {
        Self {
            program: empire_world.to_owned(),
            running: Vec::new(),
        }
    }

    /// An HTTP application that says in its answers that it is `name`.
    pub(super) fn start_app(&mut self, name: &str, address: SocketAddr) -> Result<()> {
        let arguments = [
            "app".to_owned(),
            address.to_string(),
            "--name".to_owned(),
            name.to_owned(),
        ];
        self.start(&arguments, address)
    }

    /// A DNS server that knows these names.
    pub(super) fn start_dns(&mut self, address: SocketAddr, names: &BTreeMap<String, IpAddr>) -> Result<()> {
        let records = names.iter().map(|(name, address)| format!("--record={name}={address}"));
        let arguments: Vec<String> = ["dns".to_owned(), address.to_string()]
            .into_iter()
            .chain(records)
            .collect();
        self.start(&arguments, address)
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    fn start(&mut self, arguments: &[String], address: SocketAddr) -> Result<()> {
        let mut command = Command::new(&self.program);
        // They end with their input, so an open pipe keeps them and our end, however it comes, ends them.
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command
            .spawn()
            .with_context(|| format!("cannot start: {}", cmd::render(&command)))?;
        self.running.push(child);
        let output = self.running.last_mut().and_then(|child| child.stdout.take());
        // The first line is the address, written when the server listens.
        let mut line = String::new();
        BufReader::new(output.context("the output is piped")?).read_line(&mut line)?;
        ensure!(
            line.trim() == address.to_string(),
            "no server on {address}; is another demo running?"
        );
        Ok(())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.running {
            // An error means that it has ended already.
            drop(cmd::kill(child));
        }
    }
}

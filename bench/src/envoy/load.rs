//! Traffic: requests on kept connections, requests on new ones, and connections without requests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::stage::Running;

/// How many clients there are at once.
const CLIENTS: u32 = 8;
/// How long a turn takes; wrk knows only whole seconds.
const TURN: Duration = Duration::from_secs(1);

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Requests one after the other on the same connections.
    Kept,
    /// A connection for each request.
    New,
    /// Connections with one byte there and back.
    Tcp,
}

impl Load {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Kept, Self::New, Self::Tcp];

    /// For tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kept => "request, kept connection",
            Self::New => "request, new connection",
            Self::Tcp => "TCP connection",
        }
    }

    /// Sends it for a moment; returns how many requests or connections were answered.
    pub(super) fn run(self, to: &Running) -> Result<u64> {
        match self {
            Self::Kept => wrk(to, "x-load: kept"),
            Self::New => wrk(to, "Connection: close"),
            Self::Tcp => connections(to),
        }
    }
}

fn wrk(to: &Running, header: &str) -> Result<u64> {
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &CLIENTS.to_string()])
        .args(["--duration", &TURN.as_secs().to_string(), "--header", header])
        .arg(format!("http://{}{}", to.http, to.path))
        .stdin(Stdio::null())
        .output()
        .context("wrk is not installed (Debian: wrk)")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk: {said}");
    ensure!(!said.contains("Non-2xx"), "not every request was allowed: {said}");
    // `  12345 requests in 1.00s, 1.23MB read`
    let requests = said.lines().find_map(|line| line.split_once(" requests in "));
    let (requests, _) = requests.with_context(|| format!("wrk counts no requests: {said}"))?;
    let requests = requests.trim().parse()?;
    ensure!(requests > 0, "no request was answered: {said}");
    Ok(requests)
}

fn connections(to: &Running) -> Result<u64> {
    let end = Instant::now() + TURN / 2;
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let address = to.tcp;
            thread::spawn(move || {
                let mut answered = 0;
                while Instant::now() < end {
                    let mut connection = TcpStream::connect(address)?;
                    connection.write_all(b"x")?;
                    connection.read_exact(&mut [0])?;
                    answered += 1;
                }
                Ok::<u64, std::io::Error>(answered)
            })
        })
        .collect();
    let mut answered = 0;
    for client in clients {
        answered += client.join().map_err(|_| anyhow!("a client panicked"))??;
    }
    Ok(answered)
}

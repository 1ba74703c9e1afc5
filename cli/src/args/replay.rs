//! What `replay` takes.

use std::{num::NonZeroUsize, path::PathBuf, str::FromStr};

use clap::{ArgAction, Args, ValueEnum};

use super::{FailOn, Format, ReadingArgs};

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  portcullis replay -f examples/empire access.log --fail-on narrowing")]
pub(crate) struct ReplayArgs {
    /// A file or folder with objects, YAML or JSON, or `-` for standard input; may be repeated.
    #[arg(short, long = "file", required = true, action = ArgAction::Append, value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,
    /// Logs: JSON lines of Envoy's access log or of `hubble observe -o json`, gzipped or not; `-` for standard input.
    #[arg(required = true, value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// Judge policies in audit mode as if they were enforced. Without this they have no effect, as in a proxy.
    #[arg(long)]
    pub(crate) audit_as_enforced: bool,
    /// Whose policy is asked about lines that do not say it.
    #[arg(long, value_enum, default_value_t, value_name = "DIRECTION")]
    pub(crate) direction: AskedDirection,
    /// Where connections went: the `destination` of the plugin's configuration.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub(crate) destination: LoggedDestination,
    /// Envoy listens on port FROM for what policies call port TO; may be repeated.
    #[arg(long = "map-port", action = ArgAction::Append, value_name = "FROM=TO")]
    pub(crate) port_maps: Vec<PortMap>,
    /// Which changes make the exit status 1.
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub(crate) fail_on: FailOn,
    /// How many groups of changes to print as text.
    #[arg(long, default_value_t = 50, value_name = "NUMBER")]
    pub(crate) show: usize,
    /// How many threads read lines; as many as there are processors without it.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// Whose policy decided when the line was written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum AskedDirection {
    /// That of the destination.
    Ingress,
    /// That of the source.
    Egress,
    /// Both, each if its side is in the cluster.
    #[default]
    Both,
}

/// What an access log says of where a connection went.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum LoggedDestination {
    /// The address that the client connected to.
    #[default]
    Address,
    /// The name that the request asks for: Envoy resolves it. Only the policy of the source is asked.
    Authority,
    /// The endpoint that load balancing chose.
    Upstream,
}

/// A port on which Envoy listens, and what policies call it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PortMap {
    pub(crate) from: u16,
    pub(crate) to: u16,
}

impl FromStr for PortMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = |text: &str| text.parse().ok().filter(|port| *port != 0);
        let ports = text.split_once('=').map(|(from, to)| (port(from), port(to)));
        match ports {
            Some((Some(from), Some(to))) => Ok(Self { from, to }),
            _ => Err(format!("`{text}` is not of the form PORT=PORT")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_map_has_two_ports() {
        assert_eq!("20080=80".parse(), Ok(PortMap { from: 20080, to: 80 }));
        for (text, why) in [
            ("80", "one port"),
            ("=80", "nothing before it"),
            ("80=", "nothing after it"),
            ("0=80", "no port"),
            ("80=65536", "too large"),
            ("80=http", "a name"),
        ] {
            assert!(text.parse::<PortMap>().is_err(), "{text}: {why}");
        }
    }
}

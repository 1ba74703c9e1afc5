//! What every command that reads objects takes.

use std::{net::IpAddr, path::PathBuf, str::FromStr};

use clap::{ArgAction, Args, ValueEnum};

/// Where objects come from and how they are read.
#[derive(Args, Debug)]
pub(crate) struct InputArgs {
    /// Files or folders with objects, YAML or JSON, or `-` for standard input; may be repeated. A folder stands for
    /// its own `.yaml`, `.yml` and `.json` files.
    #[arg(short, long = "file", required = true, num_args = 1.., action = ArgAction::Append, value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
}

/// How objects are read.
#[derive(Args, Debug)]
pub(crate) struct ReadingArgs {
    /// The namespace of objects that need one and do not say which, as for kubectl.
    #[arg(short, long, value_name = "NS")]
    pub(crate) namespace: Option<String>,
    /// The name of the cluster.
    #[arg(long, default_value = "default", value_name = "NAME")]
    pub(crate) cluster: String,
    /// How strict to be.
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    pub(crate) validation: Validation,
    /// What DNS says of a name; may be repeated.
    #[arg(long = "fqdn", action = ArgAction::Append, value_name = "NAME=ADDR[,ADDR]")]
    pub(crate) fqdns: Vec<Name>,
}

/// How strict validation is.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Validation {
    /// What the agent refuses.
    Agent,
    /// What the agent or the API server refuses.
    #[default]
    Cluster,
}

/// A DNS name and its addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not of the form NAME=ADDRESS[,ADDRESS]");
        let (name, addresses) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(form)?;
        let address = |text: &str| text.parse().map_err(|_| format!("`{text}` is not an IP address"));
        Ok(Self {
            name: name.into(),
            addresses: addresses.split(',').map(address).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_addresses() {
        let read = |text: &str| text.parse::<Name>().map(|name| (name.name, name.addresses.len()));
        assert_eq!(read("cilium.io=104.198.14.52"), Ok(("cilium.io".into(), 1)));
        assert_eq!(read("a.b=1.2.3.4,::1"), Ok(("a.b".into(), 2)), "both versions");
        for (text, why) in [
            ("cilium.io", "no address"),
            ("cilium.io=", "an empty address"),
            ("=1.2.3.4", "no name"),
            ("a=1.2.3.4,", "an empty second address"),
            ("a=1.2.3.0/24", "a prefix is no address"),
        ] {
            assert!(read(text).is_err(), "{text}: {why}");
        }
    }
}

//! What must hold before a description becomes a configuration: everything is reported, nothing is repaired.

mod trust;
mod version;

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

pub use trust::TrustProblem;

use super::{Cluster, Direction, EnvoyVersion, IpRange, Listener, ListenerKind, Node, Route};

/// A description that would not do what it says, with all its problems.
#[derive(Debug, thiserror::Error)]
#[error("invalid node: {}", Joined(.0))]
pub struct InvalidNode(pub Vec<Problem>);

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The admin interface lets anyone in who reaches it.
    #[error("admin: `{0}` is not a loopback address")]
    AdminNotLoopback(SocketAddr),
    /// Names become parts of statistics, and `:` separates the verdict from the name in a cluster's name.
    #[error("{place}: `{name}` is not a name of letters, digits, `-`, `_` and `.`")]
    Name {
        /// `listeners` or `clusters`.
        place: &'static str,
        /// What was given.
        name: String,
    },
    /// Two of a kind with one name.
    #[error("{place}: `{name}` is there twice")]
    DuplicateName {
        /// `listeners`, `clusters`, or the listener whose names are meant.
        place: String,
        /// The repeated name.
        name: String,
    },
    /// Two listeners would bind it, and the kernel would share connections out between them.
    #[error("listeners: two bind `{0}`")]
    DuplicateAddress(SocketAddr),
    /// A listener sends to a cluster that is not described.
    #[error("listener `{listener}`: no cluster `{cluster}`")]
    UnknownCluster {
        /// The listener.
        listener: String,
        /// The missing cluster.
        cluster: String,
    },
    /// Every request would be answered with 503 or 404.
    #[error("{0}: empty, nothing could be reached")]
    Empty(String),
    /// An upstream name that is no lower-case host name, or an address in disguise.
    #[error("listener `{listener}`: `{name}` is not a lower-case host name")]
    HostName {
        /// The listener.
        listener: String,
        /// What was given.
        name: String,
    },
    /// Port 0 is nobody's.
    #[error("{0}: port 0")]
    PortZero(String),
    /// Names have no ingress policy: nobody could be asked.
    #[error("listener `{0}`: where Envoy resolves names, only egress can be judged")]
    NotEgress(String),
    /// The policy would be asked about one port, and another would be contacted.
    #[error("listener `{listener}`: port {judged} would be judged, and port {contacted} contacted")]
    PortDiffers {
        /// The listener.
        listener: String,
        /// What the policy would see.
        judged: u16,
        /// The upstream port.
        contacted: u16,
    },
    /// Every name could lead to every address of the cluster.
    #[error("cluster ranges: empty, names could lead anywhere")]
    NoRanges,
    /// Longer than an address.
    #[error("cluster ranges: `{0}` is longer than an address")]
    RangeLength(IpRange),
    /// Identities that nobody vouches for, or connections that are judged as what they are not.
    #[error("listener `{listener}`: {problem}")]
    Trust {
        /// The listener.
        listener: String,
        /// What is wrong with it.
        problem: TrustProblem,
    },
    /// A cluster that needs no description has one.
    #[error("clusters: `{0}` is the name for the address that the client meant")]
    ReservedName(String),
    /// Envoy would not start.
    #[error("listener `{listener}`: Envoy {version} {lacks}")]
    Version {
        /// The listener.
        listener: String,
        /// The Envoy that the configuration is for.
        version: EnvoyVersion,
        /// What is missing in it.
        lacks: &'static str,
    },
    /// Envoy counts zero as no limit at all.
    #[error("max_connection: less than one second")]
    MaxConnection,
}

/// Reports every problem of `node`.
pub(super) fn check(node: &Node) -> Result<(), InvalidNode> {
    let mut problems = Vec::new();
    if !node.admin.ip().is_loopback() {
        problems.push(Problem::AdminNotLoopback(node.admin));
    }
    check_names(
        "listeners",
        node.listeners.iter().map(|listener| &listener.name),
        &mut problems,
    );
    check_names(
        "clusters",
        node.clusters.iter().map(|cluster| &cluster.name),
        &mut problems,
    );
    let mut addresses = BTreeSet::new();
    for listener in &node.listeners {
        if !addresses.insert(listener.address) {
            problems.push(Problem::DuplicateAddress(listener.address));
        }
        check_listener(node, listener, &mut problems);
    }
    for cluster in &node.clusters {
        check_cluster(cluster, &mut problems);
    }
    check_ranges(node, &mut problems);
    if node.max_connection.as_secs() == 0 {
        problems.push(Problem::MaxConnection);
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(InvalidNode(problems))
    }
}

fn check_names<'a>(place: &'static str, names: impl Iterator<Item = &'a String>, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for name in names {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(allowed) {
            problems.push(Problem::Name {
                place,
                name: name.clone(),
            });
        }
        if !seen.insert(name) {
            problems.push(Problem::DuplicateName {
                place: place.into(),
                name: name.clone(),
            });
        }
    }
}

fn check_listener(node: &Node, listener: &Listener, problems: &mut Vec<Problem>) {
    let place = || format!("listener `{}`", listener.name);
    let named_port = listener.named_port();
    let ports = [Some(listener.address.port()), listener.logical_port, named_port];
    if ports.contains(&Some(0)) {
        problems.push(Problem::PortZero(place()));
    }
    if let Some(contacted) = named_port {
        check_named(node, listener, contacted, problems);
    }
    problems.extend(trust::problems(listener).map(|problem| Problem::Trust {
        listener: listener.name.clone(),
        problem,
    }));
    problems.extend(version::lacks(node.envoy, listener).map(|lacks| Problem::Version {
        listener: listener.name.clone(),
        version: node.envoy,
        lacks,
    }));
    match &listener.kind {
        ListenerKind::Http {
            route: Route::Cluster(cluster) | Route::Upstream(cluster),
        }
        | ListenerKind::Tcp { cluster }
        | ListenerKind::TcpUpstream { cluster } => {
            let described = node.clusters.iter().any(|described| described.name == *cluster);
            if !described && cluster != Cluster::ORIGINAL_DST {
                let (listener, cluster) = (listener.name.clone(), cluster.clone());
                problems.push(Problem::UnknownCluster { listener, cluster });
            }
        }
        ListenerKind::Http {
            route: Route::Names { names, .. },
        } => {
            check_hosts(&listener.name, names, problems);
        }
        ListenerKind::Http {
            route: Route::AnyName { .. },
        } => {}
    }
}

/// What holds where Envoy resolves names.
fn check_named(node: &Node, listener: &Listener, contacted: u16, problems: &mut Vec<Problem>) {
    if listener.direction != Direction::Egress {
        problems.push(Problem::NotEgress(listener.name.clone()));
    }
    let judged = listener.logical_port.unwrap_or(contacted);
    if judged != contacted && !node.stand_in_ports {
        problems.push(Problem::PortDiffers {
            listener: listener.name.clone(),
            judged,
            contacted,
        });
    }
}

fn check_ranges(node: &Node, problems: &mut Vec<Problem>) {
    let named = node.listeners.iter().any(|listener| listener.named_port().is_some());
    if named && node.cluster_ranges.is_empty() {
        problems.push(Problem::NoRanges);
    }
    let overlong = node.cluster_ranges.iter().filter(|range| !range.is_valid());
    problems.extend(overlong.map(|&range| Problem::RangeLength(range)));
}

fn check_hosts(listener: &str, names: &[String], problems: &mut Vec<Problem>) {
    if names.is_empty() {
        problems.push(Problem::Empty(format!("listener `{listener}`")));
    }
    let mut seen = BTreeSet::new();
    for name in names {
        if !is_host_name(name) {
            problems.push(Problem::HostName {
                listener: listener.into(),
                name: name.clone(),
            });
        }
        if !seen.insert(name) {
            let place = format!("listener `{listener}`");
            problems.push(Problem::DuplicateName {
                place,
                name: name.clone(),
            });
        }
    }
}

fn check_cluster(cluster: &Cluster, problems: &mut Vec<Problem>) {
    let place = || format!("cluster `{}`", cluster.name);
    if cluster.name == Cluster::ORIGINAL_DST {
        problems.push(Problem::ReservedName(cluster.name.clone()));
    }
    if cluster.endpoints.is_empty() {
        problems.push(Problem::Empty(place()));
    }
    if cluster.endpoints.iter().any(|endpoint| endpoint.port() == 0) {
        problems.push(Problem::PortZero(place()));
    }
}

/// Lower case, and a last label that starts with a letter, so that no spelling of an address is among them.
fn is_host_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let label = |label: &str| !label.is_empty() && label.chars().all(allowed);
    let last = name.rsplit('.').next().and_then(|last| last.chars().next());
    name.split('.').all(label) && last.is_some_and(|first| first.is_ascii_lowercase())
}

/// Problems in one line.
struct Joined<'a>(&'a [Problem]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

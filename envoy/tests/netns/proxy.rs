//! Envoy in a namespace.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use envoy_e2e::config::{IpRange, Listener, Node};
use envoy_e2e::ecds;
use envoy_e2e::netns::intercept::{ENVOY_GROUP, UPSTREAM_MARK};
use envoy_e2e::netns::{Inside, Namespace};
use envoy_e2e::run::{EnvoyProcess, Options};

use super::Binaries;

/// A running Envoy, and the network that it is in.
pub(crate) struct Proxy {
    process: Inside<EnvoyProcess>,
}

impl Proxy {
    /// Publishes `configuration` and starts `envoy` as `node` in `namespace`, with this text of the node's bootstrap.
    pub(crate) fn start(
        namespace: &Arc<Namespace>,
        envoy: &Path,
        node: &Node,
        bootstrap: &str,
        configuration: &str,
    ) -> Self {
        ecds::write(node, configuration.as_bytes()).unwrap();
        let dir = node.state_dir.parent().unwrap();
        let start = || EnvoyProcess::start_with(envoy, node.clone(), bootstrap, dir, &Options::default());
        Self {
            process: namespace.hold(start).unwrap(),
        }
    }

    /// Publishes another configuration, and waits until every worker uses it.
    pub(crate) fn push(&self, configuration: &str) {
        let pushed = self.process.run(|envoy| envoy.push(configuration.as_bytes())).unwrap();
        assert!(pushed.accepted(), "{pushed:?}\n{}", self.process.log().unwrap());
    }

    /// The process, for what needs no network: its log and access log.
    pub(crate) fn process(&self) -> &EnvoyProcess {
        &self.process
    }
}

/// Envoy with these listeners and its files in `dir`. The pods and services of all clusters here are inside for it.
pub(crate) fn node(binaries: &Binaries, dir: &Path, listeners: Vec<Listener>) -> Node {
    Node {
        envoy: binaries.version,
        id: "netns".into(),
        admin: SocketAddr::from(([127, 0, 0, 1], 9901)),
        plugin_wasm: binaries.plugin.clone(),
        state_dir: dir.join("state"),
        access_log: dir.join("access.log"),
        dns_resolver: None,
        cluster_ranges: vec![IpRange::v4([10, 200, 0, 0], 16), IpRange::v4([10, 96, 0, 0], 16)],
        listeners,
        clusters: vec![],
        ..Node::example()
    }
}

/// Envoy as it runs in a pod: with the group whose traffic is not intercepted. A script, because that is a matter of
/// how it is started.
pub(crate) fn in_envoy_group(binaries: &Binaries, dir: &Path) -> PathBuf {
    let script = dir.join("envoy-of-the-pod");
    let envoy = binaries.envoy.display();
    let text = format!("#!/bin/sh\nexec setpriv --regid {ENVOY_GROUP} --clear-groups '{envoy}' \"$@\"\n");
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

/// The bootstrap with listeners that call upstreams with the client's address, as `OriginalDst::Transparent` may.
pub(crate) fn with_sources_kept(bootstrap: &str) -> String {
    const ANCHOR: &str = "- name: envoy.filters.listener.original_dst\n";
    let filter = format!(
        "- {{name: envoy.filters.listener.original_src, typed_config: {{mark: {UPSTREAM_MARK}, \
         \"@type\": type.googleapis.com/envoy.extensions.filters.listener.original_src.v3.OriginalSrc}}}}\n"
    );
    let mut edited = String::new();
    for line in bootstrap.split_inclusive('\n') {
        if let Some(indent) = line.strip_suffix(ANCHOR) {
            edited += &(indent.to_owned() + &filter);
        }
        edited += line;
    }
    assert_ne!(edited, bootstrap, "no listener for intercepted traffic");
    edited
}

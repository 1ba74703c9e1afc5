//! The folder through which a running Envoy gets the plugin and its policy.
//!
//! ```text
//! state/network.json -> ..data/network.json     what the network filters read
//! state/http.json    -> ..data/http.json        what the HTTP filters read (another message type, same plugin)
//! state/..data       -> ..rev-7                 replaced by one atomic rename: both layers change as one
//! state/..rev-7/{network,http}.json
//! ```
//!
//! This is the layout that the kubelet gives a mounted ConfigMap, so a ConfigMap with these two keys works unchanged.

mod encoding;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use policy_core::packed::PackError;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::config::Node;
use crate::config::plugin::Response;
pub(crate) use encoding::Encoded;
pub use encoding::Encoding;

/// The two kinds of filter that the plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The network filter: connections and their bytes.
    Network,
    /// The HTTP filter: requests.
    Http,
}

/// As [`Layer::stat_prefix`], for the HTTP filters behind load balancing.
pub(crate) const UPSTREAM_STAT_PREFIX: &str = "extension_config_discovery.upstream_http_filter.portcullis-http";

/// Why nothing was published. What was published before is still there.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A `StringValue` holds UTF-8 only.
    #[error("the plugin configuration is not UTF-8; use the bytes encoding")]
    NotUtf8(#[from] std::string::FromUtf8Error),
    /// The bundle in it is wrong.
    #[error("the plugin configuration cannot be packed: {0}")]
    Pack(#[from] PackError),
    /// The document could not be written as JSON.
    #[error("the resource could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The folder could not be written.
    #[error("`{path}` could not be written")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Layer {
    /// Both, in the order in which they see a connection.
    pub const ALL: [Self; 2] = [Self::Network, Self::Http];

    /// The file that filters of this layer read.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Network => "network.json",
            Self::Http => "http.json",
        }
    }

    /// The name of the filter and of the resource, as in statistics.
    #[must_use]
    pub fn resource_name(self) -> &'static str {
        match self {
            Self::Network => "portcullis-network",
            Self::Http => "portcullis-http",
        }
    }

    /// What Envoy's statistics of the subscription start with.
    #[must_use]
    pub fn stat_prefix(self) -> String {
        let kind = match self {
            Self::Network => "network_filter",
            Self::Http => "http_filter",
        };
        format!("extension_config_discovery.{kind}.{}", self.resource_name())
    }

    pub(crate) fn message_type(self) -> &'static str {
        match self {
            Self::Network => "envoy.extensions.filters.network.wasm.v3.Wasm",
            Self::Http => "envoy.extensions.filters.http.wasm.v3.Wasm",
        }
    }
}

/// Publishes the plugin of `node` with this configuration in its state folder, which is made if it is missing.
/// Returns the version under which a running Envoy will report it. One process at a time may publish.
///
/// The configuration has its bundle in JSON, as people write it; it gets this version as its `revision` if it has none,
/// see [`with_revision`], and is packed as [`Node::encoding`] demands. What is packed already or is not for the plugin
/// goes out as it is.
///
/// # Errors
///
/// The bundle is wrong, the configuration is not UTF-8 for [`Encoding::String`], or the folder cannot be written.
pub fn write(node: &Node, configuration: &[u8]) -> Result<String, PublishError> {
    let version = (latest_revision(&node.state_dir) + 1).to_string();
    let configuration = with_revision(configuration, &version);
    let packed = node.encoding.pack(&configuration)?;
    let [network, http] = Layer::ALL.map(|layer| resource(node, layer, &packed, &version));
    write_raw(&node.state_dir, &network?, &http?)?;
    Ok(version)
}

/// The configuration with the member `revision`, so that it differs from all that were published before.
///
/// Envoy uses the root context of an earlier configuration again, without a word, if connections of its time live when
/// it returns. Connections of the time between would then not learn that their policy was taken back. What is not a
/// configuration of the plugin, packed or not, or has a revision of its own, stays as it is.
#[must_use]
pub fn with_revision<'a>(configuration: &'a [u8], revision: &str) -> Cow<'a, [u8]> {
    // A packed bundle behind the JSON begins with the first zero byte.
    let json = configuration.split(|byte| *byte == 0).next().unwrap_or_default();
    let members: Option<BTreeMap<String, IgnoredAny>> = serde_json::from_slice(json).ok();
    let lacks_one = members.is_some_and(|members| {
        let has_bundle = members.contains_key("bundle") || (json.len() < configuration.len() && !members.is_empty());
        has_bundle && !members.contains_key("revision")
    });
    match configuration.trim_ascii_start().strip_prefix(b"{") {
        Some(rest) if lacks_one => {
            let head = format!(r#"{{"revision":{},"#, Value::from(revision));
            Cow::Owned([head.as_bytes(), rest].concat())
        }
        _ => Cow::Borrowed(configuration),
    }
}

/// The document for one layer, with this configuration, packed as [`write()`] does, and no revision but its own.
///
/// # Errors
///
/// The bundle is wrong, or the configuration is not UTF-8 for [`Encoding::String`].
pub fn document(node: &Node, layer: Layer, configuration: &[u8], version: &str) -> Result<Vec<u8>, PublishError> {
    resource(node, layer, &node.encoding.pack(configuration)?, version)
}

/// The document for one layer, with exactly these bytes as configuration.
fn resource(node: &Node, layer: Layer, configuration: &[u8], version: &str) -> Result<Vec<u8>, PublishError> {
    let encoded = Encoded::new(node.encoding, configuration)?;
    let response = Response::new(layer, node, encoded, version);
    let mut json = serde_json::to_vec_pretty(&response)?;
    json.push(b'\n');
    Ok(json)
}

/// Publishes these bytes, whatever they are: for documents edited by hand, and for tests with broken ones.
///
/// # Errors
///
/// The folder cannot be written. Then what was published before is still in force.
pub fn write_raw(dir: &Path, network: &[u8], http: &[u8]) -> Result<(), PublishError> {
    let latest = latest_revision(dir);
    let revision = revision_name(latest + 1);
    let folder = dir.join(&revision);
    at(&folder, fs::create_dir_all(&folder))?;
    for (layer, bytes) in [(Layer::Network, network), (Layer::Http, http)] {
        let file = folder.join(layer.file_name());
        at(&file, fs::write(&file, bytes))?;
        let link = dir.join(layer.file_name());
        if !link.is_symlink() {
            at(&link, symlink(Path::new(DATA).join(layer.file_name()), &link))?;
        }
    }
    let (new, data) = (dir.join("..data.tmp"), dir.join(DATA));
    // Left over by a publisher that died before its rename.
    if new.is_symlink() {
        at(&new, fs::remove_file(&new))?;
    }
    at(&new, symlink(&revision, &new))?;
    at(&data, fs::rename(&new, &data))?;
    // Envoy may still be reading the previous revision; the one before it is out of use.
    if let Some(old) = latest.checked_sub(1) {
        let old = dir.join(revision_name(old));
        if old.exists() {
            at(&old, fs::remove_dir_all(&old))?;
        }
    }
    Ok(())
}

/// The link that decides which revision is in force.
const DATA: &str = "..data";
const REVISION: &str = "..rev-";

fn revision_name(revision: u64) -> String {
    format!("{REVISION}{revision}")
}

/// The revision in force; 0 if nothing was published yet.
fn latest_revision(dir: &Path) -> u64 {
    let target = fs::read_link(dir.join(DATA)).ok();
    let name = target.as_deref().and_then(Path::to_str);
    name.and_then(|name| name.strip_prefix(REVISION))
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, PublishError> {
    result.map_err(|source| PublishError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_of_the_plugin_get_a_revision() {
        for (text, expected, why) in [
            (
                r#"{"version":1,"bundle":{}}"#,
                r#"{"revision":"7","version":1,"bundle":{}}"#,
                "in front, so that the text of the bundle stays as it is",
            ),
            (
                "\n{ \"bundle\":1}",
                "{\"revision\":\"7\", \"bundle\":1}",
                "blanks do not matter",
            ),
            (
                r#"{"revision":1,"bundle":{}}"#,
                r#"{"revision":1,"bundle":{}}"#,
                "it has one already",
            ),
            (
                r#"{"version":1,"bundle":"AFBD"}"#,
                r#"{"revision":"7","version":1,"bundle":"AFBD"}"#,
                "packed as text",
            ),
            (
                "{\"version\":1}\0PC",
                "{\"revision\":\"7\",\"version\":1}\0PC",
                "packed as bytes",
            ),
            ("{}\0PC", "{}\0PC", "no version, which the plugin will say"),
            ("{}", "{}", "not for this plugin"),
            (r#"{"bundle":{}"#, r#"{"bundle":{}"#, "no JSON: the plugin will say so"),
            ("", "", "nothing"),
        ] {
            let found = with_revision(text.as_bytes(), "7");
            assert_eq!(String::from_utf8_lossy(&found), expected, "{why}");
        }
    }
}

//! A real Envoy with one listener of each kind, before it starts open to changes.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use envoy_e2e::{
    config::{
        Certificate, ClientCertificates, Cluster, Direction, Identity, Listener, ListenerKind, Node, OriginalDst,
        Route, ServerTls,
    },
    ecds::{self, Encoding, Layer},
    run::{EnvoyProcess, Options, artefact},
    world::{
        certs::{Authority, Names},
        net::Network,
    },
};
use serde_json::Value;
use tempfile::TempDir;

use crate::run::portcullis;

/// A running Envoy.
pub(super) struct World {
    envoy: EnvoyProcess,
    /// Envoy's files, for as long as it runs.
    _dir: TempDir,
}

/// What Envoy gets to read.
pub(super) struct Draft {
    pub(super) bootstrap: Value,
    /// What is published for each kind of filter.
    pub(super) network: Value,
    pub(super) http: Value,
    pub(super) dir: PathBuf,
}

impl World {
    /// Starts Envoy after these changes. Nothing after a loud message if there is no Envoy or no plugin, unless
    /// somebody requires them.
    pub(super) fn start(change: impl Fn(&mut Draft)) -> Option<Self> {
        let envoy = required("PORTCULLIS_REQUIRE_ENVOY", artefact::envoy())?;
        let plugin = required("PORTCULLIS_REQUIRE_WASM", artefact::plugin())?;
        let dir = tempfile::tempdir().expect("a folder");
        let node = node(&dir, plugin);
        let configuration = compile(&["--plugin-config", "listener"]);
        let [network, http] = Layer::ALL.map(|layer| {
            let document = ecds::document(&node, layer, configuration.as_bytes(), "1").expect("text");
            serde_json::from_slice(&document).expect("JSON")
        });
        let yaml = node.bootstrap().expect("a valid node").to_yaml().expect("YAML");
        let mut draft = Draft {
            bootstrap: serde_saphyr::from_str(&yaml).expect("YAML"),
            network,
            http,
            dir: dir.path().to_owned(),
        };
        change(&mut draft);
        let [network, http] = [&draft.network, &draft.http].map(|document| document.to_string().into_bytes());
        ecds::write_raw(&node.state_dir, &network, &http).expect("published");
        let options = Options {
            concurrency: 1,
            start_timeout: Duration::from_secs(60),
            ..Options::default()
        };
        let bootstrap = draft.bootstrap.to_string();
        let envoy = EnvoyProcess::start_with(&envoy, node, &bootstrap, dir.path(), &options).expect("an Envoy");
        Some(Self { envoy, _dir: dir })
    }

    /// Where the admin interface listens.
    pub(super) fn admin(&self) -> String {
        self.envoy.node().admin.to_string()
    }

    /// The names of the listeners, in order.
    pub(super) fn listeners(&self) -> Vec<String> {
        let listeners = self.envoy.node().listeners.iter();
        listeners.map(|listener| listener.name.clone()).collect()
    }

    /// Publishes a configuration of the plugin.
    pub(super) fn push(&self, configuration: &str) {
        self.envoy.push(configuration.as_bytes()).expect("an answer");
    }

    /// Publishes what nobody can read.
    pub(super) fn publish_garbage(&self) {
        self.envoy.push_raw(b"{", b"{").expect("an answer");
    }

    /// A page of the admin interface.
    pub(super) fn page(&self, path: &str) -> String {
        self.envoy.admin().get(path).expect("a page")
    }

    /// Sends this to a listener, and reads whatever comes back.
    pub(super) fn send(&self, listener: &str, bytes: &[u8]) {
        let mut listeners = self.envoy.node().listeners.iter();
        let listener = listeners.find(|known| known.name == listener).expect("a listener");
        let mut connection = TcpStream::connect(listener.address).expect("a connection");
        connection
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a time");
        // The connection may be closed already.
        let _ = connection
            .write_all(bytes)
            .and_then(|()| connection.read_to_end(&mut Vec::new()));
    }
}

/// A configuration of the plugin with its bundle packed as text.
pub(super) fn packed(configuration: &str) -> String {
    let packed = Encoding::String.pack(configuration.as_bytes()).expect("it packs");
    String::from_utf8(packed.into_owned()).expect("text")
}

/// Hands both layers their configuration as bytes.
pub(super) fn as_bytes(draft: &mut Draft) {
    let configuration = compile(&["--plugin-config", "listener"]);
    let bytes = Encoding::Bytes.pack(configuration.as_bytes()).expect("it packs");
    for document in [&mut draft.network, &mut draft.http] {
        let configuration = &mut document["resources"][0]["typed_config"]["config"]["configuration"];
        configuration["@type"] = "type.googleapis.com/google.protobuf.BytesValue".into();
        configuration["value"] = STANDARD.encode(&bytes).into();
    }
}

/// The digest of the policy that is published.
pub(super) fn digest() -> String {
    let bundle: Value = serde_json::from_str(&compile(&[])).expect("JSON");
    bundle["digest"].as_str().expect("text").to_owned()
}

/// What the compiler makes of the test data.
pub(super) fn compile(options: &[&str]) -> String {
    let output = portcullis(&[&["compile", "-f", "world.yaml", "policy.yaml"], options].concat());
    assert_eq!(output.status, 0, "{output:?}");
    output.stdout.trim_end().to_owned()
}

fn required(variable: &str, found: anyhow::Result<PathBuf>) -> Option<PathBuf> {
    match found {
        Ok(path) => Some(path),
        Err(error) if std::env::var_os(variable).is_some_and(|value| value == "1") => {
            panic!("{variable}=1, and {error:#}")
        }
        Err(error) => {
            // Not `eprintln!`, which is swallowed when the test passes.
            let _ = writeln!(std::io::stderr(), "NOT TESTED: {error:#}");
            None
        }
    }
}

/// `web` and `echo` go by addresses, `mesh` and `mesh-tcp` by certificates, `gateway` judges the endpoint.
fn node(dir: &TempDir, plugin: PathBuf) -> Node {
    let network = Network::new();
    let free = |host| network.free(host).expect("a free port");
    let http = |route| ListenerKind::Http { route };
    let tcp = |cluster: &str| ListenerKind::Tcp {
        cluster: cluster.into(),
    };
    let ingress = |name, kind| Listener::new(name, free(2), Direction::Ingress, kind);
    let mutual = |certificate, listener: Listener| Listener {
        tls: Some(tls(dir)),
        identity: Identity {
            certificate,
            ..Identity::default()
        },
        // With a chain that leads nowhere, for connections that were not redirected.
        original_dst: Some(OriginalDst::Redirect),
        ..listener
    };
    Node {
        // For the faults, which change the text.
        encoding: Encoding::String,
        admin: free(1),
        plugin_wasm: plugin,
        state_dir: dir.path().join("state"),
        access_log: dir.path().join("access.log"),
        listeners: vec![
            ingress("web", http(Route::Cluster("web".into()))),
            ingress("echo", tcp("echo")),
            mutual(
                Certificate::Witnessed,
                ingress("mesh", http(Route::Cluster(Cluster::ORIGINAL_DST.into()))),
            ),
            mutual(Certificate::Verified, ingress("mesh-tcp", tcp(Cluster::ORIGINAL_DST))),
            ingress("gateway", http(Route::Upstream("backends".into()))),
        ],
        clusters: ["web", "echo", "backends"]
            .map(|name| Cluster::new(name, vec![free(3)]))
            .into(),
        ..Node::example()
    }
}

fn tls(dir: &TempDir) -> ServerTls {
    let authority = Authority::new("mesh").expect("a key");
    let own = authority.issue(&Names::dns("workload")).expect("a certificate");
    let folder = dir.path().join("certificates");
    fs::create_dir_all(&folder).expect("a folder");
    ServerTls {
        own: own.write(&folder, "workload").expect("written"),
        clients: ClientCertificates::Required(authority.write(&folder, "mesh-ca").expect("written")),
    }
}

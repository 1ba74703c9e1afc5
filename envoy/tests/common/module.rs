//! Plugins of a few lines whose behaviour is known, to test what stands around the plugin.

use std::fs;
use std::path::{Path, PathBuf};

/// What a module does.
#[derive(Clone, Copy)]
pub(crate) enum Module {
    /// Nothing at all: a plugin that never decides.
    Silent,
    /// Says `allow` to every connection and `deny` to every request.
    AllowConnections,
    /// Says `allow` to every connection and every request.
    AllowAll,
    /// Says `allow` to every connection and to the first request that its VM sees, and nothing to later ones.
    AllowFirstRequest,
    /// Says `deny` in both layers, but leaves the doing to others.
    Deny,
    /// Says `pending` to every connection and nothing more, and `allow` to requests, but not to their endpoints.
    Pending,
    /// Says `pending` to every connection, and `allow` with its first byte and to every request and its endpoint.
    AllowLater,
    /// As `AllowAll`, but writes `allowed`, not the exact word.
    AlmostAllow,
    /// Says `allow` to every request and nothing to connections.
    AllowRequests,
    /// Says `allow` to every connection, and to requests if its configuration has more than one byte; refuses an
    /// empty configuration.
    Obey,
    /// Tells what it reads about its listener in the properties for the access log, counts connections in
    /// [`COUNTERS`], and says `allow` to everything.
    Tell,
    /// As `AllowAll`, but a configuration of more than two bytes is accepted in Envoy's test VM only, and refused in
    /// the VMs that serve. It needs the capability `proxy_get_metric`.
    RefuseAfterCanary,
}

impl Module {
    /// Writes the module to `dir`.
    pub(crate) fn write(self, dir: &Path) -> PathBuf {
        let path = dir.join("module.wasm");
        fs::write(&path, wat::parse_str(self.source()).unwrap()).unwrap();
        path
    }

    /// What it says to connections and to requests, if anything.
    fn words(self) -> (Option<&'static str>, Option<&'static str>) {
        match self {
            Self::Silent => (None, None),
            Self::AllowConnections => (Some("allow"), Some("deny")),
            Self::AllowRequests => (None, Some("allow")),
            Self::Pending | Self::AllowLater => (Some("pending"), Some("allow")),
            Self::Deny => (Some("deny"), Some("deny")),
            Self::AlmostAllow => (Some("allowed"), Some("allowed")),
            Self::AllowAll | Self::AllowFirstRequest | Self::Obey | Self::Tell | Self::RefuseAfterCanary => {
                (Some("allow"), Some("allow"))
            }
        }
    }

    /// Whether it says anything to a request.
    fn answers(self) -> &'static str {
        match self {
            Self::AllowFirstRequest => "(i32.eq (global.get $requests) (i32.const 1))",
            Self::Obey => "(i32.gt_u (i32.load (call $slot (local.get $context))) (i32.const 1))",
            _ => "(i32.const 1)",
        }
    }

    /// Whether it accepts a configuration of `$bytes` bytes.
    fn accepts(self) -> &'static str {
        match self {
            Self::RefuseAfterCanary => REFUSE_SECOND,
            Self::Obey => "(i32.ne (local.get $bytes) (i32.const 0))",
            _ => "(i32.const 1)",
        }
    }

    /// What it says to the first byte of a connection, and to the endpoint of a request.
    fn later(self) -> (String, String) {
        match self {
            Self::AllowLater => (
                say("portcullis_l4", 600, "allow"),
                say("portcullis_upstream", 700, "allow"),
            ),
            _ => Default::default(),
        }
    }

    fn source(self) -> String {
        let (l4, http) = self.words();
        let on_connection = l4.map(|word| say("portcullis_l4", 100, word)).unwrap_or_default();
        let on_request = http.map(|word| say("portcullis_http", 200, word)).unwrap_or_default();
        let data = [(100, "portcullis_l4", l4), (200, "portcullis_http", http)];
        let data: String = data.into_iter().map(|(at, key, word)| texts(at, key, word)).collect();
        let (tell, told) = if matches!(self, Self::Tell) {
            tell()
        } else {
            Default::default()
        };
        let (answers, accepts, (on_data, on_endpoint)) = (self.answers(), self.accepts(), self.later());
        let later = [
            texts(600, "portcullis_l4", Some("allow")),
            texts(700, "portcullis_upstream", Some("allow")),
        ]
        .concat();
        format!(
            r#"(module
                (import "env" "proxy_set_property"
                    (func $set_property (param i32 i32 i32 i32) (result i32)))
                (import "env" "proxy_get_property"
                    (func $get_property (param i32 i32 i32 i32) (result i32)))
                (import "env" "proxy_define_metric"
                    (func $define_metric (param i32 i32 i32 i32) (result i32)))
                (import "env" "proxy_increment_metric"
                    (func $increment_metric (param i32 i64) (result i32)))
                (import "env" "proxy_get_metric"
                    (func $get_metric (param i32 i32) (result i32)))
                (memory (export "memory") 1)
                {data} {told} {later}
                (data (i32.const 300) "configured")
                (global $requests (mut i32) (i32.const 0))
                (func (export "_initialize"))
                (func (export "proxy_abi_version_0_2_1"))
                (func (export "malloc") (param i32) (result i32) (i32.const 4096))
                ;; Where a context keeps the size of the configuration that it was made under. One place for all would
                ;; be wrong: Envoy uses an earlier root again, without configuring it, when its configuration returns.
                (func $slot (param $context i32) (result i32)
                    (i32.add (i32.const 8192) (i32.shl (local.get $context) (i32.const 2))))
                (func (export "proxy_on_context_create") (param $context i32) (param $root i32)
                    (i32.store (call $slot (local.get $context)) (i32.load (call $slot (local.get $root)))))
                (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
                (func (export "proxy_on_configure") (param $root i32) (param $bytes i32) (result i32)
                    (i32.store (call $slot (local.get $root)) (local.get $bytes))
                    {accepts})
                (func (export "proxy_on_new_connection") (param i32) (result i32)
                    {on_connection} {tell} (i32.const 0))
                (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32)
                    {on_data} (i32.const 0))
                (func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
                    (global.set $requests (i32.add (global.get $requests) (i32.const 1)))
                    (if {answers} (then {on_request} {on_endpoint}))
                    (i32.const 0)))"#
        )
    }
}

/// Code that sets the property whose name and value [`texts`] put at `at`.
fn say(key: &str, at: usize, word: &str) -> String {
    let (key, value, length) = (key.len(), at + key.len(), word.len());
    format!("(drop (call $set_property (i32.const {at}) (i32.const {key}) (i32.const {value}) (i32.const {length})))")
}

/// A property's name and value, one after the other.
fn texts(at: usize, key: &str, word: Option<&str>) -> String {
    format!(r#"(data (i32.const {at}) "{key}{}")"#, word.unwrap_or_default())
}

/// Code and data that copy what a listener says about itself to the properties which the access log shows, and count.
fn tell() -> (String, String) {
    let rows = [
        ("direction", "portcullis_reason"),
        ("destination", "portcullis_verdict"),
        ("port", "portcullis_rule"),
    ];
    let (mut code, mut data) = (String::new(), String::new());
    for (at, (key, property)) in (1000..).step_by(200).zip(rows) {
        let path = format!("xds\\00listener_metadata\\00filter_metadata\\00portcullis\\00{key}");
        let (path_length, name) = (path.replace("\\00", "0").len(), at + 100);
        data += &format!(r#"(data (i32.const {at}) "{path}") (data (i32.const {name}) "{property}")"#);
        code += &format!(
            "(drop (call $get_property (i32.const {at}) (i32.const {path_length}) (i32.const 500) (i32.const 504)))
             (drop (call $set_property (i32.const {name}) (i32.const {}) (i32.load (i32.const 500)) (i32.load (i32.const 504))))",
            property.len()
        );
    }
    for (at, counter) in (2000..).step_by(200).zip(COUNTERS) {
        data += &format!(r#"(data (i32.const {at}) "{counter}")"#);
        code += &format!(
            "(drop (call $define_metric (i32.const 0) (i32.const {at}) (i32.const {}) (i32.const 500)))
             (drop (call $increment_metric (i32.load (i32.const 500)) (i64.const 1)))",
            counter.len()
        );
    }
    (code, data)
}

/// What [`Module::Tell`] counts: a metric of each form that the plugin has.
pub(crate) const COUNTERS: [&str; 5] = [
    "portcullis_requests_total.dir.both.layer.l4.verdict.allow.policy.CiliumNetworkPolicy/a.b/c-1.verdict.deny",
    "portcullis_requests_total.dir.unknown.layer.l7.verdict.deny.policy.default-deny",
    "portcullis_audit_total.dir.ingress.layer.l7.would.deny",
    "portcullis_revoked_total.layer.l4",
    "portcullis_panics_total",
];

/// Counts configurations in a metric, which all VMs of a process share, and accepts the first one only.
const REFUSE_SECOND: &str = "
    (if (i32.le_u (local.get $bytes) (i32.const 2)) (then (return (i32.const 1))))
    (drop (call $define_metric (i32.const 0) (i32.const 300) (i32.const 10) (i32.const 400)))
    (drop (call $increment_metric (i32.load (i32.const 400)) (i64.const 1)))
    (drop (call $get_metric (i32.load (i32.const 400)) (i32.const 408)))
    (i64.eq (i64.load (i32.const 408)) (i64.const 1))";

//! A host for tests: it serves what it was given and remembers what it was told, whatever the order of the calls.

use core::cell::{Cell, RefCell};
use std::{collections::BTreeMap, rc::Rc};

use crate::{
    config::Configuration,
    headers::{self, Headers},
    host::{Action, Edit, Host, HostError, Level, LocalReply, MetricKind, Stream},
    http::HttpFilter,
    root::Root,
    stream::NetworkFilter,
    vm::Vm,
};

/// Status of a host that does not do what it is asked.
const INTERNAL_FAILURE: HostError = HostError(10);

/// An answer that a client got.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u32,
    pub(crate) details: String,
    pub(crate) body: Vec<u8>,
    pub(crate) grpc_status: i32,
}

/// What can go wrong with a host call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Mood {
    /// Nothing.
    #[default]
    Helpful,
    /// Properties are not found, everything else fails.
    Absent,
    /// Every call fails.
    Failing,
    /// Reading a property panics.
    Panicking,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) mood: Cell<Mood>,
    pub(crate) properties: RefCell<BTreeMap<String, Vec<u8>>>,
    pub(crate) headers: RefCell<Vec<u8>>,
    pub(crate) header_reads: Cell<u32>,
    /// Whether the host refuses to change headers.
    pub(crate) headers_are_fixed: Cell<bool>,
    /// How often the server name was read.
    pub(crate) server_name_reads: Cell<u32>,
    pub(crate) configuration: RefCell<Vec<u8>>,
    pub(crate) reply: RefCell<Option<Reply>>,
    pub(crate) closed: RefCell<Vec<Stream>>,
    pub(crate) logs: RefCell<Vec<(Level, String)>>,
    metrics: RefCell<Vec<(String, u64)>>,
}

/// A VM with its host.
#[derive(Clone)]
pub(crate) struct FakeHost(pub(crate) Rc<World>);

impl World {
    fn call(&self) -> Result<(), HostError> {
        if self.mood.get() == Mood::Helpful {
            Ok(())
        } else {
            Err(INTERNAL_FAILURE)
        }
    }

    /// Makes a property, with dots between the parts of its path.
    pub(crate) fn set(&self, path: &str, value: impl AsRef<[u8]>) {
        self.properties
            .borrow_mut()
            .insert(path.replace('.', "\0"), value.as_ref().to_vec());
    }

    pub(crate) fn unset(&self, path: &str) {
        self.properties.borrow_mut().remove(&path.replace('.', "\0"));
    }

    /// A key in the metadata of the listener.
    pub(crate) fn listener(&self, key: &str, value: &str) {
        self.set(
            &format!("xds.listener_metadata.filter_metadata.portcullis.{key}"),
            value,
        );
    }

    /// Makes filter state, or makes it disappear.
    pub(crate) fn set_state(&self, name: &str, value: Option<&[u8]>) {
        let mut properties = self.properties.borrow_mut();
        match value {
            Some(value) => properties.insert(state_path(name), value.to_vec()),
            None => properties.remove(&state_path(name)),
        };
    }

    /// Filter state as text; what is not there is empty.
    pub(crate) fn state(&self, name: &str) -> String {
        let value = self
            .properties
            .borrow()
            .get(&state_path(name))
            .cloned()
            .unwrap_or_default();
        String::from_utf8_lossy(&value).into_owned()
    }

    /// The headers as they stand now.
    pub(crate) fn header_pairs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let headers = Headers::new(self.headers.borrow().clone()).expect("a header map");
        headers
            .pairs()
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect()
    }

    /// All values of a header, as text.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let pairs = self.header_pairs();
        let same = pairs
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
        same.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.metrics
            .borrow()
            .iter()
            .find(|(other, _)| other == name)
            .map_or(0, |(_, value)| *value)
    }

    pub(crate) fn verdicts(&self, direction: &str, layer: &str, verdict: &str) -> u64 {
        self.metric(&format!(
            "portcullis_requests_total.dir.{direction}.layer.{layer}.verdict.{verdict}"
        ))
    }
}

fn state_path(name: &str) -> String {
    format!("filter_state\0wasm.{name}")
}

impl Host for FakeHost {
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        match self.0.mood.get() {
            Mood::Helpful => {
                let reads = u32::from(path == "connection\0requested_server_name");
                self.0.server_name_reads.set(self.0.server_name_reads.get() + reads);
                Ok(self.0.properties.borrow().get(path).cloned())
            }
            Mood::Absent => Ok(None),
            Mood::Failing => Err(INTERNAL_FAILURE),
            Mood::Panicking => panic!("on purpose"),
        }
    }

    fn set_state(&self, name: &str, value: &[u8]) -> Result<(), HostError> {
        self.0.call()?;
        self.0.properties.borrow_mut().insert(state_path(name), value.to_vec());
        Ok(())
    }

    fn request_headers(&self) -> Result<Vec<u8>, HostError> {
        self.0.call()?;
        self.0.header_reads.set(self.0.header_reads.get() + 1);
        Ok(self.0.headers.borrow().clone())
    }

    fn edit_header(&self, name: &[u8], edit: Edit<'_>) -> Result<(), HostError> {
        self.0.call()?;
        if self.0.headers_are_fixed.get() {
            return Err(INTERNAL_FAILURE);
        }
        let mut pairs = self.0.header_pairs();
        if edit == Edit::Remove || matches!(edit, Edit::Set(_)) {
            pairs.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        }
        if let Edit::Append(value) | Edit::Set(value) = edit {
            pairs.push((name.to_vec(), value.to_vec()));
        }
        let borrowed: Vec<(&[u8], &[u8])> = pairs.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        *self.0.headers.borrow_mut() = headers::encode(&borrowed);
        Ok(())
    }

    fn configuration(&self, size: usize) -> Result<Vec<u8>, HostError> {
        self.0.call()?;
        let mut bytes = self.0.configuration.borrow().clone();
        bytes.truncate(size);
        Ok(bytes)
    }

    fn reply(&self, reply: &LocalReply<'_>) -> Result<(), HostError> {
        self.0.call()?;
        let LocalReply {
            status,
            details,
            body,
            grpc_status,
        } = *reply;
        let reply = Reply {
            status,
            details: details.to_owned(),
            body: body.to_vec(),
            grpc_status,
        };
        assert_eq!(self.0.reply.replace(Some(reply)), None, "a request is answered once");
        Ok(())
    }

    fn close(&self, stream: Stream) -> Result<(), HostError> {
        self.0.closed.borrow_mut().push(stream);
        self.0.call()
    }

    fn define_metric(&self, _kind: MetricKind, name: &str) -> Result<u32, HostError> {
        self.0.metrics.borrow_mut().push((name.to_owned(), 0));
        Ok(u32::try_from(self.0.metrics.borrow().len() - 1).expect("few"))
    }

    fn increment_metric(&self, id: u32, by: i64) -> Result<(), HostError> {
        self.0.metrics.borrow_mut()[id as usize].1 += by.unsigned_abs();
        Ok(())
    }

    fn record_metric(&self, id: u32, value: u64) -> Result<(), HostError> {
        self.0.metrics.borrow_mut()[id as usize].1 = value;
        Ok(())
    }

    fn log(&self, level: Level, message: &str) {
        self.0.logs.borrow_mut().push((level, message.to_owned()));
    }
}

/// The plugin in one VM, with the streams that a test opens.
pub(crate) struct Plugin {
    pub(crate) world: Rc<World>,
    pub(crate) vm: Rc<Vm<FakeHost>>,
    pub(crate) root: Root<FakeHost>,
}

impl Plugin {
    /// A VM whose plugin has no configuration yet.
    pub(crate) fn unconfigured() -> Self {
        let world = Rc::new(World::default());
        world.set("plugin_root_id", "portcullis");
        world.set("plugin_name", "portcullis");
        let vm = Rc::new(Vm::new(FakeHost(Rc::clone(&world))));
        let root = Root::new(Rc::clone(&vm));
        Self { world, vm, root }
    }

    pub(crate) fn new(configuration: &str) -> Self {
        let plugin = Self::unconfigured();
        assert!(plugin.configure(configuration), "{:?}", plugin.world.logs);
        plugin
    }

    /// What the plugin answers to this configuration.
    pub(crate) fn configure(&self, configuration: impl AsRef<[u8]>) -> bool {
        *self.world.configuration.borrow_mut() = configuration.as_ref().to_vec();
        self.root.configure(configuration.as_ref().len())
    }

    /// A connection between two addresses; the filter state of the last one is forgotten.
    pub(crate) fn connect(&self, source: &str, destination: &str) -> (NetworkFilter<FakeHost>, Action) {
        self.world
            .properties
            .borrow_mut()
            .retain(|path, _| !path.starts_with("filter_state"));
        self.world.set("source.address", source);
        self.world.set("destination.address", destination);
        let mut filter = self.root.network_filter();
        let action = filter.new_connection();
        (filter, action)
    }

    /// A request on the last connection.
    pub(crate) fn request(&self, headers: &[(&[u8], &[u8])]) -> (HttpFilter<FakeHost>, Action) {
        *self.world.headers.borrow_mut() = headers::encode(headers);
        self.world.header_reads.set(0);
        *self.world.reply.borrow_mut() = None;
        self.world.set_state("portcullis_http", None);
        let mut filter = self.root.http_filter();
        let action = filter.request_headers();
        (filter, action)
    }

    pub(crate) fn get(&self, authority: &str, path: &str) -> Action {
        self.request(&[
            (b":method", b"GET"),
            (b":path", path.as_bytes()),
            (b":authority", authority.as_bytes()),
        ])
        .1
    }
}

/// A world of two pods in `empire` (tiefighter 10.0.0.2, deathstar 10.0.0.1) and one in `rebels` (xwing 10.0.0.3).
/// On port 80 the deathstar lets in its namespace, on port 8080 it lets in everybody, but only to `GET /metrics`;
/// the tiefighter may go to the deathstar and, by name, to `cilium.io`.
pub(crate) fn configuration(settings: &str) -> String {
    let deathstar = r#"{"kind":"CiliumNetworkPolicy","namespace":"empire","name":"deathstar","rules":[
        {"path":"spec","subject":0,"defaultDeny":{"ingress":true,"egress":false},"ingress":[
          {"peers":{"oneOf":[{"selector":1}]},
           "ports":[{"ports":[{"port":{"protocol":"TCP","numbers":{"range":[80,80]}}}]}]},
          {"peers":"any",
           "ports":[{"ports":[{"port":{"protocol":"TCP","numbers":{"range":[8080,8080]}}}],
                     "rules":{"http":[{"method":"GET","path":"/metrics","headers":[]},
                                      {"path":"/exhaust","headers":[{"name":"x-force","value":"true"}]}]}}]},
          {"peers":"any","ports":[{"ports":[{"icmp":{"family":"IPv4","type":8}}]}]}]}]}"#;
    let tiefighter = r#"{"kind":"CiliumNetworkPolicy","namespace":"empire","name":"tiefighter","rules":[
        {"path":"spec","subject":2,"defaultDeny":{"ingress":false,"egress":true},"egress":[
          {"peers":{"oneOf":[{"selector":0}]}},
          {"peers":{"oneOf":[{"matchName":"cilium.io."}]},
           "ports":[{"ports":[{"port":{"protocol":"TCP","numbers":{"range":[80,80]}}}]}]}]}]}"#;
    with_policies(settings, &[deathstar, tiefighter])
}

/// The same world without policies, where everything is allowed.
pub(crate) fn without_policies(settings: &str) -> String {
    with_policies(settings, &[])
}

/// The same world with a policy for each of these lists of elements: what the deathstar lets in.
pub(crate) fn ingress(settings: &str, elements: &[&str]) -> String {
    let policies: Vec<String> = elements
        .iter()
        .enumerate()
        .map(|(n, elements)| {
            format!(
                r#"{{"kind":"CiliumNetworkPolicy","namespace":"empire","name":"p{n}","rules":[
                {{"path":"spec","subject":0,"defaultDeny":{{"ingress":true,"egress":false}},"ingress":[{elements}]}}]}}"#
            )
        })
        .collect();
    with_policies(settings, &policies.iter().map(String::as_str).collect::<Vec<_>>())
}

/// An element: any peer may come to this TCP port, with these further members of the port rule.
pub(crate) fn anybody(port: u16, members: &str) -> String {
    format!(
        r#"{{"peers":"any","ports":[{{"ports":[{{"port":{{"protocol":"TCP","numbers":{{"range":[{port},{port}]}}}}}}]{members}}}]}}"#
    )
}

/// The same world with these policies.
pub(crate) fn with_policies(settings: &str, policies: &[&str]) -> String {
    let policies = policies.join(",");
    let configuration = format!(
        r#"{{"version":1,{settings}"bundle":{{"version":1,
      "selectors":[[{{"equals":{{"key":"any:app","value":"deathstar"}}}}],[{{"equals":{{"key":"any:ns","value":"empire"}}}}],
                   [{{"equals":{{"key":"any:app","value":"tiefighter"}}}}]],
      "policies":[{policies}],
      "identities":[{{"labels":["k8s:app=deathstar","k8s:ns=empire"]}},{{"labels":["k8s:app=tiefighter","k8s:ns=empire"]}},
                    {{"labels":["k8s:app=xwing","k8s:ns=rebels"]}}],
      "endpoints":[{{"name":"empire/deathstar","identity":0,"addresses":["10.0.0.1"]}},
                   {{"name":"empire/tiefighter","identity":1,"addresses":["10.0.0.2"]}},
                   {{"name":"rebels/xwing","identity":2,"addresses":["10.0.0.3"]}}]}}}}"#
    );
    let parsed = Configuration::parse(configuration.as_bytes());
    assert!(parsed.is_ok(), "{:?} of {configuration}", parsed.err());
    configuration
}

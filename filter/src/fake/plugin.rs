//! The plugin in one VM of the fake host.

use core::cell::Cell;
use std::rc::Rc;

use super::{FakeHost, World};
use crate::{headers, host::Action, root::Root, stream::Data, vm::Vm};

/// The plugin in one VM, with the streams that a test opens.
pub(crate) struct Plugin {
    pub(crate) world: Rc<World>,
    pub(crate) vm: Rc<Vm<FakeHost>>,
    pub(crate) root: Rc<Root<FakeHost>>,
    /// The id of the last context.
    contexts: Cell<u32>,
}

/// The id of the root context.
pub(crate) const ROOT: u32 = 1;
/// The id of another one; no test has so many streams.
pub(crate) const OTHER_ROOT: u32 = 10_000;

/// A connection or a request, until it is dropped.
pub(crate) struct Stream {
    vm: Rc<Vm<FakeHost>>,
    id: u32,
}

impl Stream {
    pub(crate) fn new_connection(&mut self) -> Action {
        self.vm.contexts.new_connection(self.id)
    }

    pub(crate) fn data(&mut self, data: Data) -> Action {
        self.vm.contexts.data(self.id, data)
    }

    pub(crate) fn request_headers(&mut self) -> Action {
        self.vm.contexts.request_headers(self.id)
    }

    pub(crate) fn rest_of_request(&mut self) -> Action {
        self.vm.contexts.rest_of_request(self.id)
    }

    pub(crate) fn judge_again(&mut self) {
        self.vm.contexts.judge_again(self.id);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.vm.contexts.delete(self.id);
    }
}

impl Plugin {
    /// A VM whose plugin has no configuration yet.
    pub(crate) fn unconfigured() -> Self {
        let world = Rc::new(World::default());
        world.set("plugin_root_id", "portcullis");
        world.set("plugin_name", "portcullis");
        let vm = Rc::new(Vm::new(FakeHost(Rc::clone(&world))));
        vm.contexts.create(&vm, ROOT, 0);
        Self {
            world,
            root: vm.contexts.root(ROOT).expect("a root context"),
            vm,
            contexts: Cell::new(ROOT),
        }
    }

    /// [`OTHER_ROOT`], a root context of the same VM.
    pub(crate) fn another_root(&self) -> Rc<Root<FakeHost>> {
        self.vm.contexts.create(&self.vm, OTHER_ROOT, 0);
        self.vm.contexts.root(OTHER_ROOT).expect("a root context")
    }

    /// A new stream of the first root context. Nobody called for it yet.
    pub(crate) fn stream(&self) -> Stream {
        self.stream_of(ROOT)
    }

    /// A new stream of this root context.
    pub(crate) fn stream_of(&self, root: u32) -> Stream {
        let (vm, id) = (Rc::clone(&self.vm), self.next_context());
        vm.contexts.create(&vm, id, root);
        Stream { vm, id }
    }

    pub(crate) fn new(configuration: &str) -> Self {
        let plugin = Self::unconfigured();
        assert!(plugin.configure(configuration), "{:?}", plugin.world.logs);
        plugin
    }

    /// What the plugin answers to this configuration.
    pub(crate) fn configure(&self, configuration: impl AsRef<[u8]>) -> bool {
        self.root.configure(self.hand(configuration))
    }

    /// Makes this the configuration that the host has, packed. Returns its size.
    pub(crate) fn hand(&self, configuration: impl AsRef<[u8]>) -> usize {
        let bytes = super::packed(configuration);
        let size = bytes.len();
        *self.world.configuration.borrow_mut() = bytes;
        size
    }

    fn next_context(&self) -> u32 {
        self.contexts.set(self.contexts.get() + 1);
        self.contexts.get()
    }

    /// A connection between two addresses; the filter state of the last one is forgotten.
    pub(crate) fn connect(&self, source: &str, destination: &str) -> (Stream, Action) {
        self.world
            .properties
            .borrow_mut()
            .retain(|path, _| !path.starts_with("filter_state"));
        self.world.set("source.address", source);
        self.world.set("destination.address", destination);
        let mut filter = self.stream();
        let action = filter.new_connection();
        (filter, action)
    }

    /// A request on the last connection.
    pub(crate) fn request(&self, headers: &[(&[u8], &[u8])]) -> (Stream, Action) {
        *self.world.headers.borrow_mut() = headers::encode(headers);
        self.world.header_reads.set(0);
        *self.world.reply.borrow_mut() = None;
        for of_request in ["http", "verdict", "reason", "rule"] {
            self.world.set_state(&format!("portcullis_{of_request}"), None);
        }
        let mut filter = self.stream();
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

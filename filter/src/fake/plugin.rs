//! The plugin in one VM of the fake host.

use core::cell::Cell;
use std::rc::Rc;

use super::{FakeHost, World};
use crate::{headers, host::Action, http::HttpFilter, root::Root, stream::NetworkFilter, vm::Vm};

/// The plugin in one VM, with the streams that a test opens.
pub(crate) struct Plugin {
    pub(crate) world: Rc<World>,
    pub(crate) vm: Rc<Vm<FakeHost>>,
    pub(crate) root: Root<FakeHost>,
    /// The id of the last context.
    contexts: Cell<u32>,
}

/// The id of the root context.
pub(crate) const ROOT: u32 = 1;

impl Plugin {
    /// A VM whose plugin has no configuration yet.
    pub(crate) fn unconfigured() -> Self {
        let world = Rc::new(World::default());
        world.set("plugin_root_id", "portcullis");
        world.set("plugin_name", "portcullis");
        let vm = Rc::new(Vm::new(FakeHost(Rc::clone(&world))));
        let root = Root::new(Rc::clone(&vm), ROOT);
        Self {
            world,
            vm,
            root,
            contexts: Cell::new(ROOT),
        }
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

    /// The id of the next context.
    pub(crate) fn next_context(&self) -> u32 {
        self.contexts.set(self.contexts.get() + 1);
        self.contexts.get()
    }

    /// A connection between two addresses; the filter state of the last one is forgotten.
    pub(crate) fn connect(&self, source: &str, destination: &str) -> (NetworkFilter<FakeHost>, Action) {
        self.world
            .properties
            .borrow_mut()
            .retain(|path, _| !path.starts_with("filter_state"));
        self.world.set("source.address", source);
        self.world.set("destination.address", destination);
        let mut filter = self.root.network_filter(self.next_context());
        let action = filter.new_connection();
        (filter, action)
    }

    /// A request on the last connection.
    pub(crate) fn request(&self, headers: &[(&[u8], &[u8])]) -> (HttpFilter<FakeHost>, Action) {
        *self.world.headers.borrow_mut() = headers::encode(headers);
        self.world.header_reads.set(0);
        *self.world.reply.borrow_mut() = None;
        self.world.set_state("portcullis_http", None);
        let mut filter = self.root.http_filter(self.next_context());
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

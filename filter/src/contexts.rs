//! Who the callbacks are for, and all that is open in a VM, so that a new policy also reaches what the old one let in.
//!
//! Nothing here relies on the host to keep to the order of things: a context that is not known, or whose callback runs
//! already, lets nothing pass; and what is deleted while its callback runs is gone when that returns.

use core::{
    cell::RefCell,
    hash::{BuildHasherDefault, Hasher},
    mem,
};
use std::rc::Rc;

use hashbrown::HashMap;

use crate::{
    host::{Action, Host},
    http::HttpFilter,
    root::Root,
    stream::{Data, NetworkFilter},
    vm::Vm,
};

/// The contexts of a VM, by the ids that the host gave them.
pub(crate) struct Contexts<H: Host>(RefCell<HashMap<u32, Context<H>, BuildHasherDefault<Spread>>>);

/// One of them. Streams lie in the map itself: a request has no memory of its own.
enum Context<H: Host> {
    Root(Rc<Root<H>>),
    /// A stream. The host does not say which kind it is; its first callback does.
    New(Rc<Root<H>>),
    Connection(NetworkFilter<H>),
    Request(HttpFilter<H>),
    /// Its callback runs, and has it.
    Busy,
}

/// The ids are numbers that the host counts up, which nobody else has a say in: all there is to do is to spread them over
/// all bits.
#[derive(Default)]
struct Spread(u32);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, id: u32) {
        /// The golden ratio of all numbers of 32 bits.
        const FACTOR: u32 = 0x9E37_79B9;

        self.0 = (self.0 ^ id).wrapping_mul(FACTOR);
    }

    fn finish(&self) -> u64 {
        // Tables look at the first bits of whatever is their word, and at the last ones.
        u64::from(self.0) << 32 | u64::from(self.0)
    }
}

impl<H: Host> Default for Contexts<H> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<H: Host> Contexts<H> {
    /// A root context if `root` is 0, else a stream that is made from it. Nothing passes a stream without a root.
    pub(crate) fn create(&self, vm: &Rc<Vm<H>>, id: u32, root: u32) {
        let context = match root {
            0 => Some(Context::Root(Rc::new(Root::new(Rc::clone(vm), id)))),
            root => self.root(root).map(Context::New),
        };
        if let Some(context) = context {
            let _earlier = self.0.borrow_mut().insert(id, context);
        }
    }

    /// Forgets a context.
    pub(crate) fn delete(&self, id: u32) {
        let context = self.0.borrow_mut().remove(&id);
        // Not before the map is free again: a policy may go with it.
        drop(context);
    }

    /// The root context with this id.
    pub(crate) fn root(&self, id: u32) -> Option<Rc<Root<H>>> {
        match self.0.borrow().get(&id)? {
            Context::Root(root) => Some(Rc::clone(root)),
            Context::New(_) | Context::Connection(_) | Context::Request(_) | Context::Busy => None,
        }
    }

    /// Decides on a connection.
    pub(crate) fn new_connection(&self, id: u32) -> Action {
        self.connection(id, NetworkFilter::new_connection)
    }

    /// Bytes of a connection.
    pub(crate) fn data(&self, id: u32, data: Data) -> Action {
        if let Some(Context::Connection(connection)) = self.0.borrow().get(&id)
            && connection.is_settled()
        {
            return Action::Continue;
        }
        self.connection(id, |connection| connection.data(data))
    }

    /// Decides on a request.
    pub(crate) fn request_headers(&self, id: u32) -> Action {
        self.request(id, HttpFilter::request_headers)
    }

    /// What comes behind the headers of a request.
    pub(crate) fn rest_of_request(&self, id: u32) -> Action {
        self.request(id, HttpFilter::rest_of_request)
    }

    fn connection(&self, id: u32, callback: impl FnOnce(&mut NetworkFilter<H>) -> Action) -> Action {
        self.run(id, |context| {
            if let Context::New(root) = context {
                *context = Context::Connection(root.network_filter());
            }
            match context {
                Context::Connection(connection) => callback(connection),
                Context::Root(_) | Context::New(_) | Context::Request(_) | Context::Busy => Action::Pause,
            }
        })
    }

    fn request(&self, id: u32, callback: impl FnOnce(&mut HttpFilter<H>) -> Action) -> Action {
        self.run(id, |context| {
            if let Context::New(root) = context {
                *context = Context::Request(root.http_filter());
            }
            match context {
                Context::Request(request) => callback(request),
                Context::Root(_) | Context::New(_) | Context::Connection(_) | Context::Busy => Action::Pause,
            }
        })
    }

    /// Runs a callback with its context out of the map, so that the host may call back meanwhile.
    fn run(&self, id: u32, callback: impl FnOnce(&mut Context<H>) -> Action) -> Action {
        let taken = self
            .0
            .borrow_mut()
            .get_mut(&id)
            .map(|place| mem::replace(place, Context::Busy));
        let Some(mut context) = taken else {
            return Action::Pause;
        };
        let action = callback(&mut context);
        if let Some(place @ Context::Busy) = self.0.borrow_mut().get_mut(&id) {
            *place = context;
        }
        action
    }

    /// Some of the streams that an earlier policy than the newest allowed, so many at most, in the order of their ids.
    pub(crate) fn outdated(&self, most: usize) -> Vec<u32> {
        let contexts = self.0.borrow();
        let outdated = contexts.iter().filter(|(_, context)| match context {
            Context::Connection(connection) => connection.is_outdated(),
            Context::Request(request) => request.is_outdated(),
            Context::Root(_) | Context::New(_) | Context::Busy => false,
        });
        let mut ids: Vec<u32> = outdated.map(|(id, _)| *id).take(most).collect();
        ids.sort_unstable();
        ids
    }

    /// Asks the newest policy about a stream. The host must be told before on whose behalf.
    pub(crate) fn judge_again(&self, id: u32) {
        self.run(id, |context| match context {
            Context::Connection(connection) => connection.judge_again(),
            Context::Request(request) => request.judge_again(),
            Context::Root(_) | Context::New(_) | Context::Busy => Action::Pause,
        });
    }
}

#[cfg(test)]
mod tests;

//! The callbacks that the host makes, as proxy-wasm 0.2.1 names them.
//!
//! A host does without those that a module does not export, and each that it has costs it an entry into the VM. So there
//! are none here of which the plugin makes nothing: what a response says, what is over but not yet forgotten.
//!
//! What a host must not do, call for a context that it never told of or has told to forget, Envoy does. It gets an answer
//! that lets nothing pass ([`Contexts`]). No panic leaves a callback.

#![expect(unsafe_code, reason = "functions that a host finds by their names")]

use std::rc::Rc;

use super::{Action, Envoy};
use crate::{
    contexts::Contexts,
    stream::Data,
    vm::{self, Vm},
};

thread_local! {
    /// The state that all plugins of this VM share.
    static VM: Rc<Vm<Envoy>> = Rc::new(Vm::new(Envoy));
}

/// Runs the body of a callback; `None` if it panicked.
fn shielded<R>(body: impl FnOnce(&Rc<Vm<Envoy>>) -> R) -> Option<R> {
    VM.with(|vm| vm.shield(|| body(vm)))
}

/// Runs the body of a callback for a stream.
fn decided(body: impl FnOnce(&Contexts<Envoy>) -> Action) -> u32 {
    match shielded(|vm| body(&vm.contexts)) {
        Some(Action::Continue) => 0,
        Some(Action::Pause) | None => 1,
    }
}

/// By this the host knows which version of the interface the module speaks.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Once, when the VM starts: from here on, panics are logged, and lack of memory is a panic.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    std::panic::set_hook(Box::new(|panic| vm::log_panic(&Envoy, panic)));
    #[cfg(all(target_arch = "wasm32", panic = "unwind"))]
    std::alloc::set_alloc_error_hook(vm::out_of_memory);
}

/// A root context if `root` is 0, else a stream that is made from it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(id: u32, root: u32) {
    shielded(|vm| vm.contexts.create(vm, id, root));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(id: u32) {
    shielded(|vm| vm.contexts.delete(id));
}

/// `false` would be no refusal, but no filter: see [`Root::configure`](crate::root::Root::configure).
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(id: u32, size: usize) -> u32 {
    let accepted = shielded(|vm| vm.contexts.root(id).is_none_or(|root| root.configure(size)));
    u32::from(accepted.unwrap_or(true))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(id: u32) {
    shielded(|vm| {
        if let Some(root) = vm.contexts.root(id) {
            root.tick();
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_new_connection(id: u32) -> u32 {
    decided(|contexts| contexts.new_connection(id))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_downstream_data(id: u32, _size: usize, _end: u32) -> u32 {
    decided(|contexts| contexts.data(id, Data::Downstream))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_upstream_data(id: u32, _size: usize, end: u32) -> u32 {
    let data = if end == 0 { Data::Upstream } else { Data::EndOfUpstream };
    decided(|contexts| contexts.data(id, data))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(id: u32, _count: u32, _end: u32) -> u32 {
    decided(|contexts| contexts.request_headers(id))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(id: u32, _size: usize, _end: u32) -> u32 {
    decided(|contexts| contexts.rest_of_request(id))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(id: u32, _count: u32) -> u32 {
    decided(|contexts| contexts.rest_of_request(id))
}

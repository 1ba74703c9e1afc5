//! The proxy-wasm plugin: facts from Envoy in, verdicts of the engine out, and what follows from them.
//!
//! One module serves as network filter and as HTTP filter, in one VM. The network filter (`stream.rs`) knows the true
//! peer of a connection: it decides on addresses and ports, and hands what it knows to the HTTP filter (`http.rs`),
//! which decides on each request. Both ask the policy (`policy.rs`) of the root context (`root.rs`) that Envoy made
//! them from.
//!
//! Every way to fail ends in a denial. A missing policy, a missing fact or a failing host call denies; a panic is
//! caught (`vm.rs`) and denies; and nothing passes the native guards behind the filters unless the filter state says
//! `allow` (`report.rs`). Only `host.rs` knows the interface: all else talks to its trait `Host`, and a fake host tests it.

#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::unreachable
    )
)]
// The build of the plugin unwinds, which takes a std built from source, so the unstable hook is there, too.
#![cfg_attr(all(target_arch = "wasm32", panic = "unwind"), feature(alloc_error_hook))]

mod authority;
mod case;
mod certificate;
mod changes;
mod claim;
mod config;
mod contexts;
mod facts;
#[cfg(test)]
mod fake;
mod flow;
mod headers;
mod host;
mod http;
mod json;
mod metrics;
mod path;
mod policy;
mod report;
mod root;
mod sni;
mod stream;
mod time;
mod vm;
mod who;

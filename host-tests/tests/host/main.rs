//! Tests of the host itself, with small plugins in the text format of wasm.

mod http;
mod pointers;
mod properties;
mod revoke;
mod roots;
mod shared;
mod support;
mod tcp;
mod traps;

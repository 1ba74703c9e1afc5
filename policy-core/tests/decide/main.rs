//! What the engine decides and explains, and the wire form it reads.

#[cfg(target_arch = "wasm32")]
#[macro_use(test)]
extern crate wasm_test;

mod audit;
mod authentication;
mod building;
mod claims;
mod coverage;
mod explain;
mod groups;
mod inside;
mod isolation;
mod laws;
mod merging;
mod outside;
mod ports;
mod requests;
mod sides;
mod telling;
mod wire;
mod words;
mod world;

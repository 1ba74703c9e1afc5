//! A second, slow engine, and what it and the first one must agree on.
//!
//! [`evaluator`] reads the bundle as the semantics are written: no tables, no caches, nothing compiled, and no code in
//! common with the engine but the types of the data. [`generate`] makes policy sets and questions that meet often.
//! Every run asks the same questions.

#[cfg(target_arch = "wasm32")]
#[macro_use(test)]
extern crate wasm_test;

mod agreement;
mod audit;
mod conflicts;
mod coverage;
mod edges;
mod evaluator;
mod generate;
mod laws;
mod runner;

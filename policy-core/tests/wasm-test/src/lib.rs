//! The `test` attribute for wasm32: `#[macro_use(test)] extern crate wasm_test` at the root of a crate puts it in the
//! place of the one that every module has without asking, so the tests themselves need not know where they run.

#![no_std]

pub use wasm_bindgen_test::wasm_bindgen_test as test;

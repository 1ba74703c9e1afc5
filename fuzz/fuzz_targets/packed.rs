//! Bytes that somebody might push in place of a packed bundle: opened and asked, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policy_core::{Bundle, Check, Engine, Packed, packed::MAGIC};
use portcullis_fuzz::Questions;

fuzz_target!(|bytes: &[u8]| {
    let Ok(packed) = Packed::from_bytes([&MAGIC, bytes].concat()) else {
        return;
    };
    // Nobody knows what it is about.
    let questions = Questions::about(&Bundle::default());
    if let Ok(engine) = Engine::open(packed.clone(), Check::All) {
        questions.ask(&engine);
        assert!(packed.policies().is_ok(), "what was checked can be read");
    }
    if let Ok(engine) = Engine::open(packed, Check::Frame) {
        questions.ask(&engine);
    }
});

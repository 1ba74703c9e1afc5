//! Bytes that a control plane might push: read, compiled and asked, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policy_core::{Bundle, Engine};
use portcullis_fuzz::Questions;

fuzz_target!(|bytes: &[u8]| {
    let Ok(bundle) = Bundle::from_json(bytes) else { return };
    let sent = bundle.to_json();
    let read = Bundle::from_json(&sent).expect("our own bytes are a bundle");
    // The digest is over the bytes, and the writer is free to lay them out in another way.
    let undigested = |bundle: &Bundle| Bundle {
        digest: None,
        ..bundle.clone()
    };
    assert_eq!(undigested(&read), undigested(&bundle), "the wire changed a bundle");
    assert_eq!(read.to_json(), sent, "writing is not stable");

    let questions = Questions::about(&bundle);
    match Engine::new(bundle) {
        Ok(engine) => questions.ask(&engine),
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            errors.iter().for_each(|error| assert!(!error.to_string().is_empty()));
        }
    }
});

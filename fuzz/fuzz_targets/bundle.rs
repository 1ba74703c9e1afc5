//! Bytes that a control plane might push: read, compiled and asked, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policy_core::{Bundle, Check, Engine, Packed};
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
    let packed = Packed::new(&bundle);
    match Engine::new(bundle) {
        Ok(engine) => {
            questions.ask(&engine);
            let sent = packed.expect("what an engine takes can be packed").as_bytes().to_vec();
            let packed = Packed::from_bytes(sent).expect("our own bytes are a packed bundle");
            let opened = Engine::open(packed, Check::All).expect("an engine takes it");
            questions.ask(&opened);
            assert_eq!(
                questions.answers(&opened),
                questions.answers(&engine),
                "packing changed verdicts"
            );
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            errors.iter().for_each(|error| assert!(!error.to_string().is_empty()));
            assert!(packed.is_err(), "packed, though no engine takes it");
        }
    }
});

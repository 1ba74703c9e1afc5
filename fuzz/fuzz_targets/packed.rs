//! A packed bundle in which bytes were changed, with a checksum that fits: opened and asked, never a panic.
//!
//! The input begins with a byte that chooses a bundle; then comes a list of changes: three bytes for a place, one for
//! what comes there.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use policy_core::{Bundle, Engine, Packed};
use portcullis_fuzz::Questions;

/// Where the checksum stands, by the description of the frame.
const CHECKSUM: std::ops::Range<usize> = 8..16;

struct World {
    packed: Vec<u8>,
    questions: Questions,
}

static WORLDS: LazyLock<[World; 2]> = LazyLock::new(|| {
    let seeds: [&[u8]; 2] = [
        include_bytes!("../seeds/bundle/good_protocols.json"),
        include_bytes!("../seeds/bundle/web_and_db.json"),
    ];
    seeds.map(|json| {
        let bundle = Bundle::from_json(json).expect("a bundle");
        World {
            packed: Packed::new(&bundle).expect("a good bundle").as_bytes().to_vec(),
            questions: Questions::about(&bundle),
        }
    })
});

fuzz_target!(|input: &[u8]| {
    let Some((which, changes)) = input.split_first() else {
        return;
    };
    let World { packed, questions } = &WORLDS[usize::from(which % 2)];
    let mut bytes = packed.clone();
    for change in changes.chunks_exact(4) {
        let place = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize % bytes.len();
        bytes[place] = change[3];
    }
    let sum = checksum(&bytes[CHECKSUM.end..]);
    bytes[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
    if let Ok(packed) = Packed::from_bytes(bytes) {
        let _ = packed.policies();
        questions.ask(&Engine::open(packed));
    }
});

/// The checksum, written a second time: so this target notices when the first one changes.
fn checksum(bytes: &[u8]) -> u64 {
    let mut words: Vec<u64> = bytes
        .chunks(8)
        .map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        })
        .collect();
    if bytes.len() % 8 == 0 {
        words.push(0);
    }
    words.push(bytes.len() as u64);
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    words.into_iter().fold(0, mix)
}

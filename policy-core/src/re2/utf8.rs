//! Code points as bytes, the way RE2 encodes them.
//!
//! RE2 deviates from UTF-8 in two ways, and so does this module. Surrogates have an encoding. And a set that
//! contains everything from U+0080 up, such as `.` or `[^/]`, also accepts overlong three- and four-byte forms and
//! code points above U+10FFFF: it looks at the lead byte and at the number of continuation bytes only.

use alloc::vec::Vec;

use super::runes::MAX_RUNE;

/// Inclusive range of bytes.
pub(super) type ByteRange = (u8, u8);

/// The largest code points of one, two and three bytes.
const LAST_OF_LENGTH: [u32; 3] = [0x7F, 0x7FF, 0xFFFF];

const CONTINUATION: ByteRange = (0x80, 0xBF);

/// The multi-byte forms of a set that contains everything from U+0080 up.
pub(super) const BEYOND_ASCII: [&[ByteRange]; 3] = [
    &[(0xC2, 0xDF), CONTINUATION],
    &[(0xE0, 0xEF), CONTINUATION, CONTINUATION],
    &[(0xF0, 0xF4), CONTINUATION, CONTINUATION, CONTINUATION],
];

/// The number of bytes, lead byte included, of a form in [`BEYOND_ASCII`].
pub(super) fn form_len(lead: u8) -> Option<usize> {
    match lead {
        0xC2..=0xDF => Some(2),
        0xE0..=0xEF => Some(3),
        0xF0..=0xF4 => Some(4),
        _ => None,
    }
}

/// Appends the encoding of one code point.
pub(super) fn push_encoded(rune: u32, out: &mut Vec<u8>) {
    let more = continuations(rune);
    out.push(lead(rune, more));
    out.extend((0..more).rev().map(|index| continuation(rune, index)));
}

/// Calls `emit` with sequences of byte ranges that together encode exactly the code points from `lo` to `hi`.
pub(super) fn sequences(lo: u32, hi: u32, emit: &mut impl FnMut(&[ByteRange])) {
    if lo == 0x80 && hi == MAX_RUNE {
        return BEYOND_ASCII.iter().for_each(|form| emit(form));
    }
    for last in LAST_OF_LENGTH {
        if lo <= last && last < hi {
            sequences(lo, last, emit);
            return sequences(last + 1, hi, emit);
        }
    }
    // Both ends have the same length. Split until every byte ranges independently of those after it.
    let more = continuations(hi);
    for index in 1..=more {
        let low_bits = (1 << (6 * index)) - 1;
        if lo | low_bits == hi | low_bits {
            continue;
        }
        if lo & low_bits != 0 {
            sequences(lo, lo | low_bits, emit);
            return sequences((lo | low_bits) + 1, hi, emit);
        }
        if hi & low_bits != low_bits {
            sequences(lo, (hi & !low_bits) - 1, emit);
            return sequences(hi & !low_bits, hi, emit);
        }
    }
    let mut ranges = Vec::with_capacity(4);
    ranges.push((lead(lo, more), lead(hi, more)));
    ranges.extend(
        (0..more)
            .rev()
            .map(|index| (continuation(lo, index), continuation(hi, index))),
    );
    emit(&ranges);
}

/// How many continuation bytes the code point takes.
fn continuations(rune: u32) -> u32 {
    LAST_OF_LENGTH.into_iter().map(|last| u32::from(rune > last)).sum()
}

fn lead(rune: u32, continuations: u32) -> u8 {
    let [.., bits] = (rune >> (6 * continuations)).to_be_bytes();
    match continuations {
        0 => bits,
        1 => 0xC0 | bits,
        2 => 0xE0 | bits,
        _ => 0xF0 | bits,
    }
}

/// The continuation byte that has `index` others after it.
fn continuation(rune: u32, index: u32) -> u8 {
    let [.., bits] = (rune >> (6 * index)).to_be_bytes();
    0x80 | (bits & 0x3F)
}

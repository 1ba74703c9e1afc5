//! Sets of code points, the named groups a class may contain, and ASCII case folding.

use alloc::vec;
use alloc::vec::Vec;

/// The largest code point.
pub(super) const MAX_RUNE: u32 = 0x10_FFFF;

/// Inclusive ranges of code points.
pub(super) type Ranges = &'static [(u32, u32)];

/// A set of code points. Unlike `char`, surrogates are members like any other: RE2 does not single them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RuneSet {
    // INVARIANT(canonical): sorted, disjoint, with a gap between neighbours; no bound exceeds `MAX_RUNE`.
    ranges: Vec<(u32, u32)>,
}

/// A code point outside ASCII under `(?i)` whose case variants only the Unicode tables know.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownFold;

impl RuneSet {
    /// What `.` matches under `(?s)`.
    pub(super) fn any() -> Self {
        Self {
            ranges: vec![(0, MAX_RUNE)],
        }
    }

    /// What `.` matches otherwise.
    pub(super) fn any_but_newline() -> Self {
        Self {
            ranges: vec![(0, 0x09), (0x0B, MAX_RUNE)],
        }
    }

    /// The union of `ranges`, which may overlap and need no order.
    pub(super) fn of(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (lo, hi) in ranges {
            match merged.last_mut() {
                Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
                _ => merged.push((lo, hi)),
            }
        }
        Self { ranges: merged }
    }

    /// All code points that are not in this set.
    pub(super) fn negated(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for &(lo, hi) in &self.ranges {
            if next < lo {
                ranges.push((next, lo - 1));
            }
            next = hi + 1;
        }
        if next <= MAX_RUNE {
            ranges.push((next, MAX_RUNE));
        }
        Self { ranges }
    }

    /// The ranges, ascending.
    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }
}

/// The ranges of `\d`, `\s` and `\w`; `\s` has no vertical tab, unlike `[[:space:]]`.
pub(super) fn perl_group(lower_case_letter: char) -> Option<Ranges> {
    Some(match lower_case_letter {
        'd' => &[(0x30, 0x39)],
        's' => &[(0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)],
        'w' => &[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)],
        _ => return None,
    })
}

/// The ranges of `[:name:]`.
pub(super) fn posix_group(name: &str) -> Option<Ranges> {
    Some(match name {
        "alnum" => &[(0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)],
        "alpha" => &[(0x41, 0x5A), (0x61, 0x7A)],
        "ascii" => &[(0x00, 0x7F)],
        "blank" => &[(0x09, 0x09), (0x20, 0x20)],
        "cntrl" => &[(0x00, 0x1F), (0x7F, 0x7F)],
        "digit" => &[(0x30, 0x39)],
        "graph" => &[(0x21, 0x7E)],
        "lower" => &[(0x61, 0x7A)],
        "print" => &[(0x20, 0x7E)],
        "punct" => &[(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)],
        "space" => &[(0x09, 0x0D), (0x20, 0x20)],
        "upper" => &[(0x41, 0x5A)],
        "word" => &[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)],
        "xdigit" => &[(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)],
        _ => return None,
    })
}

/// Adds to `out` the range and, for each code point in it, all its case variants.
pub(super) fn add_folded(out: &mut Vec<(u32, u32)>, lo: u32, hi: u32) -> Result<(), UnknownFold> {
    out.push((lo, hi));
    if lo <= 0x80 && hi == MAX_RUNE {
        // Everything beyond ASCII is in; of its case variants, only these two orbits reach into ASCII.
        out.extend(orbit(0x6B).chain(orbit(0x73)));
    } else if hi >= 0x80 && !(lo == hi && (lo == KELVIN_SIGN || lo == LONG_S)) {
        return Err(UnknownFold);
    }
    let in_ascii = lo..=hi.min(0x7F);
    let special = [KELVIN_SIGN, LONG_S].into_iter().filter(|&rune| lo == rune);
    out.extend(in_ascii.chain(special).flat_map(orbit));
    Ok(())
}

const KELVIN_SIGN: u32 = 0x212A;
const LONG_S: u32 = 0x017F;

/// All case variants of an ASCII letter or of one of the two code points beyond ASCII that fold to one; of anything
/// else, nothing.
fn orbit(rune: u32) -> impl Iterator<Item = (u32, u32)> {
    let letter = match rune {
        KELVIN_SIGN => Some('k'),
        LONG_S => Some('s'),
        _ => char::from_u32(rune)
            .filter(char::is_ascii_alphabetic)
            .map(|c| c.to_ascii_lowercase()),
    };
    let beyond = match letter {
        Some('k') => Some(KELVIN_SIGN),
        Some('s') => Some(LONG_S),
        _ => None,
    };
    let ascii = letter
        .into_iter()
        .flat_map(|c| [u32::from(c), u32::from(c.to_ascii_uppercase())]);
    ascii.chain(beyond).map(|rune| (rune, rune))
}

//! The frame of a packed bundle: its sections, and the tables that are in them.
//!
//! ```text
//! magic 8 | checksum 8 | number of sections 4 | for each section: start 4, length 4 | sections
//! ```
//!
//! Numbers are little endian. The checksum is over all that follows it: it finds damage, not malice. Whoever may write a
//! policy needs no trick to open a proxy.

use alloc::vec::Vec;
use core::ops::Range;

use super::MAGIC;
use crate::bundle::BundleError;

/// The sections, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Section {
    /// What every engine reads at once.
    Head,
    /// Labels, each once.
    Labels,
    /// Identities: their labels, named ports and kind.
    Identities,
    /// Names of endpoints, sorted.
    EndpointNames,
    /// For each of these names, its identity.
    EndpointIdentities,
    /// All prefixes with an owner, by length.
    Prefixes,
    /// Addresses, protocols and ports of services, sorted.
    ServiceKeys,
    /// For each of these, its backends.
    ServiceBackends,
    /// Selectors: those of the bundle, then those of entities.
    Selectors,
    /// Policies without their rules.
    Policies,
    /// Rules, each with the position of its policy.
    Rules,
    /// Key and value of a label that rules require of their subjects, sorted.
    Anchors,
    /// For each of these, the rules that do.
    AnchoredRules,
    /// Namespaces and service accounts, sorted.
    Accounts,
    /// For each of these, its identities.
    AccountIdentities,
}

impl Section {
    pub(crate) const COUNT: usize = 15;
}

/// Where the checksum stands, and where begins what it is over.
const CHECKSUM: Range<usize> = 8..16;
const ENTRY: usize = 8;

/// Puts sections together.
pub(super) fn assemble(sections: &[Vec<u8>; Section::COUNT]) -> Result<Vec<u8>, BundleError> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([0; 8]);
    bytes.extend(to_u32(Section::COUNT)?.to_le_bytes());
    let mut start = bytes.len().saturating_add(ENTRY * Section::COUNT);
    for section in sections {
        bytes.extend(to_u32(start)?.to_le_bytes());
        bytes.extend(to_u32(section.len())?.to_le_bytes());
        start = start.saturating_add(section.len());
    }
    sections.iter().for_each(|section| bytes.extend(section));
    let sum = checksum(bytes.get(CHECKSUM.end..).unwrap_or_default());
    if let Some(place) = bytes.get_mut(CHECKSUM) {
        place.copy_from_slice(&sum.to_le_bytes());
    }
    Ok(bytes)
}

pub(super) fn to_u32(number: usize) -> Result<u32, BundleError> {
    u32::try_from(number).map_err(|_| BundleError::Packed {
        reason: "it would be larger than 4 GiB",
    })
}

/// Where the sections are, if these bytes are a packed bundle and whole.
pub(super) fn sections(bytes: &[u8]) -> Result<[Range<usize>; Section::COUNT], BundleError> {
    let wrong = |reason| BundleError::Packed { reason };
    let (magic, version) = MAGIC.split_at(MAGIC.len() - 1);
    let rest = bytes.strip_prefix(magic).ok_or(wrong("it does not begin like one"))?;
    if !rest.starts_with(version) {
        return Err(wrong("it was packed by another version: pack it again"));
    }
    let content = bytes.get(CHECKSUM.end..).ok_or(wrong("it is cut off"))?;
    let claimed = bytes.get(CHECKSUM).and_then(|sum| sum.first_chunk());
    if claimed != Some(&checksum(content).to_le_bytes()) {
        return Err(wrong("it was cut off or changed after it was packed"));
    }
    let directory = || {
        let mut ranges = [const { 0..0 }; Section::COUNT];
        let (count, entries) = content.split_first_chunk()?;
        if usize::try_from(u32::from_le_bytes(*count)) != Ok(Section::COUNT) {
            return None;
        }
        let entries = entries.chunks_exact(ENTRY);
        for (range, entry) in ranges.iter_mut().zip(entries) {
            let (start, length) = (number(entry, 0)?, number(entry, 1)?);
            *range = start..start.checked_add(length)?;
            bytes.get(range.clone())?;
        }
        Some(ranges)
    };
    directory().ok_or(wrong("its directory is wrong"))
}

/// Of 8 bytes at a time, so that it costs little beside reading them.
fn checksum(bytes: &[u8]) -> u64 {
    // An odd number with bits all over.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |sum: u64, word: [u8; 8]| (sum ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(0, |sum, word| mix(sum, *word));
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    mix(mix(sum, last), length.to_le_bytes())
}

/// The 32-bit number at a position of a list of such numbers.
fn number(list: &[u8], position: usize) -> Option<usize> {
    let (_, from) = list.split_at_checked(position.checked_mul(4)?)?;
    usize::try_from(u32::from_le_bytes(*from.first_chunk()?)).ok()
}

/// Records of any length: how many there are, where each begins and the last one ends, and then all of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Records<'a> {
    count: usize,
    starts: &'a [u8],
    records: &'a [u8],
}

impl<'a> Records<'a> {
    /// Those of a section; none if it is not readable.
    pub(crate) fn of(section: &'a [u8]) -> Self {
        let read = || {
            let count = number(section, 0)?;
            let (_, rest) = section.split_at_checked(4)?;
            let (starts, records) = rest.split_at_checked(count.checked_add(1)?.checked_mul(4)?)?;
            Some(Self { count, starts, records })
        };
        read().unwrap_or_default()
    }

    pub(crate) fn len(self) -> usize {
        self.count
    }

    pub(crate) fn get(self, position: usize) -> Option<&'a [u8]> {
        let end = number(self.starts, position.checked_add(1)?)?;
        self.records.get(number(self.starts, position)?..end)
    }

    /// Where a key is, or would be, if the records are sorted.
    pub(crate) fn search(self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).unwrap_or_default().cmp(key) {
                core::cmp::Ordering::Less => low = middle.saturating_add(1),
                core::cmp::Ordering::Equal => return Ok(middle),
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The positions of all that begin so, if the records are sorted.
    pub(crate) fn beginning_with(self, key: &'a [u8]) -> impl Iterator<Item = (usize, &'a [u8])> {
        let first = self.search(key).unwrap_or_else(|position| position);
        let all = (first..self.count).filter_map(move |position| Some((position, self.get(position)?)));
        all.take_while(move |(_, record)| record.starts_with(key))
    }
}

/// A section of records.
pub(super) fn records<R: AsRef<[u8]>>(list: impl IntoIterator<Item = R>) -> Result<Vec<u8>, BundleError> {
    let (mut starts, mut records) = (Vec::new(), Vec::<u8>::new());
    for record in list {
        starts.push(to_u32(records.len())?);
        records.extend(record.as_ref());
    }
    let count = to_u32(starts.len())?;
    starts.push(to_u32(records.len())?);
    let mut section = count.to_le_bytes().to_vec();
    section.extend(starts.into_iter().flat_map(u32::to_le_bytes));
    section.append(&mut records);
    Ok(section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString, vec};

    fn packed() -> Vec<u8> {
        let mut sections = [const { Vec::new() }; Section::COUNT];
        for (number, section) in (0_u8..).zip(&mut sections) {
            *section = vec![number; usize::from(number)];
        }
        assemble(&sections).expect("small")
    }

    #[test]
    fn sections_are_found_again() {
        let bytes = packed();
        let ranges = sections(&bytes).expect("a packed bundle");
        for (number, range) in (0_u8..).zip(ranges) {
            assert_eq!(bytes.get(range), Some(&*vec![number; usize::from(number)]), "{number}");
        }
    }

    #[test]
    fn damage_is_found() {
        let whole = packed();
        let reason = |bytes: &[u8]| sections(bytes).expect_err("damaged").to_string();
        for position in 0..whole.len() {
            let mut bytes = whole.clone();
            if let Some(byte) = bytes.get_mut(position) {
                *byte ^= 0x10;
            }
            let text = reason(&bytes);
            let want = match position {
                0..7 => "does not begin like one",
                7 => "another version",
                _ => "cut off or changed",
            };
            assert!(text.contains(want), "byte {position}: {text}");
        }
        for end in 0..whole.len() {
            reason(whole.get(..end).expect("a part"));
        }
        reason(&[&*whole, b"\n"].concat());
    }

    #[test]
    fn a_directory_that_leads_outside_is_refused() {
        let mut bytes = packed();
        // The length of the last section.
        let at = 20 + ENTRY * Section::COUNT - 4;
        bytes.splice(at..at + 4, u32::MAX.to_le_bytes());
        let sum = checksum(bytes.get(16..).expect("content"));
        bytes.splice(CHECKSUM, sum.to_le_bytes());
        assert!(sections(&bytes).expect_err("outside").to_string().contains("directory"));
    }

    #[test]
    fn records_are_found_by_position_and_by_key() {
        let names = ["", "a", "ab", "abc", "b", "b\0"];
        let section = records(names).expect("small");
        let records = Records::of(&section);
        assert_eq!(records.len(), names.len());
        for (position, name) in names.iter().enumerate() {
            assert_eq!(records.get(position), Some(name.as_bytes()));
            assert_eq!(records.search(name.as_bytes()), Ok(position), "{name}");
        }
        assert_eq!(records.get(names.len()), None);
        for (key, want) in [("aa", 2), ("c", 6), ("abb", 3)] {
            assert_eq!(records.search(key.as_bytes()), Err(want), "{key}");
        }
        let found: Vec<usize> = records.beginning_with(b"ab").map(|(position, _)| position).collect();
        assert_eq!(found, [2, 3]);
        assert_eq!(records.beginning_with(b"x").count(), 0);
        for end in 0..section.len() {
            let damaged = Records::of(section.get(..end).expect("a part"));
            for position in 0..=names.len() {
                let _ = damaged.get(position);
            }
            let _ = format!("{:?}", damaged.search(b"ab"));
        }
    }
}

//! The headers of a request, read from the one buffer that the host hands over.

use core::ops::Range;

use policy_core::HttpFacts;

/// A header map in the encoding of proxy-wasm: the number of pairs, the lengths of each name and value, then the
/// names and values, each followed by a zero byte. Numbers have 32 bits, least significant byte first.
///
/// Nothing is copied out of it, and nothing needs to be text.
#[derive(Debug)]
pub(crate) struct Headers {
    raw: Vec<u8>,
    /// Where the pseudo-headers are that rules look at, found in the one look that every map gets.
    method: Option<Range<usize>>,
    path: Option<Range<usize>>,
    authority: Option<Range<usize>>,
}

impl Headers {
    /// Takes over the bytes of a header map; `None` if they are not one. No bytes at all are an empty map.
    pub(crate) fn new(raw: Vec<u8>) -> Option<Self> {
        let (mut method, mut path, mut authority) = (None, None, None);
        let mut places = Places::of(&raw)?;
        for (name, value) in places.by_ref() {
            let pseudo = match raw.get(name).filter(|name| name.first() == Some(&b':')) {
                Some(b":method") => &mut method,
                Some(b":path") => &mut path,
                Some(b":authority") => &mut authority,
                _ => continue,
            };
            pseudo.get_or_insert(value);
        }
        // A map that ends early would hide its last headers.
        let is_whole = places.lengths.is_empty();
        is_whole.then_some(Self {
            raw,
            method,
            path,
            authority,
        })
    }

    /// All headers in their order, the pseudo-headers among them.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let places = Places::of(&self.raw).into_iter().flatten();
        places.filter_map(|(name, value)| Some((self.raw.get(name)?, self.raw.get(value)?)))
    }

    fn at(&self, place: &Option<Range<usize>>) -> Option<&[u8]> {
        self.raw.get(place.clone()?)
    }

    /// `:scheme`.
    pub(crate) fn scheme(&self) -> Option<&[u8]> {
        self.first(b":scheme")
    }

    /// The first value of a header, by its name in lower case.
    pub(crate) fn first(&self, wanted: &[u8]) -> Option<&[u8]> {
        self.pairs().find(|(name, _)| *name == wanted).map(|(_, value)| value)
    }
}

/// The bytes that hold the two lengths of a pair.
const PAIR_LENGTHS: usize = 8;

/// Where the names and values of a header map are, one pair after the other. Ends early where the map is damaged.
struct Places<'a> {
    raw: &'a [u8],
    /// Those of the pairs that are left.
    lengths: &'a [[u8; PAIR_LENGTHS]],
    /// Where the next name begins.
    start: usize,
}

impl<'a> Places<'a> {
    /// `None` if there is no room for the lengths of so many pairs.
    fn of(raw: &'a [u8]) -> Option<Self> {
        let Some((count, rest)) = raw.split_first_chunk() else {
            let nothing = Self {
                raw,
                lengths: &[],
                start: 0,
            };
            return raw.is_empty().then_some(nothing);
        };
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let (lengths, _) = rest.as_chunks();
        let lengths = lengths.get(..count)?;
        let start = raw
            .len()
            .checked_sub(rest.len())?
            .checked_add(lengths.as_flattened().len())?;
        Some(Self { raw, lengths, start })
    }

    /// The place of the field of this length, which a zero byte follows.
    #[inline(always)]
    fn field(&mut self, length: u32) -> Option<Range<usize>> {
        let start = self.start;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        self.raw.get(end).filter(|byte| **byte == 0)?;
        self.start = end.checked_add(1)?;
        Some(start..end)
    }
}

impl Iterator for Places<'_> {
    type Item = (Range<usize>, Range<usize>);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let (lengths, rest) = self.lengths.split_first()?;
        let [n0, n1, n2, n3, v0, v1, v2, v3] = *lengths;
        let name = self.field(u32::from_le_bytes([n0, n1, n2, n3]))?;
        let value = self.field(u32::from_le_bytes([v0, v1, v2, v3]))?;
        self.lengths = rest;
        Some((name, value))
    }
}

impl HttpFacts for Headers {
    fn method(&self) -> Option<&[u8]> {
        self.at(&self.method)
    }

    fn path(&self) -> Option<&[u8]> {
        self.at(&self.path)
    }

    fn authority(&self) -> Option<&[u8]> {
        self.at(&self.authority)
    }

    fn header_values(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        let same = |other: &[u8]| other.eq_ignore_ascii_case(name.as_bytes());
        self.pairs()
            .filter(|(other, _)| same(other))
            .for_each(|(_, value)| each(value));
    }
}

/// The encoding of a header map. What is longer than its numbers can say, no host takes.
pub(crate) fn encode(pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let length = |bytes: &[u8]| number(bytes.len());
    let mut raw = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        raw.extend(length(name));
        raw.extend(length(value));
    }
    for bytes in pairs.iter().flat_map(|(name, value)| [name, value]) {
        raw.extend(*bytes);
        raw.push(0);
    }
    raw
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(headers: &Headers, name: &str) -> Vec<Vec<u8>> {
        let mut values = Vec::new();
        headers.header_values(name, &mut |value| values.push(value.to_vec()));
        values
    }

    #[test]
    fn a_map_gives_pseudo_headers_and_every_value() {
        let raw = encode(&[
            (b":method", b"GET"),
            (b":path", b"/a?b"),
            (b"x-a", b"1"),
            (b"X-A", b"\xff\xfe"),
            (b"x-b", b""),
        ]);
        let headers = Headers::new(raw).expect("a map");
        assert_eq!(
            (headers.method(), headers.path()),
            (Some(&b"GET"[..]), Some(&b"/a?b"[..]))
        );
        assert_eq!(headers.authority(), None, "absent");
        assert_eq!(
            values(&headers, "x-a"),
            [&b"1"[..], b"\xff\xfe"],
            "both, in order, in any case, not text"
        );
        assert_eq!(values(&headers, "x-b"), [b""], "present, though empty");
        assert!(values(&headers, "x").is_empty(), "a prefix is another name");
    }

    #[test]
    fn only_whole_maps_are_maps() {
        let whole = encode(&[(b"a", b"1"), (b"b", b"2")]);
        for length in 1..whole.len() {
            assert!(Headers::new(whole[..length].to_vec()).is_none(), "cut at {length}");
        }
        assert!(Headers::new(whole).is_some());
        assert!(
            Headers::new(Vec::new()).is_some_and(|headers| headers.pairs().next().is_none()),
            "no bytes, no headers"
        );
        assert!(Headers::new(vec![0; 4]).is_some(), "no pairs");
        assert!(Headers::new(vec![0xff; 64]).is_none(), "lengths beyond the end");
    }

    proptest! {
        #[test]
        fn what_a_host_encodes_is_read_back(pairs: Vec<(Vec<u8>, Vec<u8>)>) {
            let borrowed: Vec<(&[u8], &[u8])> = pairs.iter().map(|(n, v)| (&n[..], &v[..])).collect();
            let headers = Headers::new(encode(&borrowed)).expect("encoded by a host");
            prop_assert_eq!(headers.pairs().collect::<Vec<_>>(), borrowed);
        }

        #[test]
        fn arbitrary_bytes_are_read_or_refused(raw: Vec<u8>) {
            if let Some(headers) = Headers::new(raw) {
                headers.pairs().for_each(drop);
            }
        }
    }
}
